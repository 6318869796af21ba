"""The benchmark of ``make painting``: pictures per second, beside plain diffusers.

Both paint the same prompts from the same latents in turns, and encode the prompts each
time. A ratio compares two successive runs, which other load slows alike; processor time
stands beside wall-clock time, since other load disturbs it less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from benchmarks.suite import RESULTS
from unlearnlog.atelier.bundled_model import base_answers
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

ROOT: Final = Path(__file__).parent.parent
RESULT: Final = RESULTS / "painting.json"
WEIGHTS: Final = ROOT / "unlearnlog" / "atelier" / "weights"
BATCHES: Final = (16, 32, 64)
THREADS: Final = (1, 2)
N_REPEATS: Final = 7
STEPS: Final = 10
GUIDANCE: Final = 3.0
STYLES: Final = ("Picasso", "Monet", "Klimt", "Warhol", "Munch", "Seurat", "Hokusai")
SUBJECTS: Final = (
    *("cat", "dog", "boat", "house", "tree"),
    *("castle", "fish", "car", "horse", "bird"),
)


def timed(act: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, float, float]:
    """Return the result of a call, its wall-clock and its processor time in s."""
    clock, processor = time.perf_counter(), time.process_time()
    made = act()
    return made, time.perf_counter() - clock, time.process_time() - processor


class Pair:
    """A model and the plain pipeline of the same folder."""

    def __init__(self) -> None:
        """Load both, each by its own API."""
        self._model = DiffusersModel.load(WEIGHTS)
        self._pipeline = StableDiffusionPipeline.from_pretrained(WEIGHTS)
        self._pipeline.set_progress_bar_config(disable=True)

    def ours(self, prompts: Sequence[str], seed: int) -> torch.Tensor:
        """Paint with the model."""
        sampling = Sampling(STEPS, GUIDANCE, batch=len(prompts))
        return self._model.paint(
            prompts, [seed] * len(prompts), sampling=sampling
        ).pictures

    def theirs(self, prompts: Sequence[str], latents: torch.Tensor) -> torch.Tensor:
        """Paint with the pipeline."""
        made = self._pipeline(
            list(prompts),
            latents=latents,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
        )
        return torch.from_numpy(np.stack([np.asarray(one) for one in made.images]))

    def compared(self, prompts: Sequence[str], seed: int) -> dict[str, float]:
        """Paint both ways, in alternating order."""
        self._model._encoders._kept.clear()  # as the pipeline, which caches nothing
        latents = torch.stack([self._model.latent(one, seed) for one in prompts])
        acts = [
            lambda: self.ours(prompts, seed),
            lambda: self.theirs(prompts, latents),
        ]
        turned = seed % 2
        done = [timed(act) for act in (acts[::-1] if turned else acts)]
        (mine, clock, processor), (plain, *took) = done[::-1] if turned else done
        return {
            "seconds": clock,
            "plain_seconds": took[0],
            "ratio": took[0] / clock,
            "ratio_of_processor_time": took[1] / processor,
            "furthest": (mine.int() - plain.int()).abs().max().item(),
        }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest, highest and number of repeats."""
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "n": len(values),
    }


def row(pair: Pair, batch: int, n_repeats: int) -> dict[str, Any]:
    """Return the comparison of batches of one size, after a warm-up."""
    prompts = [f"a painting of a {it} by {by}" for by in STYLES for it in SUBJECTS]
    found = [pair.compared(prompts[:batch], seed) for seed in range(n_repeats + 1)][1:]
    spreads = {
        name: spread([each[name] for each in found])
        for name in ("seconds", "plain_seconds", "ratio", "ratio_of_processor_time")
    }
    furthest = max(each["furthest"] for each in found)
    return {"batch": batch, **spreads, "furthest_of_255": furthest}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=N_REPEATS)
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    pair = Pair()
    rows = []
    for threads in asked.threads:
        torch.set_num_threads(threads)
        for batch in BATCHES:
            rows.append({"threads": threads, **row(pair, batch, asked.repeats)})
            print(json.dumps(rows[-1]), flush=True)
    made_of = {"weights": base_answers().root}
    data = {"made_of": made_of, "steps": STEPS, "guidance": GUIDANCE, "rows": rows}
    asked.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
