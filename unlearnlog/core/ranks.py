"""The processes that compute one command together: one of them, or the only one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Given = TypeVar("Given")
Made = TypeVar("Made")


class Ranks(Protocol):
    """One of several processes that compute together.

    Functions and values that go to other processes are pickled; the model, progress and
    the processes themselves are replaced by those of the process that receives them.
    """

    @property
    def rank(self) -> int:
        """The number of this process, from 0; the main process is 0."""
        ...

    @property
    def size(self) -> int:
        """The number of processes."""
        ...

    def mapped(
        self,
        function: Callable[[Given], Made],
        given: Sequence[Given],
        done: Callable[[int], None] | None = None,
    ) -> list[Made]:
        """Return a function's results, in order; each process computes its share.

        Args:
            function: A function of a module; it depends on its argument alone.
            given: Its arguments.
            done: Callback with the number of results so far.
        """
        ...

    def together(self, function: Callable[[Given, Ranks], Made], given: Given) -> Made:
        """Return the main process's result of a function that every process calls.

        An error in one process ends the function in all of them, and is raised.

        Args:
            function: A function of a module; with `gathered` it takes values from the
                other processes.
            given: Its first argument.
        """
        ...

    def keep(self, value: object) -> None:
        """Send a value to all processes now, so that later it is only named.

        Args:
            value: A value that does not change, such as a judge.
        """
        ...

    def gathered(self, mine: Tensor) -> list[Tensor]:
        """Return every process's tensor, in the order of their numbers.

        Args:
            mine: The tensor of this process; all have the same shape and dtype.
        """
        ...


@dataclass(frozen=True)
class OneProcess:
    """The only process of a command."""

    rank: int = 0
    size: int = 1

    def mapped(
        self,
        function: Callable[[Given], Made],
        given: Sequence[Given],
        done: Callable[[int], None] | None = None,
    ) -> list[Made]:
        """Return a function's results, in order."""
        made = []
        for each in given:
            made.append(function(each))
            if done is not None:
                done(len(made))
        return made

    def together(self, function: Callable[[Given, Ranks], Made], given: Given) -> Made:
        """Return a function's result."""
        return function(given, self)

    def keep(self, value: object) -> None:
        """Do nothing."""

    def gathered(self, mine: Tensor) -> list[Tensor]:
        """Return the tensor alone."""
        return [mine]
