"""Seconds and memory of erasing 1,000 names from a file on Stable Diffusion 1.5's size.

The UNet and the text encoder, a CLIP ViT-L/14, have their real shapes and random
weights, which take as long as trained ones. The tokens are CLIP's own, from a folder
that is given or from a package with its vocabulary (``pip install open_clip_torch``):
how many a name has decides what it costs. The whole command runs as a user types it;
what it spends on checking, encoding and solving is measured in another process, on the
same names. Seconds of a processor are those of the clock where one thread has a core of
its own.

Exits with 1 if checking, encoding and solving take more than a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.suite import RESULTS
from tests.tiny import FULL_SIZE, build_pipeline
from unlearnlog.checkpoints.clip_vocabulary import vocabulary_for
from unlearnlog.commands import joint_set
from unlearnlog.commands.names_from_file import concepts_of
from unlearnlog.commands.session_opening import open_session
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.names_file import NameRow
from unlearnlog.core.progress import NoProgress
from unlearnlog.policy import Policy

T = TypeVar("T")

RESULT: Final = RESULTS / "many.json"
N_NAMES: Final = 1000
MOST_SECONDS: Final = 60.0
_SYLLABLES: Final = (
    *("ba", "bel", "chi", "dor", "el", "fan", "gar", "hol", "is", "jan", "ka", "lo"),
    *("mar", "nes", "ori", "pe", "quin", "ros", "sta", "tan", "ur", "vel", "wen", "zo"),
)
"""Parts of made-up names: two words of two or three, five tokens of CLIP on average."""


@dataclass(frozen=True)
class Spent:
    """What a piece of work took.

    Attributes:
        seconds: Of the clock.
        cpu_seconds: Of processors, the system's part included.
        peak_bytes: Largest resident set until its end.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def names(n: int = N_NAMES) -> list[str]:
    """Return made-up names of two words, each once."""
    source = random.Random(0)
    found: dict[str, None] = {}
    while len(found) < n:
        words = [
            "".join(source.choices(_SYLLABLES, k=source.choice((2, 3)))).capitalize()
            for _ in range(2)
        ]
        found[" ".join(words)] = None
    return [*found]


def write(folder: Path, tokenizer: Path | None) -> None:
    """Write the model and the file of names.

    Args:
        folder: Where to; 2 GB.
        tokenizer: A folder with CLIP's vocabulary; None for what is installed.
    """
    model = build_pipeline(folder / "model", family=FULL_SIZE)
    vocabulary = vocabulary_for(folder / "none", tokenizer)
    for name, data in vocabulary.files(pads="<|endoftext|>").items():
        (model / "tokenizer" / name).write_bytes(data)
    (model / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    last = len(vocabulary.numbers) - 1
    sizes = CLIPTextConfig(
        vocab_size=len(vocabulary.numbers),
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=77,
        bos_token_id=last - 1,
        eos_token_id=last,
        pad_token_id=last,
    )
    torch.manual_seed(0)
    CLIPTextModel(sizes).half().save_pretrained(model / "text_encoder")
    kinds = ("style", "subject")
    rows = [f"{name},{kinds[i % 2]}" for i, name in enumerate(names())]
    (folder / "names.csv").write_text("\n".join(["name,kind", *rows]) + "\n")


def typed(words: list[str], folder: Path) -> tuple[Spent, str]:
    """Run a program in a process of its own; return what it took and what it says."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = subprocess.Popen(
            [sys.executable, *words], cwd=folder, stdout=said, env=_environment()
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        printed = said.read()
    if child.returncode:
        message = f"{' '.join(words)}: exit code {child.returncode}"
        raise RuntimeError(message)
    used = usage.ru_utime + usage.ru_stime
    took = Spent(time.perf_counter() - began, used, usage.ru_maxrss * 1024)
    return took, printed


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}


def parts(folder: Path) -> dict[str, Any]:
    """Return what checking, encoding and solving take, in this process.

    Args:
        folder: One with the ledger of a model, and the names.
    """
    policy = Policy.load("many")
    spent = {}
    at, spent["open the model"] = _timed(lambda: open_session(folder))
    world = ConceptSet.read(at.concepts)
    usual = NameRow(0, "")
    file = folder / "names.csv"
    found, spent["check"] = _timed(lambda: concepts_of(file, world, [], usual))
    group = joint_set.group_of(at, policy.chosen_eraser()).holding(found)
    watch = _Watch()
    began = _now()
    joint_set.set_to(at, group, watch)
    spent["encode"] = _between(began, watch.solving)
    spent["solve"] = _between(watch.solving, _now())
    tokens = [at.model.n_tokens(name) - 2 for name in names()]
    return {
        "names": len(found),
        "tokens_of_a_name": sum(tokens) / len(tokens),
        "parts": spent,
    }


class _Watch(NoProgress):
    """The moment at which everything is encoded."""

    solving = (0.0, 0.0)

    def stage(self, name: str, total: int) -> None:
        """Note when the solving begins."""
        super().stage(name, total)
        if name == "solving":
            self.solving = _now()


def _timed(act: Callable[[], T]) -> tuple[T, dict[str, float]]:
    began = _now()
    done = act()
    return done, _between(began, _now())


def _now() -> tuple[float, float]:
    """Return the time of the clock and of this process's processors, in s."""
    return time.perf_counter(), time.process_time()


def _between(
    began: tuple[float, float], ended: tuple[float, float]
) -> dict[str, float]:
    (clock, used), (later, more) = began, ended
    return {"seconds": later - clock, "cpu_seconds": more - used}


def measured(folder: Path, tokenizer: Path | None) -> dict[str, Any]:
    """Write the model, run the command and its parts, and return what they took."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        apart.submit(write, folder, tokenizer).result()
    command = ["-m", "unlearnlog"]
    typed([*command, "init", "--model", "model"], folder)
    in_parts, said = typed(["-m", "benchmarks.many", "--parts", str(folder)], folder)
    shutil.rmtree(folder / ".unlearnlog" / "cache")  # the command encodes again
    words = ["add", "--from", "names.csv", "--judge", "none", "--accept-undecided"]
    whole, printed = typed([*command, *words, "--json"], folder)
    if (n := len(json.loads(printed)["concepts"])) != N_NAMES:
        message = f"{n} names are recorded"
        raise RuntimeError(message)
    return {
        **json.loads(said),
        "peak_bytes_of_parts": in_parts.peak_bytes,
        "add": asdict(whole),
        "most_seconds": MOST_SECONDS,
    }


def within(found: Mapping[str, Any]) -> bool:
    """Return whether checking, encoding and solving are done within the limit."""
    some = (found["parts"][name] for name in ("check", "encode", "solve"))
    return bool(sum(each["cpu_seconds"] for each in some) <= MOST_SECONDS)


def main() -> None:
    """Measure, write the results, and hold the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tokenizer", type=Path, help="a folder with CLIP's vocabulary"
    )
    parser.add_argument("--parts", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.parts:
        print(json.dumps(parts(given.parts)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.tokenizer)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(not within(found))


if __name__ == "__main__":
    main()
