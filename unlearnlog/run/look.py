"""Looking at a revision: paint it, or take it away as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.run.card import card
from unlearnlog.watch import Unwatched, counted

if TYPE_CHECKING:
    from unlearnlog.model import Painted
    from unlearnlog.policy import Policy
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


def paint(
    at: Place,
    prompt: str,
    revs: Sequence[str],
    *,
    seeds: Sequence[int],
    policy: Policy,
    watch: Watch | None = None,
) -> list[Painted]:
    """Paint a prompt at several revisions from the same latents.

    Raises:
        RevisionError: A revision names nothing or more than one entry.
    """
    ids = [at.resolved(rev) for rev in revs]
    sampling, watch = policy.painting(), watch or Unwatched()
    rows = []
    for rev, entry in zip(revs, ids, strict=True):
        watch.stage(f"painting {rev}", len(seeds))
        done = counted(watch)
        rows.append(
            at.model.paint(
                [prompt] * len(seeds),
                seeds,
                sampling=sampling,
                weights=at.weights(entry),
                progress=done,
            )
        )
    return rows


def checkout(at: Place, rev: str, folder: Path) -> None:
    """Write the model of a revision as a plain diffusers folder.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        ModelError: The folder exists and is not empty.
    """
    entry = at.resolved(rev)
    weights, said = at.weights(entry), entry and card(at, entry)
    with at.the_ledger().giving(folder.parent):
        at.model.checkout(weights, folder, card=said)
