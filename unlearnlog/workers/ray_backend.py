"""Workers as Ray's actors: on this machine alone, or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

from unlearnlog.core.worker_choice import WorkerChoice
from unlearnlog.errors import UsageError
from unlearnlog.workers.backend import Ticket, WorkerHandle, WorkerLost
from unlearnlog.workers.unit_worker import ModelSource, SentUnit, UnitWorker

_MANY: Final = 64
"""Answers that are taken at once."""


def _ray() -> Any:  # noqa: ANN401 - Ray is optional, and its types with it
    """Return the module, which reports nothing to its makers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # they are the command itself
    import ray

    return ray


class RayBackend:
    """Actors with the threads, or with the GPU, of one worker each.

    Attributes:
        choice: Where, and how many.
        source: How each loads the model.
    """

    def __init__(self, choice: WorkerChoice, source: ModelSource) -> None:
        """Connect to nothing yet."""
        self.choice, self.source = choice, source
        self._is_open = False

    @property
    def label(self) -> str:
        """What provenance calls it."""
        return f"ray {_ray().__version__}"

    @property
    def _on_gpu(self) -> bool:
        return self.source.device == "cuda"

    def open(self) -> int:
        """Connect, or start Ray on this machine, and return the number of workers.

        Raises:
            UsageError: The cluster cannot be reached, or has no room for a worker.
        """
        ray = _ray()
        try:
            ray.init(**self._options())
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise UsageError(
                f"the workers '{self.choice.address or 'ray'}' cannot be reached: "
                f"{str(error).splitlines()[0]}",
                fix="see whether the cluster is up: ray status",
            ) from error
        self._is_open = True
        resources = ray.cluster_resources()
        each = 1 if self._on_gpu else self.source.threads
        room = int(resources.get("GPU" if self._on_gpu else "CPU", 0) // each)
        room = min(room, self.choice.n) if self.choice.n else room
        if room < 1:
            what = "GPU" if self._on_gpu else f"{each} CPUs"
            raise UsageError(
                f"there is no room for a worker: each needs {what}, and Ray has "
                f"{resources.get('GPU', 0):g} GPUs and {resources.get('CPU', 0):g} "
                "CPUs",
                fix="compute on the cpu: --device cpu, or export OMP_NUM_THREADS=1",
            )
        return room

    def _options(self) -> dict[str, Any]:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.choice.address:
            return {"address": self.choice.address, **quiet}
        if os.environ.get("RAY_ADDRESS"):
            return quiet  # Ray reads it
        own: dict[str, Any] = {"address": "local", "include_dashboard": False}
        if self.choice.n and not self._on_gpu:
            own["num_cpus"] = self.choice.n * self.source.threads
        return {**own, **quiet}

    def start(self) -> WorkerHandle:
        """Start an actor; it loads its model when its identity is asked for."""
        return _RayWorker(self.source, on_gpu=self._on_gpu)

    def share(self, value: object) -> object:
        """Return a reference: the value is stored once and read by every actor."""
        return _ray().put(value)

    def wait(self, tickets: Collection[Ticket], seconds: float) -> list[Ticket]:
        """Return tickets that are answered; none when the time is over."""
        ray, asked = _ray(), [*tickets]
        ready, rest = ray.wait(asked, num_returns=1, timeout=seconds)
        if rest:  # whatever else is there already
            more, _ = ray.wait(rest, num_returns=min(_MANY, len(rest)), timeout=0)
            ready += more
        return [*ready]

    def answer(self, ticket: Ticket) -> object:
        """Return an answer.

        Raises:
            WorkerLost: The actor or its machine is gone.
            Exception: The error that it raised.
        """
        ray = _ray()
        try:
            return ray.get(ticket)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise WorkerLost(str(error).splitlines()[0]) from error

    def close(self) -> None:
        """End every actor and the connection."""
        if self._is_open:
            self._is_open = False
            _ray().shutdown()


class _RayWorker:
    """One actor."""

    def __init__(self, source: ModelSource, *, on_gpu: bool) -> None:
        options: dict[str, Any] = {"num_cpus": source.threads, "max_restarts": 0}
        if on_gpu:
            options["num_gpus"] = 1
        self._actor = _ray().remote(UnitWorker).options(**options).remote(source)

    @property
    def name(self) -> str:
        """The actor's id; `identity` knows its machine."""
        return f"actor {self._actor._actor_id.hex()[:12]}"

    def identity(self) -> Ticket:
        """Ask what it computes with."""
        ticket: Ticket = self._actor.identity.remote()
        return ticket

    def hold_state(self, digest: str, shared: object) -> None:
        """Give it the weights of a state."""
        self._actor.hold_state.remote(digest, shared)

    def hold_judge(self, shared: object) -> Ticket:
        """Give it a judge, and ask for the judge's identity there."""
        ticket: Ticket = self._actor.hold_judge.remote(shared)
        return ticket

    def compute(self, sent: SentUnit) -> Ticket:
        """Ask for the result of a unit."""
        ticket: Ticket = self._actor.compute.remote(sent)
        return ticket

    def stop(self) -> None:
        """Kill it."""
        with suppress(Exception):  # it may be gone
            _ray().kill(self._actor)
