"""``add --dry-run``: what an erasure would paint and train, how long, how much memory.

The first batch of each kind of work is really done and timed; the rest is counted.
Nothing is written.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from unlearnlog.model.protocol import Painted
from unlearnlog.run.erase import plan_of

if TYPE_CHECKING:
    from unlearnlog.run.erase import Order
    from unlearnlog.run.place import Place

T = TypeVar("T")

_ASKED: Final = 4
"""So many pictures a judge is timed on: the base as judge takes minutes for a batch of
a large model's."""

_PER_NAT_PICTURE: Final = 3
"""A picture whose nats are read costs about so many that are only looked at."""


@dataclass(frozen=True)
class Estimate:
    """What an erasure would cost.

    Attributes:
        forget: Pictures the base would paint to be forgotten.
        looked: Pictures the probes would paint, nats included.
        steps: Training steps, at most.
        seconds: How long it would take, at most.
        peak_bytes: The most memory that a batch of each kind took here: of the process
            on a CPU, of the device elsewhere.
    """

    forget: int
    looked: int
    steps: int
    seconds: float
    peak_bytes: int


def estimate(at: Place, order: Order) -> Estimate:
    """Do one batch of each kind of work and count the rest.

    Raises:
        ConceptError: As `add` does before it begins.
    """
    plan = plan_of(at, order)
    request, eraser, look = plan.request, plan.eraser, plan.look
    work = eraser.work(len(order.concepts))
    sampling = request.sampling
    named = [prompt.text for prompt in request.forget[0]][: sampling.batch]
    painted, took = _timed(
        lambda: at.model.paint(named, range(len(named)), sampling=sampling)
    )
    per_picture, per_answer = took / len(named), 0.0
    if judge := look.panel.judge:
        few = Painted(painted.latents[:_ASKED], painted.pictures[:_ASKED])
        per_answer = _timed(lambda: judge.judged(few))[1] / len(few.latents)
    small, least = eraser.rehearsal()
    one = replace(request, forget=request.forget[:1])
    trained = _timed(lambda: small.erase(one))[1] - per_picture * least.pictures
    per_step = max(trained, 0.0) / least.steps
    nats = look.policy.probes.information * 2 * _PER_NAT_PICTURE
    judged = look.asked.concepts + look.asked.others if judge else ()
    known = look.panel.album.answers(judged, look.panel.sampling, None)
    unknown = sum(answer is None for answer in known)
    answers = len(judged) + unknown
    looked = answers + nats + 3 * look.policy.probes.distance
    seconds = per_picture * (work.pictures + looked) + per_step * work.steps
    seconds += per_answer * answers
    return Estimate(work.pictures, looked, work.steps, round(seconds, 1), _peak(at))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Do some work; return what it gives, and how long it took in s."""
    started = time.monotonic()
    return work(), time.monotonic() - started


def _peak(at: Place) -> int:
    """Return the most memory used so far, in bytes."""
    if at.model.device.type == "cuda":
        return torch.cuda.max_memory_allocated(at.model.device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
