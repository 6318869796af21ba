"""The model card of an exported revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.core.active import live_concepts
from unlearnlog.core.doubt import doubts
from unlearnlog.core.note import cells
from unlearnlog.findings.markdown_text import in_markdown

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import Entry, EntryId

_HEAD: Final = ("concept", "entry", "recorded", "by", "reference", "reason")

_WHERE: Final = """\
Written by `unlearnlog checkout`. What each erasure did to everything else stands in
the ledger (`unlearnlog show`, `unlearnlog report`). `README.base.md`, if it is there,
is the card of the model before any erasure, and speaks of that one."""


def card(at: Session, entry: EntryId) -> str:
    """Return the model card of a revision.

    Args:
        at: The session, with its ledger and model.
        entry: The revision.
    """
    ledger = at.the_ledger()
    history = ledger.history(entry)
    chain, live, doubted = dict(history), live_concepts(history), doubts(history)
    sure = ", ".join(name for name in live if name not in doubted)
    nothing = "nothing that is in no doubt" if doubted else "nothing"
    rows = [_row(name, chain[by], by) for name, (by, _) in live.items()]
    parts = [
        f"# {in_markdown(at.manifest.name)}, with erasures",
        f"Erased: {in_markdown(sure) or nothing}.",
        _doubt(doubted),
        "\n".join(_lines(rows)),
        _WHERE,
        f"""| | |
|---|---|
| entry | {entry} |
| state | {ledger.state_digest(entry)} |
| base | {at.manifest.root} |""",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _doubt(doubted: Mapping[str, Sequence[str]]) -> str:
    """Return a list of the erasures in doubt, with the reasons."""
    if not doubted:
        return ""
    reasons = (
        f"- {in_markdown(name)}: {in_markdown('; '.join(why))}"
        for name, why in doubted.items()
    )
    return "\n".join(["In doubt, and not to be relied on:\n", *reasons])


def _row(name: str, entry: Entry, entry_id: EntryId) -> tuple[str, ...]:
    """Return the table row of a concept: entry, date and note."""
    return name, entry_id[:12], entry.date[:10], *cells(entry.note)


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a Markdown table of the columns that have values; nothing without rows."""
    used = [i for i, _ in enumerate(_HEAD) if any(row[i] for row in rows)]
    if not used:
        return
    yield f"| {' | '.join(_HEAD[i] for i in used)} |"
    yield f"|{'---|' * len(used)}"
    for row in rows:
        yield f"| {' | '.join(in_markdown(row[i]) for i in used)} |"
