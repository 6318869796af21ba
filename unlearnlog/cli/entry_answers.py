"""The screen that answers a command which recorded an entry."""

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


def say_erased(ledger: Ledger, entry: Entry, *notes: str) -> None:
    """Print the screen of an erasure.

    Args:
        ledger: The ledger.
        entry: The recorded entry.
        notes: Further lines.
    """
    verb = "is" if len(entry.concepts) == 1 else "are"
    _say(ledger, [entry], f"{_names(entry.concepts)} {verb} erased", notes)


def say_reverted(ledger: Ledger, done: Reverted, given: Sequence[str]) -> None:
    """Print the screen of a revert: entries left out, computed again, and stale.

    Args:
        ledger: The ledger.
        done: The recorded entry, and those that it concerns.
        given: The concepts that were given back; none for whole entries.
    """
    entries = [done.entry, *done.again]
    result = f"{_names(done.entry.concepts)} left out"
    notes = [*_stale(done)]
    if done.again:
        short = done.entry.id[:12]
        notes.insert(0, f"left out before that: entry {short}")
        result = f"{result}; {len(done.again)} later erasures made anew"
    if given and done.again:
        (anew,) = done.again
        kept = {concept.id for concept in anew.concepts}
        back = [c for c in done.entry.concepts if c.id not in kept]
        result = (
            f"{_names(back)} given back; {_names(anew.concepts)} erased anew without"
        )
        result += " it" if len(back) == 1 else " them"
        if any(isinstance(change, Append) for change in anew.changes):
            notes.append(f"{anew.eraser.name} trained one change for all of them")
    _say(ledger, entries, result, notes)


def say_composed(ledger: Ledger, done: Composed) -> None:
    """Print the screen of a composition, with the worst change of a reading."""
    from unlearnlog.report.screenful import some_of

    parts = []
    if done.entry.concepts:
        parts.append(f"{_names(done.entry.concepts)} erased here, too")
    if done.back:
        verb = "is" if len(done.back) == 1 else "are"
        parts.append(f"{some_of(done.back)} {verb} no longer erased: taken back there")
    notes = [*_furthest_from_alone(done)]
    if done.gap is not None:
        apart = f"{100 * done.gap:.2g} % apart"
        notes.append(f"solved together and added up are {apart}")
    _say(ledger, [done.entry], "; ".join(parts), notes)


def _say(
    ledger: Ledger, entries: Sequence[Entry], result: str, notes: Iterable[str] = ()
) -> None:
    """Print the screen of the last of some entries, with how to take all back.

    They were recorded together. Where they are the newest entries of the branch, a
    reset takes them back; else a revert does.
    """
    from unlearnlog.report.screenful import Screenful

    last, ids = entries[-1], " ".join(entry.id[:12] for entry in entries)
    back = f"unlearnlog revert {ids}"
    if ledger.chain.head == last.id:
        back = f"unlearnlog reset HEAD~{len(entries)}"
    out.print(Screenful(last, result, ledger.world.look_alike, tuple(notes), back))


def _names(concepts: Iterable[Concept]) -> str:
    """Return the names of concepts as a phrase."""
    from unlearnlog.report.screenful import some_of

    return some_of([concept.name for concept in concepts])


def _stale(done: Reverted) -> Iterable[str]:
    """Yield a line on later erasures, computed from weights that are now gone."""
    from unlearnlog.report.screenful import some_of

    if done.stale:
        found = [f"{each.entry[:12]} {', '.join(each.concepts)}" for each in done.stale]
        nearest = min(each.degrees for each in done.stale)
        yield (
            f"stale, as it acts on the same text: {some_of(found)}; nearest "
            f"{nearest:.1f} degrees; make anew: --rederive"
        )


def _furthest_from_alone(done: Composed) -> Iterable[str]:
    """Yield a line on the reading that changed most from that of the concept alone."""
    from unlearnlog.findings.headlines import furthest

    if found := furthest(done.alone, done.entry.readings):
        then, now = found
        title = meaning_of(now.probe).called
        numbers = f"{then.value:.3f} alone, {now.value:.3f} together"
        yield f"furthest from alone: {title} of {now.concept}, {numbers}"
