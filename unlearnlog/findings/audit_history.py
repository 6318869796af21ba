"""What audits found that are recorded in a history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading

KIND: Final = "audit"
"""The kind of an entry that changes nothing and says what became of a state."""

WORDS: Final = ("resurged", "undecided", "gone")
"""What is said of a concept, the worst first."""


@dataclass(frozen=True)
class AuditLine:
    """What an audit says of one erased concept.

    Attributes:
        concept: The concept.
        word: ``gone``, ``resurged`` or ``undecided``.
        shown: How often the audited model shows it.
        back: By how much more than the state.
        nats: By how many nats its pictures say more of it; None where none were read.
    """

    concept: str
    word: str
    shown: Reading | None
    back: Reading | None
    nats: Reading | None


@dataclass(frozen=True)
class Audit:
    """One recorded audit.

    Attributes:
        entry: What was recorded.
        model: The name of what was audited.
        form: ``pipeline``, ``component`` or ``lora``.
        at: Id of the entry whose state it was held against.
        word: The worst that is said of any concept.
        lines: What is said of each.
        collateral: What became of everything else.
    """

    entry: Entry
    model: str
    form: str
    at: str
    word: Literal["passed", "failed", "undecided"]
    lines: tuple[AuditLine, ...]
    collateral: Reading | None


def audits(entries: Iterable[Entry]) -> tuple[Audit, ...]:
    """Return the audits of a history, oldest first; attacks are none of a model."""
    found = (entry for entry in entries if entry.kind == KIND and not entry.attacks)
    return tuple(_audit(entry) for entry in found)


def _audit(entry: Entry) -> Audit:
    settings = entry.eraser.settings
    said = {str(name): word for word in WORDS for name in _tuple(settings.get(word))}
    failed, doubt = entry.verdict.failures, entry.verdict.undecided
    return Audit(
        entry=entry,
        model=str(settings.get("model", "")),
        form=str(settings.get("form", "")),
        at=str(settings.get("at", "")),
        word="failed" if failed else "undecided" if doubt else "passed",
        lines=tuple(_line(entry, name, word) for name, word in said.items()),
        collateral=_read(entry, "collateral"),
    )


def _line(entry: Entry, name: str, word: str) -> AuditLine:
    return AuditLine(
        concept=name,
        word=word,
        shown=_read(entry, "presence", name),
        back=_read(entry, "resurgence", name),
        nats=_read(entry, "returned.nats", name),
    )


def _read(entry: Entry, probe: str, concept: str = "") -> Reading | None:
    found = (r for r in entry.readings if r.probe == probe)
    return next((r for r in found if concept in ("", r.concept)), None)


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()
