"""The history, an entry and the state of a ledger, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.api.page.page_markup import NOTHING, facts, note, table, verdict
from unlearnlog.core.active import deed
from unlearnlog.core.note import cells
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.core.sample_name import few_of
from unlearnlog.findings.bounds import policy_of
from unlearnlog.findings.judgement import listed
from unlearnlog.report import formatting
from unlearnlog.report.entry_tables import LISTED, worst_value
from unlearnlog.report.reading_rows import by_question, reading_title

if TYPE_CHECKING:
    from unlearnlog.api.history_methods import Status
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading
    from unlearnlog.ledger.base_manifest import BaseManifest

MOST: Final = 200
"""Entries that are listed; older ones are counted."""


def state_view(status: Status, newest: Entry | None) -> str:
    """Return the verdict on HEAD, and what is erased there.

    Args:
        status: The state of the ledger.
        newest: The entry of HEAD; None on the base.
    """
    doubt = [f"{name}: {'; '.join(why)}" for name, why in status.in_doubt.items()]
    where = f"{status.model}, branch {status.branch}, ledger {Path(status.ledger).name}"
    if newest is None:
        return verdict("unmeasured", "Nothing is erased yet") + note(where)
    erased = few_of([*status.erased])
    parts = [
        f"{_n_concepts(len(status.erased))} erased" if erased else "",
        f"{len(doubt)} in doubt" if doubt else "",
    ]
    title = ", ".join(filter(None, parts)) or "Nothing is erased now"
    word = listed(newest)
    judged = f"The newest entry {newest.id[:12]}: {formatting.outcome(newest)}"
    said = verdict(
        "undecided" if doubt and word == "passed" else word,
        title,
        f"Erased: {erased}" if erased else "",
        f"In doubt: {few_of(doubt)}" if doubt else "",
        f"{judged} by policy {newest.policy}.",
    )
    return said + note(where)


def _n_concepts(n: int) -> str:
    return "1 concept is" if n == 1 else f"{n} concepts are"


def log_view(history: Sequence[Entry]) -> str:
    """Return the history, newest first, with the main readings of each entry.

    Args:
        history: The entries, oldest first.
    """
    if not history:
        return NOTHING
    known = {entry.id: entry for entry in history}
    head = "verdict", "what", "entry", "date", "kind", "eraser", "why"
    shorts = (meaning_of(probe).short for probe in LISTED)
    rows = (_row(entry, deed(entry, known)) for entry in history[: -MOST - 1 : -1])
    older = len(history) - MOST
    end = note(f"and {older} older: unlearnlog log") if older > 0 else ""
    return table((*head, *shorts), rows) + end


def _row(entry: Entry, what: str) -> tuple[str, ...]:
    """Return the cells of an entry."""
    _, ref, message = cells(entry.note)
    why = ": ".join(filter(None, (ref, message)))
    own = entry.id[:12], entry.date[:10], entry.kind, entry.eraser.name, why
    numbers = (worst_value(entry, probe) for probe in LISTED)
    return (formatting.outcome(entry), what, *own, *numbers)


def base_view(base: BaseManifest) -> str:
    """Return the name and the digest of the base."""
    return facts({"revision": "base", "model": base.source, "base": base.root})


def entry_view(entry: Entry, what: str) -> str:
    """Return an entry with all readings, under the questions that they answer.

    Args:
        entry: The entry.
        what: The concepts that it is about.
    """
    rules = policy_of(entry)
    head = "reading", "of", "value", "95 % interval", "n", "base", "limit"
    tables = [
        table(head, [_cells(each, formatting.limits(each, rules)) for each in group], q)
        for q, group in by_question(entry.readings).items()
    ]
    unmet = [*entry.verdict.failures, *entry.verdict.undecided]
    title = f"{entry.kind} {what}: {formatting.OUTCOME[listed(entry)]}"
    rows = {
        "entry": entry.id,
        "eraser": entry.eraser.name,
        "policy": entry.policy,
        "when and why": formatting.signed(entry),
        "time": f"{entry.seconds:.0f} s",
    }
    mark = verdict(listed(entry), title, *unmet)
    return mark + facts(rows) + ("".join(tables) or note("Nothing was measured."))


def _cells(reading: Reading, limit: str) -> tuple[str, ...]:
    """Return the cells of a reading."""
    return (
        reading_title(reading),
        reading.concept,
        formatting.value(reading),
        formatting.interval(reading),
        str(reading.n),
        formatting.base(reading),
        limit,
    )
