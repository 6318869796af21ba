"""Two processes that train together: ``python -m tests.erasers.crew FOLDER``.

It imports once, becomes two, and each writes what it saw and trained.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from tests.erasers.slowly import SMALL, SMALL_KEPT, request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.trainable_change import FullChange
from unlearnlog.erasers.training import BatchShare, TrainingPlan, mean_of_all, train
from unlearnlog.errors import TrainingError

N = 2
TOGETHER: dict[str, dict[str, Any]] = {
    "esd": {**SMALL},
    "sdd": {**SMALL, "change": "factors"},
    "concept-ablation": {**SMALL},
    "salun": {**SMALL_KEPT},
    "restricted-gradient": {**SMALL_KEPT, "limit": 0.5},
}


class Watched(LinearModel):
    """Notes for how many pictures at once noise is predicted with a gradient."""

    def __init__(self):
        super().__init__()
        self.sizes = set()

    def eps(self, x_t, t, text, *, weights=None):
        if torch.is_grad_enabled() and weights is not None:
            self.sizes.add(len(x_t))
        return super().eps(x_t, t, text, weights=weights)


def erased(name):
    """Erase as one of the processes, or alone; return the delta and what was seen."""
    model = Watched()
    delta = ERASERS[name](**TOGETHER[name]).erase(request_of(model))
    return delta.patches[NAME].dense(), sorted(model.sizes)


def refusals(share):
    """Say what each is told when one goes astray, or a batch does not divide."""
    request = request_of()

    def losses(new):
        return (new[NAME].sum() * (torch.nan if share.process == 1 else 1),)

    def said(act):
        try:
            act()
        except TrainingError as error:
            return str(error)
        return ""

    odd = ERASERS["esd"](**{**SMALL, "batch": 5})
    return [
        said(
            lambda: train(
                request, FullChange.of(request), losses, TrainingPlan(3, 0.01)
            )
        ),
        said(lambda: odd.erase(request)),
    ]


def work(folder, process):
    """Do everything as one of the processes."""
    os.environ |= {"RANK": str(process), "LOCAL_RANK": str(process)}
    share = BatchShare.of_this_process()
    found: dict[str, Any] = {"share": [share.process, share.n]}
    found["mean"] = mean_of_all(torch.tensor(10.0 * process)).item()
    found["refused"] = refusals(share)
    for name in TOGETHER:
        delta, sizes = erased(name)
        found[name] = {"delta": delta.tolist(), "sizes": sizes}
    (folder / f"{process}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def main(folder):
    """Become two processes that find each other at a port."""
    other = os.fork()
    work(folder, 0 if other else 1)
    if not other:
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
    sys.exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
