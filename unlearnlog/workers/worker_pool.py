"""The executor over workers: starts, checks, feeds and replaces them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch

from unlearnlog.core.delta import state_digest
from unlearnlog.errors import WorkerError
from unlearnlog.workers.backend import Backend, Ticket, WorkerHandle, WorkerLost
from unlearnlog.workers.executor import COMPUTED_BY, HERE
from unlearnlog.workers.pool_run import Found, Job, PoolRun
from unlearnlog.workers.recently_used import RecentlyUsed
from unlearnlog.workers.unit_worker import N_STATES, SentUnit, packed, without_model
from unlearnlog.workers.work_unit import BenchDigests, Workbench, WorkUnit, name_of
from unlearnlog.workers.worker_identity import WorkerIdentity

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.progress import Progress
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.interface import Model

T = TypeVar("T")

START_SECONDS: Final = 900.0
"""Longest wait for a first worker; a model of full size loads in minutes."""

MOST_DEATHS: Final = 20
"""Workers that may die in a row before any unit comes back."""


@dataclass
class _Hand:
    """A worker, and what it was given.

    Attributes:
        worker: The worker.
        kind: All that decides the last bits there; empty until it was checked.
        states: Digests of the states that it holds.
        judges: Identities of the judges that it holds.
        asked: Identity of the judge that it is asked for; empty for none.
        job: What it computes; None for nothing.
    """

    worker: WorkerHandle
    kind: str = ""
    states: RecentlyUsed[None] = field(default_factory=lambda: RecentlyUsed(N_STATES))
    judges: set[str] = field(default_factory=set)
    asked: str = ""
    job: Job | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it was checked and nothing is asked of it."""
        return bool(self.kind) and not self.asked and self.job is None


@dataclass(frozen=True)
class _Supplies:
    """What the jobs of a run need beside themselves.

    Attributes:
        weights: The weights of each place; None for the base's.
        judge: The judge; None for none.
    """

    weights: Sequence[Weights | None]
    judge: Judge | None


