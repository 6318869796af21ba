"""The processes of one command: the main one gives orders, the others follow them.

The main process runs the command as if it were alone. It alone reads what was typed,
opens the ledger, prints and records. Each of the others waits for an order, computes
its share, and waits for the next.
"""

from __future__ import annotations

import json
import pickle
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, final

import torch
from torch import Tensor

from unlearnlog.core.provenance import versions
from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.errors import UnlearnlogError, UsageError
from unlearnlog.ranks.exchange import Exchange, RankLost
from unlearnlog.ranks.parcel import Unpacker, packed

Given = TypeVar("Given")
Made = TypeVar("Made")

_MAP, _TOGETHER, _KEEP = "map", "together", "keep"

MEMORY: Final = (torch.OutOfMemoryError, MemoryError)
"""What is raised where memory runs out."""


@final
class LaunchedRanks:
    """One of several processes that a launcher started.

    Attributes:
        device: Where this process computes, for transfers between GPUs.
    """

    def __init__(self, exchange: Exchange) -> None:
        """Compare the processes.

        Raises:
            UsageError: Another process has other versions or numbers of threads.
        """
        self.device = torch.device("cpu")
        self._exchange = exchange
        self._is_within = exchange.rank > 0  # a function of an order gives none
        self._is_known = False
        self._kept: list[object] = []
        self._unpacker = Unpacker(self, exchange.local)
        _compare(exchange)

    @property
    def rank(self) -> int:
        """The number of this process."""
        return self._exchange.rank

    @property
    def size(self) -> int:
        """The number of processes."""
        return self._exchange.size

    def mapped(
        self,
        function: Callable[[Given], Made],
        given: Sequence[Given],
        done: Callable[[int], None] | None = None,
    ) -> list[Made]:
        """Return a function's results, in order; each process computes its share.

        Within `together` this process computes all of them.

        Raises:
            RankLost: A process ended, or does not answer.
        """
        if self._is_within or len(given) < 2:
            return _all(function, given, done)
        self._order(_MAP, function, list(given))

        def count(n: int) -> None:
            if done is not None:
                done(min(n * self.size, len(given)))

        with self._within():
            shares = self._brought(lambda: _all(function, given[:: self.size], count))
        count(len(given))
        return [shares[i % self.size][i // self.size] for i in range(len(given))]

    def together(self, function: Callable[[Given, Ranks], Made], given: Given) -> Made:
        """Return the main process's result of a function that every process calls.

        Raises:
            RankLost: A process ended, or does not answer.
        """
        if self._is_within:
            return function(given, self)
        self._order(_TOGETHER, function, given)
        with self._within():
            return self._agreed(lambda: function(given, self))

    def keep(self, value: object) -> None:
        """Send a value to all processes now, so that later it is only named."""
        if self._is_within or any(value is each for each in self._kept):
            return
        self._order(_KEEP, None, value)
        self._agreed(lambda: self._kept.append(value))

    def gathered(self, mine: Tensor) -> list[Tensor]:
        """Return every process's tensor, in the order of their numbers."""
        self._meet(None)
        return self._exchange.gathered(mine, self.device)

    def follow(self) -> None:
        """Compute what the main process orders, until it ends the command.

        Raises:
            RankLost: The main process ended without a word, or another one did.
        """
        while order := self._exchange.told():
            try:
                kind, act = self._read(order)
                self._brought(act) if kind == _MAP else self._agreed(act)
            except RankLost:
                raise
            except Exception:  # the main process reports it
                continue

    def end(self) -> None:
        """End the command in all processes."""
        if self._exchange.is_lost:
            return
        if self.rank == 0:
            self._exchange.told(b"")
        self._exchange.left()

    def _order(self, kind: str, function: object, given: object) -> None:
        self._exchange.told(packed((kind, function, given), self._kept))

    @contextmanager
    def _within(self) -> Iterator[None]:
        """Give no orders while the function of one is called."""
        self._is_within = True
        try:
            yield
        finally:
            self._is_within = False

    def _read(self, order: bytes) -> tuple[str, Callable[[], Any]]:
        """Return the kind of an order and what this process computes for it."""
        try:
            kind, function, given = self._unpacker.unpacked(order)
        except Exception as error:
            self._meet(error)
            raise
        if kind == _KEEP:
            return kind, lambda: self._unpacker.kept.append(given)
        if kind == _MAP:
            mine = given[self.rank :: self.size]
            return kind, lambda: _all(function, mine, None)
        return kind, lambda: function(given, self)

    def _brought(self, act: Callable[[], list[Any]]) -> list[list[Any]]:
        """Return the results of all processes to the main one; elsewhere nothing."""
        made = self._agreed(act)
        return [pickle.loads(each) for each in self._exchange.brought(packed(made))]

    def _agreed(self, act: Callable[[], Made]) -> Made:
        """Return this process's result once all have one.

        Raises:
            Exception: The error of this process, or else that of the first that failed.
        """
        self._is_known = False
        try:
            made = act()
        except RankLost:
            raise
        except Exception as error:
            if not self._is_known:
                self._meet(error)
            raise
        self._meet(None)
        return made

    def _meet(self, error: Exception | None) -> None:
        """Wait for all processes, and tell each other of errors.

        Raises:
            Exception: The error of another process, where this one has none.
        """
        mine = b"" if error is None else pickle.dumps(_told(error, self))
        found = [each for each in self._exchange.collected(mine) if each]
        if found:
            self._is_known = True
        if found and error is None:
            other: Exception = pickle.loads(found[0])
            raise other


def _all(
    function: Callable[[Given], Made],
    given: Sequence[Given],
    done: Callable[[int], None] | None,
) -> list[Made]:
    return OneProcess().mapped(function, given, done)


def _told(error: Exception, ranks: Ranks) -> Exception:
    """Return an error as the other processes report it."""
    where = f"process {ranks.rank} of {ranks.size} on {platform.node()}"
    if isinstance(error, UnlearnlogError):
        return type(error)(f"{where}: {error.message}", fix=error.fix)
    if isinstance(error, MEMORY):
        return type(error)(f"{where}: {error}")
    return RuntimeError(f"{where}: {type(error).__name__}: {error}")


def _compare(exchange: Exchange) -> None:
    """Refuse processes that would compute other bits.

    Raises:
        UsageError: Names the process and what is different there.
    """
    mine = {**versions(), "threads": str(torch.get_num_threads())}
    seen = exchange.collected(json.dumps([platform.node(), mine]).encode())
    first, *others = [json.loads(each) for each in seen]
    for i, (host, about) in enumerate(others, start=1):
        for name, value in first[1].items():
            if about.get(name) != value:
                raise UsageError(
                    f"process {i} of {exchange.size} on {host} has {name} "
                    f"{about.get(name)}, the main process {value}",
                    fix="install the same versions everywhere, and set "
                    "OMP_NUM_THREADS to the same number",
                )
