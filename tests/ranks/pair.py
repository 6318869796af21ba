"""What two processes compute together, and one of them alone.

``python -m tests.ranks FOLDER`` imports once, becomes two, and the main one writes what
it found.
"""

import json
import os
from typing import Any

import torch

from tests.erasers.slowly import SMALL, SMALL_KEPT, request_of
from tests.fakes import NAME
from unlearnlog.core.ranks import OneProcess
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.ranks.exchange import PATIENCE
from unlearnlog.ranks.one_command import known_ranks, shared

CPU = torch.device("cpu")
TOGETHER: dict[str, dict[str, Any]] = {
    "esd": {**SMALL},
    "sdd": {**SMALL, "change": "factors", "states": "sampled", "sampler_steps": 5},
    "concept-ablation": {**SMALL},
    "salun": {**SMALL_KEPT},
    "dynamic-mask": {**SMALL_KEPT, "warm_up": 2},
    "restricted-gradient": {**SMALL_KEPT, "limit": 0.5},
}
ALONE: dict[str, dict[str, Any]] = {"surgun": {**SMALL_KEPT, "looks": 1}}


def erased(name, ranks):
    """Return the digest of what an eraser trains, in two parts where it divides."""
    parts = 2 if name in TOGETHER else 1
    settings = {**TOGETHER, **ALONE}[name]
    eraser = ERASERS[name].of({**settings, "micro_batches": parts})
    return eraser.erase(request_of(ranks=ranks)).digest


def painted(model, ranks):
    """Return pictures of three batches, the last one short, and the progress."""
    model.ranks = ranks
    seen: list[int] = []
    prompts = ["a cat", "a dog by picasso", "a photo"]
    made = model.paint(
        [prompts[i % 3] for i in range(10)],
        range(10),
        sampling=Sampling(2, 3.0, batch=4),
        weights={name: 2 * old for name, old in model.base.items()},
        progress=seen.append,
    )
    return [made.latents.tolist(), made.pictures.tolist()], seen


def said(act):
    """Return what an error says, or an empty text."""
    try:
        act()
    except (UnlearnlogError, RuntimeError) as error:
        return f"{type(error).__name__} {error}"
    return ""


def number(given, ranks):
    """Return the sum of all numbers of processes, each met once."""
    return given + sum(int(each) for each in ranks.gathered(torch.tensor([ranks.rank])))


def astray(_, ranks):
    """Fail in one process before the two meet."""
    if ranks.rank == 1:
        raise torch.OutOfMemoryError("no room")
    return ranks.gathered(torch.zeros(1))


def nan_loss(_, ranks):
    """Train with a loss that is no number in one process."""
    from unlearnlog.erasers.trainable_change import FullChange
    from unlearnlog.erasers.training import MicroBatches, TrainingPlan, train

    request = request_of()
    losses = MicroBatches(
        lambda part: lambda new: (new[NAME].sum() / (1 - part.part),), 2, ranks=ranks
    )
    train(request, FullChange.of(request), losses, TrainingPlan(3, 0.01))


def double(given):
    """Return twice a number; 13 cannot be doubled."""
    if given == 13:
        message = "13 is not doubled"
        raise ValueError(message)
    return 2 * given


class Judgement:
    """A value that is sent once."""

    n_sent = 0

    def __init__(self, of):
        self.of = of

    def __reduce__(self):
        type(self).n_sent += 1
        return Judgement, (self.of,)

    def add(self, given):
        return self.of + given


def kept_by(ranks, value):
    """Return what a kept value computes in two rounds, and how often it was sent."""
    before = Judgement.n_sent
    ranks.keep(value)
    found = [ranks.mapped(value.add, [1, 2, 3]) for _ in range(2)]
    return [found, Judgement.n_sent - before]


def die(_, ranks):
    """End the other process without a word."""
    if ranks.rank == 1:
        os._exit(9)
    return ranks.gathered(torch.zeros(1))


def found_by(ranks, model):
    """Return all that two processes compute, or one."""
    pictures, seen = painted(model, ranks)
    return {
        "pictures": pictures,
        "progress": seen,
        "erased": {name: erased(name, ranks) for name in (*TOGETHER, *ALONE)},
        "mapped": ranks.mapped(double, range(5)),
    }


def main(folder):
    """Become two, and compute all of it together and alone."""
    other = os.fork()
    os.environ |= {"RANK": "0" if other else "1", "LOCAL_RANK": "0" if other else "1"}
    os.environ[PATIENCE] = "60"
    model = DiffusersModel.load(folder / "tiny")
    with shared():
        ranks = known_ranks(CPU)
        found: dict[str, Any] = {"size": ranks.size}
        found["together"] = found_by(ranks, model)
        found["number"] = ranks.together(number, 10)
        odd = ERASERS["esd"].of({**SMALL, "batch": 5})
        found["refused"] = {
            "uneven": said(lambda: odd.erase(request_of(ranks=ranks))),
            "memory": said(lambda: ranks.together(astray, None)),
            "loss": said(lambda: ranks.together(nan_loss, None)),
            "unit": said(lambda: ranks.mapped(double, [1, 13])),
            "model": said(lambda: moved(model, folder)),
        }
        found["after"] = ranks.mapped(double, range(3))
        found["kept"] = [
            kept_by(ranks, Judgement(3)),
            kept_by(OneProcess(), Judgement(3)),
        ]
        found["dead"] = said(lambda: ranks.together(die, None))
    os.waitpid(other, 0)
    found["alone"] = found_by(OneProcess(), model)
    (folder / "found.json").write_text(json.dumps(found))


def moved(model, folder):
    """Paint with a model whose folder is gone."""
    (folder / "tiny").rename(folder / "elsewhere")
    strange = DiffusersModel.load(folder / "elsewhere")
    (folder / "elsewhere").rename(folder / "tiny")
    painted(strange, model.ranks)
