"""One command in the processes that accelerate or torchrun started for it."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from unlearnlog.core.launch import n_launched
from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.errors import UnlearnlogError, UsageError
from unlearnlog.ranks.exchange import Exchange, RankLost
from unlearnlog.ranks.launched_ranks import LaunchedRanks

_JOINED: list[LaunchedRanks] = []


def known_ranks(device: torch.device) -> Ranks:
    """Return the processes of this command; one where no launcher started more.

    Args:
        device: The device of the main process; each other one has its own.

    Raises:
        UsageError: One GPU is named for several processes.
    """
    if not _JOINED:
        return OneProcess()
    ranks = _JOINED[0]
    if device.index:
        raise UsageError(
            f"{ranks.size} processes cannot share the device '{device}'",
            fix=f"give --device {device.type}: each process takes its own",
        )
    ranks.device = device
    return ranks


@contextmanager
def shared() -> Iterator[None]:
    """Join the other processes for the time of a command; end them with it.

    Only the main process returns from here; the others follow its orders and exit.

    Raises:
        RankLost: They do not find each other.
        UsageError: Processes have other versions or numbers of threads.
    """
    if n_launched() == 1:
        yield
        return
    if os.environ["RANK"] != "0":
        _follow()
    signal.signal(signal.SIGTERM, _ended)
    ranks = LaunchedRanks(Exchange.joined())
    _JOINED.append(ranks)
    try:
        yield
    except (RankLost, KeyboardInterrupt):
        raise
    except BaseException:
        ranks.end()
        raise
    else:
        ranks.end()
    finally:
        _JOINED.clear()


def _follow() -> None:
    """Follow the main process's orders, and exit; nothing is written."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        ranks = LaunchedRanks(Exchange.joined())
        ranks.follow()
        ranks.end()
    except UnlearnlogError:  # the main process reports it, or has ended
        os._exit(1)
    os._exit(0)  # nothing of it is to be flushed or removed


def _ended(_: int, __: FrameType | None) -> None:
    """Report that the launcher ends this process, as it does when another one fails."""
    raise RankLost(
        "the launcher ended this command: another of its processes failed, or the job "
        "was stopped",
        fix="nothing was recorded; see what that process wrote, and run it again",
    )
