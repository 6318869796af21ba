"""The executor that a choice of workers names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from unlearnlog.core.worker_choice import WorkerChoice
from unlearnlog.workers.executor import HERE, Executor, kind_of
from unlearnlog.workers.worker_identity import WorkerIdentity

if TYPE_CHECKING:
    from unlearnlog.models.diffusers_model import DiffusersModel


def executor_for(text: str, model: DiffusersModel) -> Executor:
    """Return the executor of a choice of workers; nothing is started yet.

    This process is set to the threads of a worker, so that what it computes itself, an
    erasure, and what caches are keyed by are those of the workers.

    Args:
        text: As ``--workers`` takes it.
        model: The loaded model, which every worker is to hold.

    Raises:
        UsageError: The text is no choice.
    """
    choice = WorkerChoice.of(text)
    if choice is None:
        return HERE
    from unlearnlog.workers.ray_backend import RayBackend
    from unlearnlog.workers.unit_worker import ModelSource
    from unlearnlog.workers.worker_pool import WorkerPool

    threads = choice.threads(_cores())
    torch.set_num_threads(threads)
    wanted = WorkerIdentity.of(model.manifest.root, threads, kind_of(model))
    return WorkerPool(RayBackend(choice, ModelSource.of(model, threads)), model, wanted)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
