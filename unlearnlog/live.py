"""What a history comes to: which concepts are erased now, and by what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from unlearnlog.concept import Concept, meant_by
from unlearnlog.entry import Append, Entry, EntryId, dropped
from unlearnlog.reading import Reading

ERASING: Final = ("erase", "import", "compose")
"""Kinds of entries whose concepts are erased until somebody takes that back."""


def live_concepts(
    history: Sequence[tuple[EntryId, Entry]],
) -> dict[str, tuple[EntryId, Concept]]:
    """Return the erased concepts that nothing has taken back, by name."""
    gone = dropped([entry for _, entry in history])
    return {
        concept.name: (entry_id, concept)
        for entry_id, entry in history
        if entry.kind in ERASING and entry_id not in gone
        for concept in entry.concepts
    }


SHOWS: Final = 0.25
"""A concept is there that shows in more of its pictures, with all of the interval."""


EARLIER: Final = "(erased earlier)"
"""What a reading of all earlier erasures together is about."""

_SAYS: Final = re.compile(r"(?P<probe>\S+) of (?P<name>.+?) is -?\d")
"""How a sentence of a verdict begins that is about one reading."""


def doubts(
    history: Sequence[tuple[EntryId, Entry]],
) -> dict[str, tuple[str, ...]]:
    """Return why the erasure of a concept is not to be claimed, by its name.

    It is in doubt where its own entry leaves it open (`own_doubts`); where a later
    entry that still counts, or an attack on this very state, says of it what does not
    hold, unless it was read anew since; where the newest pictures show it; and where
    nothing was read after the newest change.

    Args:
        history: A chain from the first entry on, oldest first.

    Returns:
        Sentences by name, of those erased concepts alone that are in doubt.
    """
    gone = dropped([entry for _, entry in history])
    chain = [(i, e) for i, e in history if e.kind != "audit"]
    places = {entry_id: n for n, (entry_id, _) in enumerate(chain)}
    attacks = [e for _, e in history if e.kind == "audit" and e.attacks]
    found: dict[str, tuple[str, ...]] = {}
    for name, (entry_id, _) in live_concepts(history).items():
        later = chain[places[entry_id] + 1 :]
        own = chain[places[entry_id]][1]
        said = [*own_doubts(own).get(name, ())]
        said += _later(name, [e for i, e in later if i not in gone])
        said += _attacked(name, attacks, chain[-1][1])
        if shown := _newest(name, [own, *(e for _, e in later)]):
            said += _showing(shown, _asked(own))
        if later and not later[-1][1].readings:
            said.append(f"nothing was read after entry {later[-1][0][:12]}")
        if said:
            found[name] = tuple(dict.fromkeys(said))
    return found


def own_doubts(entry: Entry) -> dict[str, tuple[str, ...]]:
    """Return what an entry leaves open of the concepts that it erased itself, by name.

    Beside limits that failed or are open: that nobody looked, or asked, and what its
    own pictures show whatever a policy asked.
    """
    if entry.kind not in ERASING:
        return {}
    names = {concept.name for concept in entry.concepts}
    found = {}
    for name in names:
        said = [
            text
            for text in _open(entry)
            if (about := _about(text)) is None or about[1] not in names - {name}
        ]
        if not _is_read(entry, name):
            said.append("its erasure was not measured")
        if shown := _newest(name, [entry]):
            said += _showing(shown, _asked(entry))
        if said:
            found[name] = tuple(dict.fromkeys(said))
    return found


def _open(entry: Entry) -> tuple[str, ...]:
    return (*entry.verdict.failures, *entry.verdict.undecided)


def _about(text: str) -> tuple[str, str] | None:
    """Return the probe and the concept that a sentence is about; None for neither."""
    found = _SAYS.match(text)
    return (found["probe"], found["name"]) if found else None


def _asked(entry: Entry) -> frozenset[str] | None:
    """Return the readings that an entry's policy bounds; None where nobody knows."""
    limits: Any = entry.rules and entry.rules.get("limits", ())
    return None if limits is None else frozenset(limit["reading"] for limit in limits)


