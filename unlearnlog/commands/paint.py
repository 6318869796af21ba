"""``paint`` and ``checkout``: a revision's pictures, and its model as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.commands.model_card import card
from unlearnlog.commands.model_signing import sign_folder
from unlearnlog.core.progress import NoProgress, counted
from unlearnlog.ledger.drafts import new_folder

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.progress import Progress
    from unlearnlog.models.interface import Painted
    from unlearnlog.policy import Policy


def paint(
    at: Session,
    prompt: str,
    revs: Sequence[str],
    *,
    seeds: Sequence[int],
    policy: Policy,
    watch: Progress | None = None,
) -> list[Painted]:
    """Paint a prompt at several revisions from the same latents.

    Raises:
        RevisionError: A revision names nothing or more than one entry.
    """
    ids = [at.resolved(rev) for rev in revs]
    sampling, watch = policy.painting(), watch or NoProgress()
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


def checkout(at: Session, rev: str, folder: Path, *, key: Path | None = None) -> None:
    """Write the model of a revision as a plain diffusers folder.

    Args:
        at: The session.
        rev: The revision.
        folder: The new folder.
        key: A private key that signs the folder; None for no signature.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        ModelError: The folder exists and is not empty.
    """
    entry = at.resolved(rev)
    weights, text = at.weights(entry), entry and card(at, entry)
    with at.the_ledger().giving(folder.parent):
        if key is None:
            at.model.checkout(weights, folder, card=text)
            return
        with new_folder(folder) as building:
            at.model.checkout(weights, building, card=text)
            sign_folder(building, key)
