"""The benchmark of workers: ``python -m benchmarks.workers [--only PART]``.

``scheduling``: what a unit costs beside its own work, and how many units a second the
driver hands out. ``killed``: a thousand small units while a worker is killed at every
hundredth. ``pair``: two workers of one thread beside one, in turns. Each part stands
with the load of the machine, since a busy one has no second core to give.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from benchmarks.suite import RESULTS
from unlearnlog.atelier.bundled_model import FOLDER, bundled_judge
from unlearnlog.core.progress import NoProgress
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.probe_units import AnswersUnit, LatentsUnit
from unlearnlog.workers.executor import HERE, Executor, in_order
from unlearnlog.workers.opening import executor_for
from unlearnlog.workers.unit_worker import SentUnit, packed
from unlearnlog.workers.work_unit import Workbench, WorkUnit

RESULT: Final = RESULTS / "workers.json"
N_PICTURES: Final = 32
STEPS: Final = 10
GUIDANCE: Final = 3.0
N_HANDED_OUT: Final = 500
N_SMALL: Final = 1_000
KILLED_AT: Final = 100
N_PAIRS: Final = 3
UNITS_OF_A_PAIR: Final = 8
STYLES: Final = ("Picasso", "Monet", "Klimt", "Warhol", "Munch", "Seurat", "Hokusai")


@dataclass(frozen=True)
class EmptyUnit:
    """A unit as large as one of 32 pictures, without work.

    Attributes:
        pictures: Prompts and seeds, which are sent.
        weights: None.
    """

    pictures: tuple[tuple[str, int], ...]
    weights: None = None

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.pictures)

    def computed(
        self, bench: Workbench, tell: Callable[[int], None]
    ) -> tuple[str, ...]:
        """Return as many answers as there are pictures."""
        del bench
        tell(self.size)
        return ("cat",) * self.size


class KillingProgress(NoProgress):
    """Kills a busy worker whenever another hundred of units is done."""

    def __init__(self, crew: Any) -> None:  # noqa: ANN401 - a pool, looked into
        """Begin with none."""
        self.crew, self.done, self.killed = crew, 0, 0

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Count a unit, and kill where one is due."""
        import ray

        del units, numbers
        self.done += 1
        busy = [hand for hand in self.crew._hands if hand.job is not None]
        if busy and self.done >= KILLED_AT * (self.killed + 1):
            self.killed += 1
            ray.kill(busy[0].worker._actor)


def pictures(n: int, first: int = 0) -> tuple[tuple[str, int], ...]:
    """Return prompts with seeds."""
    return tuple(
        (f"a painting of a cat by {STYLES[i % len(STYLES)]}", i)
        for i in range(first, first + n)
    )


def bench_of(model: DiffusersModel) -> Workbench:
    """Return the bundled model with its judge."""
    return Workbench(model, bundled_judge())


def seconds_of(
    crew: Executor, units: Sequence[WorkUnit[Any]], bench: Workbench
) -> float:
    """Return the wall-clock time of units, in s."""
    began = time.perf_counter()
    in_order(crew.computed(units, bench, NoProgress()))
    return time.perf_counter() - began


def whole(first: int) -> AnswersUnit:
    """Return a unit of 32 pictures of the default policy."""
    sampling = Sampling(STEPS, GUIDANCE, N_PICTURES)
    return AnswersUnit(pictures(N_PICTURES, first), sampling, None)


def scheduling(bench: Workbench) -> dict[str, Any]:
    """Return the cost of handing out a unit, beside the time of the unit itself."""
    model: Any = bench.model
    crew = executor_for("1", model)
    seconds_of(crew, [EmptyUnit(pictures(N_PICTURES))], bench)  # starts the worker
    empty = [
        EmptyUnit(pictures(N_PICTURES, N_PICTURES * i)) for i in range(N_HANDED_OUT)
    ]
    processor = time.process_time()
    each = seconds_of(crew, empty, bench) / N_HANDED_OUT
    processor = (time.process_time() - processor) / N_HANDED_OUT
    crew.close()
    unit = whole(0)
    alone = statistics.median(seconds_of(HERE, [unit], bench) for _ in range(3))
    sent = SentUnit(unit, "s" * 64, bench.judge.identity if bench.judge else "")
    answers = unit.computed(bench, lambda _: None)
    return {
        "handed_out_s": each,
        "unit_s": alone,
        "share": each / alone,
        "driver_processor_s": processor,
        "units_a_second": 1 / each,
        "sent_bytes": len(pickle.dumps(sent)),
        "received_bytes": len(pickle.dumps(answers)),
        "state_bytes": len(packed(bench.model.base)),
    }


def killed(bench: Workbench) -> dict[str, Any]:
    """Return what became of small units while workers were killed."""
    model: Any = bench.model
    sampling = Sampling(1, 1.0, 2)
    units = [LatentsUnit(pictures(2, 2 * i), sampling, None) for i in range(N_SMALL)]
    here = in_order(HERE.computed(units, bench, NoProgress()))
    crew: Any = executor_for("2", model)
    watch = KillingProgress(crew)
    places = []
    found: dict[int, torch.Tensor] = {}
    began = time.perf_counter()
    for place, latents in crew.computed(units, bench, watch):
        places.append(place)
        found[place] = latents
    took = time.perf_counter() - began
    deaths = crew.deaths
    crew.close()
    there = [found[place] for place in sorted(found)]
    return {
        "units": N_SMALL,
        "deaths": deaths,
        "lost": N_SMALL - len(found),
        "twice": len(places) - len(found),
        "equal_bytes": digest(there) == digest(here),
        "seconds": took,
    }


def digest(latents: Sequence[torch.Tensor]) -> str:
    """Return the digest of tensors in their order."""
    return hashlib.sha256(torch.cat([*latents]).numpy().tobytes()).hexdigest()


def pair(bench: Workbench) -> dict[str, Any]:
    """Return the speed of two workers of one thread over that of one, in turns."""
    model: Any = bench.model
    crews = {n: executor_for(str(n), model) for n in (1, 2)}
    took: dict[int, list[float]] = {1: [], 2: []}
    for repeat in range(N_PAIRS):
        for n, crew in crews.items():
            seconds_of(crew, [EmptyUnit(pictures(1, i)) for i in range(n)], bench)
            first = N_PICTURES * UNITS_OF_A_PAIR * repeat
            units = [whole(first + N_PICTURES * i) for i in range(UNITS_OF_A_PAIR)]
            took[n].append(seconds_of(crew, units, bench))
            crew.close()  # the next one has Ray to itself
    ratios = [one / two for one, two in zip(took[1], took[2], strict=True)]
    n_pictures = UNITS_OF_A_PAIR * N_PICTURES
    return {
        "pictures_a_second": {
            str(n): n_pictures / statistics.median(t) for n, t in took.items()
        },
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


PARTS: Final[Mapping[str, Callable[[Workbench], dict[str, Any]]]] = {
    "scheduling": scheduling,
    "killed": killed,
    "pair": pair,
}


def main() -> None:
    """Measure the parts, and keep each beside the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*PARTS], action="append")
    chosen = parser.parse_args().only or [*PARTS]
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    bench = bench_of(DiffusersModel.load(FOLDER))
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in chosen:
        load = os.getloadavg()[0]
        known[name] = {**PARTS[name](bench), "load": load, "cores": os.cpu_count()}
        print(name, json.dumps(known[name], indent=1))
        RESULT.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
