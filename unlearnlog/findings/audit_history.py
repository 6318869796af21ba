"""The audits of a history and their findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading

KIND: Final = "audit"
"""The kind of an entry that records an audit and changes nothing."""

WORDS: Final = ("resurged", "undecided", "gone")
"""The verdicts on a concept, the worst first."""


@dataclass(frozen=True)
class AuditLine:
    """An audit's verdict on one erased concept.

    Attributes:
        concept: The concept.
        word: ``gone``, ``resurged`` or ``undecided``.
        shown: Its presence in the audited model.
        back: The same less its presence in the state.
        nats: The rise of its pictures' information in nats; None where unmeasured.
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
        entry: Its entry.
        model: Name of the audited model.
        form: ``pipeline``, ``component`` or ``lora``.
        at: Id of the entry that it was compared with.
        word: The verdict on the model.
        lines: The verdict on each concept.
        collateral: The change of accuracy on kept concepts.
    """

    entry: Entry
    model: str
    form: str
    at: str
    word: Literal["passed", "failed", "undecided"]
    lines: tuple[AuditLine, ...]
    collateral: Reading | None


def audits(entries: Iterable[Entry]) -> tuple[Audit, ...]:
    """Return the audits of models in a history, oldest first."""
    found = (entry for entry in entries if entry.kind == KIND and not entry.attacks)
    return tuple(_audit(entry) for entry in found)


def _audit(entry: Entry) -> Audit:
    settings = entry.eraser.settings
    words = {str(name): word for word in WORDS for name in _tuple(settings.get(word))}
    failed, doubt = entry.verdict.failures, entry.verdict.undecided
    return Audit(
        entry=entry,
        model=str(settings.get("model", "")),
        form=str(settings.get("form", "")),
        at=str(settings.get("at", "")),
        word="failed" if failed else "undecided" if doubt else "passed",
        lines=tuple(_line(entry, name, word) for name, word in words.items()),
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
