"""Executors of units: the protocol, and the one of this process."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import torch

from unlearnlog.core.progress import Progress, counted
from unlearnlog.workers.work_unit import Workbench, WorkUnit

if TYPE_CHECKING:
    from unlearnlog.models.diffusers_model import DiffusersModel

T = TypeVar("T")

COMPUTED_BY: Final = "computed_by"
"""Key of an entry's provenance for who computed its units."""


class Executor(Protocol):
    """Whatever computes units."""

    @property
    def several(self) -> bool:
        """Whether units are computed side by side."""
        ...

    def computed(
        self, units: Sequence[WorkUnit[T]], bench: Workbench, watch: Progress
    ) -> Iterator[tuple[int, T]]:
        """Yield the place and the result of each unit once, in the order they end."""
        ...

    def provenance(self) -> Mapping[str, str]:
        """Return what an entry records of who computed; empty for this process."""
        ...

    def close(self) -> None:
        """End what was started; a later unit starts it again."""
        ...


@dataclass(frozen=True)
class LocalExecutor:
    """This process, which computes one unit after another."""

    several: bool = False

    def computed(
        self, units: Sequence[WorkUnit[T]], bench: Workbench, watch: Progress
    ) -> Iterator[tuple[int, T]]:
        """Yield the place and the result of each unit, in their order."""
        for place, unit in enumerate(units):
            yield place, unit.computed(bench, counted(watch))

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the machine of an entry is this one."""
        return {}

    def close(self) -> None:
        """Do nothing."""


HERE: Final = LocalExecutor()
"""The executor without workers."""


def in_order(
    found: Iterator[tuple[int, T]], keep: Callable[[int, T], None] | None = None
) -> list[T]:
    """Return the results in the units' order.

    Args:
        found: Places and results, in any order.
        keep: Receives each place and result as it comes.
    """
    results = {}
    for place, result in found:
        if keep is not None:
            keep(place, result)
        results[place] = result
    return [results[place] for place in sorted(results)]


def kind_of(model: DiffusersModel) -> str:
    """Return what decides the last bits of a model's results beside its inputs.

    Device, dtype, processor, threads and torch's version: between two of a kind,
    results are equal to the bit.
    """
    on_cpu = model.device.type == "cpu"
    where = (
        f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} threads"
        if on_cpu
        else torch.cuda.get_device_name(model.device)
        if model.device.type == "cuda"
        else model.device.type
    )
    return f"{model.computes}, {where}, torch {torch.__version__}"
