"""The benchmark of ``make fastcpu``: the speedup by each part of the CPU layers.

A batch is painted with all parts and with all but one, in turns. A ratio compares the
processor times of two successive runs; above 1 the part saves time.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.painting import (
    GUIDANCE,
    STEPS,
    STYLES,
    SUBJECTS,
    WEIGHTS,
    spread,
    timed,
)
from unlearnlog.atelier.bundled_model import base_answers
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.fastcpu.switch import PARTS, VARIABLE
from unlearnlog.models.interface import Sampling

RESULT: Final = Path(__file__).parent / "results" / "fastcpu.json"
BATCH: Final = 32
N_REPEATS: Final = 9


def painted(model: DiffusersModel, without: str, seed: int) -> torch.Tensor:
    """Paint one batch with a part switched off; "" leaves all of them on."""
    prompts = [f"a painting of a {it} by {by}" for by in STYLES for it in SUBJECTS]
    os.environ[VARIABLE] = without or "on"
    sampling = Sampling(STEPS, GUIDANCE, batch=BATCH)
    return model.paint(prompts[:BATCH], [seed] * BATCH, sampling=sampling).pictures


def loaded(without: str) -> DiffusersModel:
    """Load the bundled model with a part switched off."""
    os.environ[VARIABLE] = without or "on"
    return DiffusersModel.load(WEIGHTS)


def worth(part: str, repeats: int) -> dict[str, Any]:
    """Return the ratios of all parts to all but one; ``off`` is without any."""
    whole, less = loaded(""), loaded(part)
    ratios, clocks = [], []
    for seed in range(repeats + 1):
        acts = [
            lambda s=seed: painted(whole, "", s),
            lambda s=seed: painted(less, part, s),
        ]
        turned = seed % 2
        done = [timed(act) for act in (acts[::-1] if turned else acts)]
        (_, clock, took), (_, other_clock, other) = done[::-1] if turned else done
        ratios.append(other / took)
        clocks.append(other_clock / clock)
    return {
        "part": part,
        "ratio_of_processor_time": spread(ratios[1:]),
        "ratio": spread(clocks[1:]),
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=N_REPEATS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows = []
    for part in ("off", *PARTS):
        rows.append(worth(part, asked.repeats))
        print(json.dumps(rows[-1]), flush=True)
    made_of = {"weights": base_answers().root}
    data = {"made_of": made_of, "batch": BATCH, "threads": asked.threads, "rows": rows}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
