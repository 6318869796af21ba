"""The protocol of what runs workers: Ray, or threads of a test."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from unlearnlog.workers.unit_worker import SentUnit

Ticket = Hashable
"""What stands for an answer that is awaited."""


class WorkerLost(Exception):  # noqa: N818 - reads as what happened
    """A worker that died before it answered."""


class WorkerHandle(Protocol):
    """A worker, as the driver holds it; each call returns at once."""

    @property
    def name(self) -> str:
        """What messages call it: its machine and its process."""
        ...

    def identity(self) -> Ticket:
        """Ask what it computes with: a `WorkerIdentity`."""
        ...

    def hold_state(self, digest: str, shared: object) -> None:
        """Give it the weights of a state."""
        ...

    def hold_judge(self, shared: object) -> Ticket:
        """Give it a judge, and ask for the judge's identity there."""
        ...

    def compute(self, sent: SentUnit) -> Ticket:
        """Ask for the result of a unit."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Backend(Protocol):
    """Whatever starts workers and carries their answers."""

    @property
    def label(self) -> str:
        """What provenance calls it."""
        ...

    def open(self) -> int:
        """Connect, and return the number of workers there is room for.

        Raises:
            UsageError: It cannot be reached, or has no room.
        """
        ...

    def start(self) -> WorkerHandle:
        """Start a worker."""
        ...

    def share(self, value: object) -> object:
        """Return what stands for a value that several workers are sent."""
        ...

    def wait(self, tickets: Collection[Ticket], seconds: float) -> list[Ticket]:
        """Return tickets that are answered; none when the time is over."""
        ...

    def answer(self, ticket: Ticket) -> object:
        """Return an answer.

        Raises:
            WorkerLost: The worker died.
            Exception: The error that it was answered with.
        """
        ...

    def close(self) -> None:
        """End every worker and the connection."""
        ...
