"""Attacks that the ledger keeps, tried again on a later state: no search, seconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from unlearnlog.audits.attack import Found, names_of
from unlearnlog.audits.attacks import ATTACKS
from unlearnlog.audits.contest import applied
from unlearnlog.probes.panel import scattered
from unlearnlog.probes.probe import About, reading
from unlearnlog.probes.statistics import share

if TYPE_CHECKING:
    from unlearnlog.attempt import Attempt
    from unlearnlog.concept import Concept
    from unlearnlog.delta import Weights
    from unlearnlog.entry import Entry, EntryId
    from unlearnlog.graph.book import Book
    from unlearnlog.probes.panel import Panel
    from unlearnlog.reading import Reading
    from unlearnlog.run.place import Place


def attempts_on(
    history: Sequence[tuple[EntryId, Entry]], names: Collection[str]
) -> tuple[Attempt, ...]:
    """Return the newest attack of each sort on each of these concepts.

    Those that this program does not know are left out.
    """
    found: dict[tuple[str, str], Attempt] = {}
    for _, entry in history:
        for each in entry.attacks:
            if each.concept in names and each.attack in ATTACKS:
                found[each.concept, each.attack] = each
    return tuple(found.values())


def replayed(
    at: Place, panel: Panel, book: Book, gone: Sequence[Concept], n: int, new: Weights
) -> tuple[Reading, ...]:
    """Try what attacks found earlier on a new state.

    Args:
        at: Where the ledger is.
        panel: Who paints and judges.
        book: The prompts of everything.
        gone: What was erased earlier.
        n: Pictures for each attack, 0 for none.
        new: Every text projection as the state has it.

    Returns:
        The share of pictures that show the concept, as ``attack.NAME``.

    Raises:
        IntegrityError: What an attack found is missing or damaged.
    """
    judge = panel.judge
    if judge is None or not n:
        return ()
    concepts = {concept.name: concept for concept in gone}
    found = []
    for each in attempts_on(at.history(), concepts):
        concept = concepts[each.concept]
        tensors = at.the_ledger().attack(each.object)
        finding = Found(each.attack, names_of(concept), tensors)
        others = concepts.keys() - {concept.name}
        clear = [
            cell
            for cell in book.erased(concept)
            if not {cell.subject, cell.style} & others
        ]
        cells = scattered(clear, n)
        panel.watch.stage("trying earlier attacks", len(cells))
        prompts = [cell.prompt for cell in cells]
        painted = at.model.paint(
            prompts,
            [cell.seed for cell in cells],
            sampling=panel.sampling,
            weights=new,
            texts=applied(finding, at.model, prompts, new),
        )
        panel.watch.advance(len(cells), {})
        kind = "style" if concept.kind == "style" else "subject"
        hits = [answer.of(kind) == concept.name for answer in judge.judged(painted)]
        about = About(f"attack.{each.attack}", concept.name, "lower")
        found.append(reading(about, share(sum(hits), len(hits))))
    return tuple(found)
