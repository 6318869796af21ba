"""``redact``: a concept's names, replaced in whatever is shown and exported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.blame import is_about
from unlearnlog.core.concept import concept_id
from unlearnlog.core.redaction import Redaction
from unlearnlog.core.suggestions import advice
from unlearnlog.core.visible import escaped
from unlearnlog.errors import ConceptError, UsageError

if TYPE_CHECKING:
    from unlearnlog.ledger.repository import Repository

_LABEL: Final = "[redacted {}]"
_NUMBER: Final = re.compile(r"\[redacted (\d+)\]")
_LONGEST: Final = 80


def redact(ledger: Repository, name: str, shown: str = "", *, undo: bool) -> None:
    """Redact a concept's name and its aliases, or show them again.

    Args:
        ledger: The ledger.
        name: The concept, by any of its names.
        shown: The words in its place; empty for a number.
        undo: Whether to show the names again.

    Raises:
        ConceptError: No entry is about the concept.
        UsageError: The words cannot be shown, or the name is not redacted.
    """
    names = _names(ledger, name)
    if undo:
        for each in names if names[0] in ledger.redactions else (name,):
            ledger.redact(each, None)
        return
    label = shown or _next(ledger.redactions, names[0])
    _check_label(label, names)
    for each in names:
        ledger.redact(each, label)


def _names(ledger: Repository, name: str) -> list[str]:
    """Return the names of a concept as entries have them, the main one first."""
    entries = [*ledger.reachable().values()]
    wanted, found = concept_id(name), dict[str, None]()
    for entry in entries:
        for concept in entry.concepts if is_about(entry, name) else ():
            own = (concept.name, *concept.aliases)
            if wanted in {concept_id(each) for each in own}:
                found |= dict.fromkeys(own)
    if not found:
        known = sorted({c.name for entry in entries for c in entry.concepts})
        raise ConceptError(
            f"no entry of this ledger is about '{name}'",
            fix=advice(name, known) if known else "erase something first",
        )
    return [*found]


def _next(redactions: dict[str, str], name: str) -> str:
    """Return the label of a name that has one, or the next number."""
    if name in redactions:
        return redactions[name]
    used = [int(m[1]) for each in redactions.values() if (m := _NUMBER.fullmatch(each))]
    return _LABEL.format(max(used, default=0) + 1)


def _check_label(label: str, names: list[str]) -> None:
    if not label.strip() or len(label) > _LONGEST or escaped(label) != label:
        raise UsageError(
            f"'{label[:40]}' cannot be shown in place of a name",
            fix=f"give at most {_LONGEST} letters and signs, or leave --as out",
        )
    if Redaction(dict.fromkeys(names, "")).text(label) != label:
        raise UsageError(
            "the words in place of the name hold the name itself",
            fix="give others, or leave --as out",
        )
