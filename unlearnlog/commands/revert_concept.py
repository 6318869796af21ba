"""``revert --concept``: give one concept of an entry back, and leave the others erased.

What an entry did is left out as a whole, and the other concepts are erased once more on
what is there then, by the same eraser. A joint eraser comes to the bits that it would
have come to without the concept; a trained change is one for all of its concepts, so
it cannot be taken apart and the others are trained anew.
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


def give_back(at: Session, wish: RevertRequest, names: Sequence[str]) -> Reverted:
    """Leave some of an entry's concepts out, and erase its others anew.

    Args:
        at: The session, with its ledger and model.
        wish: The entry, and how the result is looked at.
        names: The concepts that are given back.

    Returns:
        The entry that leaves the old one out, and the new one upon it.

    Raises:
        UsageError: Several entries are named, or one that nobody here can make anew.
        ConceptError: The entry is not about a concept.
        Refused: The policy refuses what is erased anew; nothing is recorded.
    """
    if len(wish.revs) != 1:
        raise UsageError(
            f"--concept gives a concept back out of one entry, not of {len(wish.revs)}",
            fix="name one entry: unlearnlog log lists them",
        )
    ids = wanted(at.the_ledger(), at.history(), wish.revs)
    named = replace(wish, revs=tuple(ids))  # HEAD is another one when the head moved
    return until_recorded(at, wish.watch, lambda here: _given_back(here, named, names))


def _given_back(at: Session, wish: RevertRequest, names: Sequence[str]) -> Reverted:
    ledger, history = at.the_ledger(), at.history()
    ids = wanted(ledger, history, wish.revs)
    entry = dict(history)[ids[0]]
    given = _named(at, entry, names)
    others = tuple(c for c in entry.concepts if c not in given)
    if not others:
        return revert(at, wish)
    _check_can_be_made_anew(entry, given)
    there = StackedSession.of(at, drafted(at, ids, replace(wish, policy=None)))
    again = entry.model_copy(update={"concepts": others})
    outcome = add.add(there, order_again(again, wish))
    if not outcome.entry.verdict.may_stand:
        add.raise_refused(outcome)
    _, left_out = there.history()[-1]
    return Reverted(left_out, stale(ledger, history, ids), (outcome.entry,))


def _named(at: Session, entry: Entry, names: Sequence[str]) -> tuple[Concept, ...]:
    """Return the concepts of an entry that somebody names, in its order."""
    said = {at.world.concept(name).name for name in names}
    about = {concept.name: concept for concept in entry.concepts}
    if strange := sorted(said - about.keys()):
        raise ConceptError(
            f"entry {entry.id[:12]} did not erase '{strange[0]}'",
            fix=f"it erased {', '.join(about)}; unlearnlog log lists the others",
        )
    return tuple(c for name, c in about.items() if name in said)


def _check_can_be_made_anew(entry: Entry, given: Sequence[Concept]) -> None:
    """Refuse what this ledger only holds the result of."""
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
