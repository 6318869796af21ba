"""Answers of the commands that end in an entry: one screen for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from unlearnlog.cli.app import out
from unlearnlog.core.entry import Append
from unlearnlog.core.reading_registry import meaning_of

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.commands.compose import Composed
    from unlearnlog.commands.revert import Reverted
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry


def say_erased(where: Ledger, entry: Entry, *notes: str) -> None:
    """Say that concepts were erased, and what that did.

    Args:
        where: The ledger.
        entry: What was recorded.
        notes: What else is to be said, a line each.
    """
    verb = "is" if len(entry.concepts) == 1 else "are"
    _say(where, [entry], f"{_names(entry.concepts)} {verb} erased", notes)


def say_reverted(where: Ledger, done: Reverted, given: Sequence[str]) -> None:
    """Say what was left out, what that did, and what was made anew or is stale.

    Args:
        where: The ledger.
        done: What was recorded.
        given: The concepts that were given back; none for whole entries.
    """
    entries = [done.entry, *done.again]
    said = f"{_names(done.entry.concepts)} left out"
    notes = [*_stale(done)]
    if done.again:
        short = done.entry.id[:12]
        notes.insert(0, f"left out before that: entry {short}")
        said = f"{said}; {len(done.again)} later erasures made anew"
    if given and done.again:
        (anew,) = done.again
        kept = {concept.id for concept in anew.concepts}
        back = [c for c in done.entry.concepts if c.id not in kept]
        said = f"{_names(back)} given back; {_names(anew.concepts)} erased anew without"
        said += " it" if len(back) == 1 else " them"
        if any(isinstance(change, Append) for change in anew.changes):
            notes.append(f"{anew.eraser.name} trained one change for all of them")
    _say(where, entries, said, notes)


def say_composed(where: Ledger, done: Composed) -> None:
    """Say what came from elsewhere, and what the sides did to each other."""
    from unlearnlog.report.screenful import some_of

    said = []
    if done.entry.concepts:
        said.append(f"{_names(done.entry.concepts)} erased here, too")
    if done.back:
        verb = "is" if len(done.back) == 1 else "are"
        said.append(f"{some_of(done.back)} {verb} no longer erased: taken back there")
    notes = [*_furthest_from_alone(done)]
    if done.gap is not None:
        apart = f"{100 * done.gap:.2g} % apart"
        notes.append(f"solved together and added up are {apart}")
    _say(where, [done.entry], "; ".join(said), notes)


def _say(
    where: Ledger, entries: Sequence[Entry], said: str, notes: Iterable[str] = ()
) -> None:
    """Print the screen of the last of some entries; all of them are taken back.

    They were recorded together: as long as none is upon them, the branch is moved
    back; else they are left out of it.
    """
    from unlearnlog.report.screenful import Screenful

    last, ids = entries[-1], " ".join(entry.id[:12] for entry in entries)
    back = f"unlearnlog revert {ids}"
    if where.chain.head == last.id:
        back = f"unlearnlog reset HEAD~{len(entries)}"
    out.print(Screenful(last, said, where.world.look_alike, tuple(notes), back))


def _names(concepts: Iterable[Concept]) -> str:
    from unlearnlog.report.screenful import some_of

    return some_of([concept.name for concept in concepts])


def _stale(done: Reverted) -> Iterable[str]:
    """Yield which later erasures were made from weights that are no more."""
    from unlearnlog.report.screenful import some_of

    if done.stale:
        found = [f"{each.entry[:12]} {', '.join(each.concepts)}" for each in done.stale]
        nearest = min(each.degrees for each in done.stale)
        yield (
            f"stale, as it hears the same text: {some_of(found)}; nearest "
            f"{nearest:.1f} degrees; make anew: --rederive"
        )


def _furthest_from_alone(done: Composed) -> Iterable[str]:
    """Yield which reading of a concept became worst, beside what it was alone."""
    from unlearnlog.findings.headlines import furthest

    if found := furthest(done.alone, done.entry.readings):
        then, now = found
        title = meaning_of(now.probe).called
        numbers = f"{then.value:.3f} alone, {now.value:.3f} together"
        yield f"furthest from alone: {title} of {now.concept}, {numbers}"