class WorkerPool:
    """Workers that hold one model, fed with units; only results come back.

    Attributes:
        model: The driver's own model, which every worker must have.
        wanted: What a worker must compute with.
        refused: What differs, by the name of each refused worker.
        deaths: Number of workers that died.
    """

    several = True

    def __init__(self, backend: Backend, model: Model, wanted: WorkerIdentity) -> None:
        """Start nothing yet."""
        self.model, self.wanted = model, wanted
        self.refused: dict[str, str] = {}
        self.deaths = 0
        self._backend, self._room = backend, 0
        self._hands: list[_Hand] = []
        self._tickets: dict[Ticket, _Hand] = {}
        self._shared: RecentlyUsed[object] = RecentlyUsed(N_STATES + 2)
        self._known: list[tuple[Weights, Digest]] = []
        self._counts: Counter[str] = Counter()
        self._in_a_row = 0

    def computed(
        self, units: Sequence[WorkUnit[T]], bench: Workbench, watch: Progress
    ) -> Iterator[tuple[int, T]]:
        """Yield the place and the result of each unit once, in the order they end.

        A model that the workers do not hold, such as a twin, computes here.

        Raises:
            WorkerError: No worker is left, or two of them disagree.
        """
        if bench.model is not self.model:
            yield from HERE.computed(units, bench, watch)
            return
        try:
            yield from self._run(units, bench, watch)
        except BaseException:
            self.close()  # an error or Ctrl-C ends the job
            raise

    def provenance(self) -> Mapping[str, str]:
        """Return what computed the units so far: their number by kind of worker."""
        if not self._counts:
            return {}
        kinds = "; ".join(f"{n} on {kind}" for kind, n in sorted(self._counts.items()))
        refused = f"; {len(self.refused)} workers refused" if self.refused else ""
        return {COMPUTED_BY: f"{self._backend.label}, units: {kinds}{refused}"}

    def close(self) -> None:
        """End every worker; a later unit starts new ones."""
        self._hands, self._tickets, self._room = [], {}, 0
        self._shared = RecentlyUsed(N_STATES + 2)
        self._backend.close()

    def _run(
        self, units: Sequence[WorkUnit[T]], bench: Workbench, watch: Progress
    ) -> Iterator[tuple[int, T]]:
        run: PoolRun[T] = PoolRun(self._jobs(units, bench))
        supplies = _Supplies([unit.weights for unit in units], bench.judge)
        while not run.is_done:
            self._staff(len(units))
            for hand in self._hands:
                if hand.is_idle:
                    self._feed(hand, run, supplies)
            ready = [*(self._settled(run) if self._awaits else run.unchecked())]
            for job, found in ready:
                self._counts[found.kind] += 1
                watch.advance(job.size, {})
                yield job.place, found.result

    @property
    def _awaits(self) -> bool:
        """Whether anything will come: not where only a second worker is missing."""
        at_work = any(hand.job or hand.asked for hand in self._hands)
        return at_work or not any(hand.kind for hand in self._hands)

    def _jobs(self, units: Sequence[WorkUnit[T]], bench: Workbench) -> list[Job]:
        """Return the units as they are sent, named by their content."""
        judge = bench.judge.identity if bench.judge else ""
        computes = str(getattr(self.model, "computes", ""))
        jobs = []
        for place, unit in enumerate(units):
            state = self._state(unit.weights or {})
            bare: Any = unit
            sent = SentUnit(
                replace(bare, weights=None),
                state="" if unit.weights is None else state,
                judge=judge,
            )
            name = name_of(unit, BenchDigests(state, judge, computes))
            jobs.append(Job(place, name, sent, unit.size))
        return jobs

    def _state(self, weights: Weights) -> Digest:
        """Return the digest of a state; those of the last few are remembered."""
        for known, digest in self._known:
            if known is weights:
                return digest
        base = self.model.base
        changed = {
            name: tensor
            for name, tensor in weights.items()
            if name not in base or not torch.equal(tensor, base[name])
        }
        digest = state_digest(changed, self.wanted.base)
        self._known = [(weights, digest), *self._known][: N_STATES + 2]
        return digest

    def _staff(self, n_jobs: int) -> None:
        """Start workers, as many as there is room and work for.

        Raises:
            WorkerError: There is no room for any, or each one was refused or died.
        """
        if self._room == 0:
            self._room = self._backend.open()
        while len(self._hands) < min(self._room, n_jobs):
            hand = _Hand(self._backend.start())
            self._hands.append(hand)
            self._tickets[hand.worker.identity()] = hand

    def _feed(self, hand: _Hand, run: PoolRun[T], supplies: _Supplies) -> None:
        """Give an idle worker the judge, or its next unit with the state of it."""
        wanted = run.jobs[0].sent.judge
        if supplies.judge is not None and wanted not in hand.judges:
            judge = supplies.judge
            shared = self._share(wanted, lambda: without_model(judge))
            hand.asked = wanted
            self._tickets[hand.worker.hold_judge(shared)] = hand
            return
        job = run.next_for(hand.worker.name)
        if job is None:
            return
        state, weights = job.sent.state, supplies.weights[job.place]
        if state and weights is not None:
            if state not in hand.states:
                shared = self._share(state, lambda: packed(weights))
                hand.worker.hold_state(state, shared)
            hand.states.put(state, None)
        hand.job = job
        self._tickets[hand.worker.compute(job.sent)] = hand

    def _share(self, key: str, value: Callable[[], object]) -> object:
        """Return what stands for a value on all workers; made once."""
        if key not in self._shared:
            self._shared.put(key, self._backend.share(value()))
        return self._shared.used(key)

    def _settled(self, run: PoolRun[T]) -> Iterator[tuple[Job, Found[T]]]:
        """Wait for answers, and yield the results among them that count now.

        Raises:
            WorkerError: No worker has started in time, or none is left.
        """
        ready = self._backend.wait([*self._tickets], START_SECONDS)
        if not ready and not any(hand.kind for hand in self._hands):
            raise WorkerError(
                f"no worker has started within {START_SECONDS:.0f} s",
                fix="see whether the cluster has room: ray status",
            )
        for ticket in ready:
            hand = self._tickets.pop(ticket)
            try:
                answer = self._backend.answer(ticket)
            except WorkerLost as error:
                self._bury(hand, run, str(error))
            except Exception as error:
                if hand.kind:
                    raise
                self._refuse(hand, str(error).splitlines()[0])
            else:
                yield from self._taken(hand, answer, run)

    def _taken(
        self,
        hand: _Hand,
        answer: Any,  # noqa: ANN401 - of any unit
        run: PoolRun[T],
    ) -> Iterator[tuple[Job, Found[T]]]:
        """Take an answer: an identity, a judge's, or the result of a unit."""
        if not hand.kind:
            if why := answer.differs_from(self.wanted):
                self._refuse(hand, why)
            else:
                hand.kind = answer.kind
        elif hand.asked:
            if answer == hand.asked:
                hand.judges.add(answer)
                hand.asked = ""
            else:
                self._refuse(hand, f"its judge is {answer[-12:]}, here {hand.asked}")
        elif hand.job is not None:
            job, hand.job, self._in_a_row = hand.job, None, 0
            yield from run.found(job, Found(answer, hand.worker.name, hand.kind))

    def _refuse(self, hand: _Hand, why: str) -> None:
        """Leave a worker out for good.

        Raises:
            WorkerError: It was the last one.
        """
        self.refused[hand.worker.name] = why
        self._hands.remove(hand)
        hand.worker.stop()
        self._room -= 1
        if self._room == 0:
            raise WorkerError(
                "every worker is refused: "
                + "; ".join(f"{name}: {why}" for name, why in self.refused.items()),
                fix="install the same unlearnlog there, and put the model at the same "
                "path",
            )

    def _bury(self, hand: _Hand, run: PoolRun[T], why: str) -> None:
        """Take out a worker that died; another one is started for it.

        Raises:
            WorkerError: Too many died in a row, or with the same unit.
        """
        self._hands.remove(hand)
        self.deaths, self._in_a_row = self.deaths + 1, self._in_a_row + 1
        if hand.job is not None:
            run.lost(hand.job, hand.worker.name)
        if self._in_a_row >= MOST_DEATHS:
            raise WorkerError(
                f"{self._in_a_row} workers died in a row, the last was "
                f"{hand.worker.name}: {why}",
                fix="see Ray's log on that machine; give fewer workers if memory is "
                "short",
            )
