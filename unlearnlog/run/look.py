"""Looking at a revision: paint it, or take it away as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.model import Painted
    from unlearnlog.policy import Policy
    from unlearnlog.run.place import Place


def paint(
    at: Place,
    prompt: str,
    revs: Sequence[str],
    *,
    seeds: Sequence[int],
    policy: Policy,
) -> list[Painted]:
    """Paint a prompt at several revisions from the same latents.

    Raises:
        RevisionError: A revision names nothing or more than one entry.
    """
    ids = [at.resolved(rev) for rev in revs]
    sampling = policy.painting()
    return [
        at.model.paint(
            [prompt] * len(seeds), seeds, sampling=sampling, weights=at.weights(entry)
        )
        for entry in ids
    ]


def checkout(at: Place, rev: str, folder: Path) -> None:
    """Write the model of a revision as a plain diffusers folder.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        ModelError: The folder exists and is not empty.
    """
    at.model.checkout(at.weights(at.resolved(rev)), folder)
