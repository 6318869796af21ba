"""The executor of units by the processes of one command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from unlearnlog.core.worker_choice import WorkerChoice
from unlearnlog.errors import UsageError
from unlearnlog.workers.executor import COMPUTED_BY
from unlearnlog.workers.opening import executor_for

if TYPE_CHECKING:
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.ranks import Ranks
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.workers.executor import Executor
    from unlearnlog.workers.work_unit import Workbench, WorkUnit

T = TypeVar("T")

_EACH: Final = 2
"""Units of one process between two times that results are brought together."""


@dataclass(frozen=True)
class RanksExecutor:
    """Several processes, of which each computes every so many units.

    Attributes:
        ranks: The processes.
        several: Whether units are computed side by side.
    """

    ranks: Ranks
    several: bool = True

    def computed(
        self, units: Sequence[WorkUnit[T]], bench: Workbench, watch: Progress
    ) -> Iterator[tuple[int, T]]:
        """Yield the place and the result of each unit, in their order.

        Raises:
            RankLost: A process ended, or does not answer.
        """
        if bench.judge is not None:
            self.ranks.keep(bench.judge)
        at_once = _EACH * self.ranks.size
        for begin in range(0, len(units), at_once):
            some = units[begin : begin + at_once]
            results = self.ranks.mapped(partial(_computed, bench), some)
            watch.advance(sum(unit.size for unit in some), {})
            yield from enumerate(results, start=begin)

    def provenance(self) -> Mapping[str, str]:
        """Return the number of processes, as an entry records it."""
        return {COMPUTED_BY: f"{self.ranks.size} processes"}

    def close(self) -> None:
        """Do nothing: the processes end with the command."""


def executor_of(ranks: Ranks, workers: str, model: DiffusersModel) -> Executor:
    """Return whoever computes the units of a command.

    Args:
        ranks: The processes of the command.
        workers: What ``--workers`` says; empty for nothing.
        model: The loaded model.

    Raises:
        UsageError: There are several processes, and workers beside them.
    """
    if ranks.size == 1:
        return executor_for(workers, model)
    if WorkerChoice.of(workers) is not None:
        raise UsageError(
            f"a launcher started {ranks.size} processes, and the workers '{workers}' "
            "would compute the same",
            fix="leave --workers out, or start one process",
        )
    return RanksExecutor(ranks)


def _computed(bench: Workbench, unit: WorkUnit[T]) -> T:
    """Return the result of a unit, without progress."""
    return unit.computed(bench, _ignored)


def _ignored(_: int) -> None:
    pass
