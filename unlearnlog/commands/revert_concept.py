"""``revert --concept``: one concept of an entry given back, the others erased again.

The whole entry is left out, and its other concepts are erased again on the result, by
the same eraser. A joint eraser yields the bits that it would have without the concept;
a trained change is one for all of its concepts and cannot be split, so the others are
trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from unlearnlog.commands import add
from unlearnlog.commands.retry import until_recorded
from unlearnlog.commands.revert import (
    Reverted,
    RevertRequest,
    drafted,
    order_again,
    revert,
    wanted,
)
from unlearnlog.commands.revert import stale_after as stale
from unlearnlog.commands.stacked import StackedSession
from unlearnlog.errors import ConceptError, UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry


def give_back(at: Session, request: RevertRequest, names: Sequence[str]) -> Reverted:
    """Leave some of an entry's concepts out, and erase its others again.

    Args:
        at: The session, with its ledger and model.
        request: The entry, and the policy.
        names: The concepts to give back.

    Returns:
        The entry that leaves the old one out, and the new one on top of it.

    Raises:
        UsageError: Several entries are named, or one that cannot be repeated here.
        ConceptError: The entry did not erase a concept.
        Refused: The policy refuses the erasure computed again; nothing is recorded.
    """
    if len(request.revs) != 1:
        raise UsageError(
            "--concept gives a concept back out of one entry, not of "
            f"{len(request.revs)}",
            fix="name one entry: unlearnlog log lists them",
        )
    ids = wanted(at.the_ledger(), at.history(), request.revs)
    named = replace(request, revs=tuple(ids))  # HEAD may move before the next attempt
    return until_recorded(
        at, request.watch, lambda here: _given_back(here, named, names)
    )


def _given_back(at: Session, request: RevertRequest, names: Sequence[str]) -> Reverted:
    ledger, history = at.the_ledger(), at.history()
    ids = wanted(ledger, history, request.revs)
    entry = dict(history)[ids[0]]
    given = _named(at, entry, names)
    others = tuple(c for c in entry.concepts if c not in given)
    if not others:
        return revert(at, request)
    _check_can_be_made_anew(entry, given)
    there = StackedSession.of(at, drafted(at, ids, replace(request, policy=None)))
    again = entry.model_copy(update={"concepts": others})
    outcome = add.add(there, order_again(again, request))
    if not outcome.entry.verdict.may_stand:
        add.raise_refused(outcome)
    _, left_out = there.history()[-1]
    return Reverted(left_out, stale(ledger, history, ids), (outcome.entry,))


def _named(at: Session, entry: Entry, names: Sequence[str]) -> tuple[Concept, ...]:
    """Return the concepts of an entry that are named, in its order."""
    named = {at.world.concept(name).name for name in names}
    about = {concept.name: concept for concept in entry.concepts}
    if strange := sorted(named - about.keys()):
        raise ConceptError(
            f"entry {entry.id[:12]} did not erase '{strange[0]}'",
            fix=f"it erased {', '.join(about)}; unlearnlog log lists the others",
        )
    return tuple(c for name, c in about.items() if name in named)


def _check_can_be_made_anew(entry: Entry, given: Sequence[Concept]) -> None:
    """Refuse entries of which this ledger holds only the result."""
    if entry.kind == "erase":
        return
    what = "was imported" if entry.kind == "import" else f"is of kind '{entry.kind}'"
    names = ", ".join(concept.name for concept in given)
    left = " ".join(f'"{c.name}"' for c in entry.concepts if c not in given)
    short = entry.id[:12]
    raise UsageError(
        f"entry {short} {what}: {names} cannot be taken out of it alone",
        fix=f"take all of it back, then erase the others here: unlearnlog revert "
        f"{short}, unlearnlog add --batch {left}",
    )
