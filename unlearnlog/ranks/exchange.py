"""Bytes and tensors between the processes of one command.

Source:
    The processes find each other by Hugging Face accelerate and torch.distributed: gloo
    for tensors on the CPU, NCCL for those on GPUs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor

from unlearnlog.core.launch import n_launched
from unlearnlog.errors import UnlearnlogError, UsageError
from unlearnlog.models.components import Untyped

PATIENCE: Final = "UNLEARNLOG_RANK_TIMEOUT"
"""Environment variable: the longest wait for another process's share, in s."""

_PATIENCE: Final = 1800.0
_EVER: Final = timedelta(days=30)
_PAUSES: Final = (2e-4, 5e-3)
"""Shortest and longest time between two looks at a transfer, in s."""


class RankLost(UnlearnlogError):  # noqa: N818 - reads as what happened
    """Another process of the command ended, or does not answer."""


@dataclass
class Exchange:
    """A group of processes that take part in every transfer, in the same order.

    Attributes:
        rank: The number of this process.
        size: The number of processes.
        local: Its number on this machine, and so the number of its GPU.
        patience: The longest wait for the share of another process, in s.
        is_lost: Whether another process is gone, so that no transfer can follow.
    """

    rank: int
    size: int
    local: int
    patience: float
    is_lost: bool = False

    @classmethod
    def joined(cls) -> Exchange:
        """Join the processes that the launcher started.

        Raises:
            RankLost: They do not find each other.
            UsageError: The time to wait is no number.
        """
        patience = _patience()
        gpus = torch.cuda.is_available()
        try:
            if not dist.is_initialized():
                backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
                dist.init_process_group(backend, timeout=_EVER)
            state = PartialState(cpu=not gpus)
        except (RuntimeError, ValueError) as error:
            raise _lost(n_launched()) from error
        return cls(
            state.process_index,
            state.num_processes,
            state.local_process_index,
            patience,
        )

    def left(self) -> None:
        """Leave the group."""
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def told(self, message: bytes = b"") -> bytes:
        """Return a message of the main process; wait for it as long as it takes.

        Args:
            message: The message; in other processes nothing.
        """
        n = torch.tensor([len(message)])
        self._done(dist.broadcast(n, 0, async_op=True), is_bound=False)
        if not int(n):
            return b""
        content = _octets(message) if self.rank == 0 else _room(int(n))
        self._done(dist.broadcast(content, 0, async_op=True))
        return _message(content)

    def collected(self, message: bytes) -> list[bytes]:
        """Return the messages of all processes, in order, in every process."""
        lengths, padded, found = self._laid_out(message)
        if len(padded):
            self._done(dist.all_gather(found, padded, async_op=True))
        return _cut(found, lengths)

    def brought(self, message: bytes) -> list[bytes]:
        """Return the messages of all processes to the main one; elsewhere nothing."""
        lengths, padded, found = self._laid_out(message)
        into = found if self.rank == 0 else None
        if len(padded):
            self._done(dist.gather(padded, into, 0, async_op=True))
        return _cut(found, lengths) if self.rank == 0 else []

    def _laid_out(self, message: bytes) -> tuple[list[int], Tensor, list[Tensor]]:
        """Return all lengths, this message as long as the longest, and room for all."""
        mine = torch.tensor([len(message)])
        each = [torch.zeros_like(mine) for _ in range(self.size)]
        self._done(dist.all_gather(each, mine, async_op=True))
        lengths = [int(n) for n in each]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(message)] = _octets(message)
        return lengths, padded, [torch.empty_like(padded) for _ in lengths]

    def gathered(self, mine: Tensor, device: torch.device) -> list[Tensor]:
        """Return the tensors of all processes, in order, in every process.

        Args:
            mine: The tensor of this process, on the CPU.
            device: Where this process computes; GPUs exchange directly.
        """
        sent = mine.to(device).contiguous()
        found = [torch.empty_like(sent) for _ in range(self.size)]
        self._done(dist.all_gather(found, sent, async_op=True))
        return [each.to(mine.device) for each in found]

    def _done(self, work: Untyped, *, is_bound: bool = True) -> None:
        """Wait for a transfer; the main process can be interrupted meanwhile.

        Raises:
            RankLost: Another process ended, or the time is over.
        """
        begin, pause = time.monotonic(), _PAUSES[0]
        try:
            while self.rank == 0 and not work.is_completed():
                if is_bound and time.monotonic() - begin > self.patience:
                    self.is_lost = True
                    raise _late(self.size, self.patience)
                time.sleep(pause)
                pause = min(2 * pause, _PAUSES[1])
            work.wait()
        except RuntimeError as error:
            self.is_lost = True
            raise _lost(self.size) from error


def _patience() -> float:
    text = os.environ.get(PATIENCE, "")
    try:
        found = float(text or _PATIENCE)
    except ValueError:
        found = 0.0
    if not found > 0:
        raise UsageError(
            f"{PATIENCE} is '{text}'", fix="give a number of seconds, above 0"
        )
    return found


def _octets(message: bytes) -> Tensor:
    if not message:
        return _room(0)
    return torch.frombuffer(bytearray(message), dtype=torch.uint8)


def _room(n: int) -> Tensor:
    return torch.empty(n, dtype=torch.uint8)


def _cut(found: Sequence[Tensor], lengths: Sequence[int]) -> list[bytes]:
    """Return messages without what they were filled up with."""
    return [_message(each[:n]) for each, n in zip(found, lengths, strict=True)]


def _message(content: Tensor) -> bytes:
    return content.numpy().tobytes()


def _lost(size: int) -> RankLost:
    return RankLost(
        f"one of the {size} processes of this command ended or cannot be reached",
        fix="nothing was recorded; see what that process wrote, and run it again",
    )


def _late(size: int, patience: float) -> RankLost:
    return RankLost(
        f"one of the {size} processes of this command did not answer in {patience:g} s",
        fix="nothing was recorded; run it again, with fewer processes, or with "
        f"{PATIENCE}={2 * patience:g}",
    )