def _is_read(entry: Entry, name: str) -> bool:
    """Whether an entry looked at its concept, or read what its policy asks of it."""
    asked = _asked(entry)
    return any(
        reading.concept == name
        and (
            asked is None
            or reading.probe in {"ua", *asked}
            or (reading.probe == "presence" and reading.better == "lower")
        )
        for reading in entry.readings
    )


def _later(name: str, entries: Sequence[Entry]) -> list[str]:
    """Return what later entries leave open of a concept, and nobody read anew."""
    standing: dict[tuple[str, str], str] = {}
    for entry in entries:
        for reading in entry.readings:
            standing.pop((reading.probe, reading.concept), None)
        for text in _open(entry):
            about = _about(text)
            if about and about[1] in (name, EARLIER):
                standing[about] = text
    return [*standing.values()]


def _attacked(name: str, attacks: Sequence[Entry], last: Entry) -> list[str]:
    """Return what attacks on the newest state brought back beyond a limit."""
    return [
        text
        for entry in attacks
        if any(a.concept == name and a.state == last.state.after for a in entry.attacks)
        for text in _open(entry)
        if (about := _about(text)) and about[1] == name
    ]


def _newest(name: str, entries: Sequence[Entry]) -> Reading | None:
    """Return the newest reading of how often an erased concept shows."""
    found = [
        reading
        for entry in entries
        for reading in entry.readings
        if (reading.probe, reading.concept) == ("presence", name)
        and reading.better == "lower"
    ]
    return found[-1] if found else None


def _showing(shown: Reading, asked: frozenset[str] | None) -> list[str]:
    """Say how often a concept shows: where it must, or may and no limit asks."""
    limited = asked is None or bool({"ua", "presence"} & asked)
    if (shown.low if limited else shown.high) <= SHOWS:
        return []
    return [
        f"{shown.value:.0%} of its pictures show it "
        f"({shown.low:.0%} to {shown.high:.0%}, n = {shown.n})"
    ]


def holders(history: Sequence[tuple[EntryId, Entry]]) -> dict[str, list[EntryId]]:
    """Return the entries by whose own deltas each concept is erased now, by name.

    A joint group erases a concept once, whichever entries put it there.
    """
    gone = dropped([entry for _, entry in history])
    found: dict[str, list[EntryId]] = {}
    for entry_id, entry in history:
        if entry.kind in ERASING and entry_id not in gone:
            own = [c for c in entry.changes if isinstance(c, Append)]
            for concept in entry.concepts:
                said = (c.of for c in own)
                if any(
                    not of or concept in meant_by(entry.concepts, of) for of in said
                ):
                    found.setdefault(concept.name, []).append(entry_id)
    return found


def taking_back(
    history: Sequence[tuple[EntryId, Entry]], name: str
) -> tuple[EntryId, Entry] | None:
    """Return the entry that last took an erasure of a concept back, if one did.

    Args:
        history: A chain from the first entry on, oldest first.
        name: Of the concept.
    """
    for n in range(len(history), 0, -1):
        if name in live_concepts(history[: n - 1]):
            return history[n - 1] if name not in live_concepts(history[:n]) else None
    return None


def deed(entry: Entry, known: Mapping[EntryId, Entry]) -> str:
    """Name the concepts that an entry is about, and those that it took back.

    Args:
        entry: The entry; a revert is about what it leaves out.
        known: The entries before it, by id.
    """
    said = [", ".join(concept.name for concept in entry.concepts)]
    if entry.kind == "compose":
        chain: list[tuple[EntryId, Entry]] = []
        at = entry.parent
        while at is not None and at in known:
            chain.append((at, known[at]))
            at = known[at].parent
        chain.reverse()
        before, after = (
            live_concepts([*chain, *new]) for new in ((), [(entry.id, entry)])
        )
        named = {concept.name for concept in entry.concepts}
        back = [name for name in before if name not in after]
        again = [name for name in after if name not in before and name not in named]
        for word, names in (("without", back), ("again", again)):
            said.append(f"{word} {', '.join(names)}" if names else "")
    return "; ".join(filter(None, said))
