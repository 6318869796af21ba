"""One run of units over workers: what is open, what runs where, what came back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from unlearnlog.errors import WorkerError
from unlearnlog.workers.agreement_check import disagreement
from unlearnlog.workers.work_unit import is_checked

if TYPE_CHECKING:
    from unlearnlog.core.digest import Digest
    from unlearnlog.workers.unit_worker import SentUnit

T = TypeVar("T")

MOST_LOST: Final = 3
"""Workers that may die in turn with one unit before the run gives up."""


@dataclass(frozen=True)
class Job:
    """A unit as it is sent.

    Attributes:
        place: Its place in the order of units.
        name: The digest of its inputs.
        sent: What is sent.
        size: The units of progress that it is worth.
    """

    place: int
    name: Digest
    sent: SentUnit
    size: int


@dataclass(frozen=True)
class Found(Generic[T]):
    """A result with the worker that computed it.

    Attributes:
        result: The result.
        worker: The worker's name.
        kind: All that decides the last bits there.
    """

    result: T
    worker: str
    kind: str


class PoolRun(Generic[T]):
    """The bookkeeping of one run; it starts and asks nothing itself."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        """Begin with every job open."""
        self.jobs = jobs
        self.checked = {j.place for j in jobs if is_checked(j.name)}
        self._open = deque(jobs)
        self._again: deque[Job] = deque()
        self._first: dict[int, Found[T]] = {}
        self._lost: Counter[int] = Counter()
        self._done: set[int] = set()

    @property
    def is_done(self) -> bool:
        """Whether every unit's result was given back."""
        return len(self._done) == len(self.jobs)

    def next_for(self, worker: str) -> Job | None:
        """Return the next job of a worker, and take it out; None for none.

        A unit of the fixed hundredth goes to a second worker, never to its first.
        """
        for job in [*self._again]:
            if self._first[job.place].worker != worker:
                self._again.remove(job)
                return job
        return self._open.popleft() if self._open else None

    def lost(self, job: Job, worker: str) -> None:
        """Put a job back whose worker died.

        Raises:
            WorkerError: Several workers died with it in turn.
        """
        self._lost[job.place] += 1
        if self._lost[job.place] >= MOST_LOST:
            raise WorkerError(
                f"{MOST_LOST} workers died in turn with unit {job.name[:12]}, the last "
                f"was {worker}",
                fix="they may lack memory: give fewer workers, or --dtype bfloat16",
            )
        (self._again if job.place in self._first else self._open).appendleft(job)

    def found(self, job: Job, found: Found[T]) -> Iterator[tuple[Job, Found[T]]]:
        """Take a result; yield it once it counts.

        Raises:
            WorkerError: Two workers disagree on a unit of the fixed hundredth.
        """
        first = self._first.pop(job.place, None)
        if job.place in self.checked and first is None:
            self._first[job.place] = found
            self._again.append(job)
            return
        yield job, self._counted(job, found if first is None else agreed(first, found))

    def unchecked(self) -> Iterator[tuple[Job, Found[T]]]:
        """Yield what waits for a second worker, where there is none."""
        for job in [*self._again]:
            yield job, self._counted(job, self._first.pop(job.place))
        self._again.clear()

    def _counted(self, job: Job, found: Found[T]) -> Found[T]:
        assert job.place not in self._done, f"unit {job.name} came back twice"
        self._done.add(job.place)
        return found


def agreed(one: Found[T], other: Found[T]) -> Found[T]:
    """Return the one of two results that counts, the same whoever came first.

    Raises:
        WorkerError: They disagree.
    """
    alike = one.kind == other.kind
    if why := disagreement(one.result, other.result, alike=alike):
        raise WorkerError(
            f"the workers {one.worker} and {other.worker} disagree on a unit: {why}",
            fix="one of the machines computes wrongly: leave it out, and run it again",
        )
    return min(one, replace(other), key=lambda each: each.kind)
