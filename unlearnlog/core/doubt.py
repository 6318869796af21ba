"""The concepts erased after each entry of a history, and the doubts about them.

A history is read once, entry by entry; a query after any of them costs time in
proportion to its answer, not to the whole history.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.core.active import ERASING
from unlearnlog.core.entry import Drop, Entry, EntryId
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.reading import Reading
from unlearnlog.core.sample_name import stands_for

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept

SHOWS: Final = 0.25
"""Share of its pictures above which, with the whole interval, a concept is there."""


EARLIER: Final = "(erased earlier)"
"""The concept name of a reading on all earlier erasures together."""

_SAYS: Final = re.compile(r"(?P<probe>\S+) of (?P<name>.+?) is -?\d")
"""The beginning of a verdict's sentence on one reading."""

Key = tuple[str, str]
"""A probe and the concept that it reads."""

_Own = tuple[dict[str, tuple[str, ...]], frozenset[str] | None]


@uncollected()
def doubts(
    history: Sequence[tuple[EntryId, Entry]],
) -> dict[str, tuple[str, ...]]:
    """Return the doubts about each erased concept, by its name.

    An erasure is in doubt where its own entry leaves it open (`own_doubts`); where a
    limit on it failed in a later entry that still counts, or in an attack on this
    state, and was not read again since; where the newest pictures show it; and where
    nothing was read after the newest change.

    Args:
        history: A chain from the first entry on, oldest first.

    Returns:
        Sentences by name; only of erased concepts that are in doubt.
    """
    course = HistoryCourse()
    for entry_id, entry in history:
        course.add(entry_id, entry)
    return course.doubts(course.live)


def taking_back(
    history: Sequence[tuple[EntryId, Entry]], name: str
) -> tuple[EntryId, Entry] | None:
    """Return the last entry that reverted an erasure of a concept, or None.

    Args:
        history: A chain from the first entry on, oldest first.
        name: The concept's name.
    """
    course, found = HistoryCourse(), None
    for entry_id, entry in history:
        was = course.is_live(name)
        course.add(entry_id, entry)
        if was:
            found = None if course.is_live(name) else (entry_id, entry)
    return found


def own_doubts(entry: Entry) -> dict[str, tuple[str, ...]]:
    """Return an entry's own doubts about the concepts that it erased, by name.

    Limits that failed or are open; an erasure that was not measured; and a concept that
    its own pictures show, whether or not a limit bounds that.
    """
    if entry.kind not in ERASING:
        return {}
    names = {concept.name for concept in entry.concepts}
    found = {}
    for concept in entry.concepts:
        name = concept.name
        texts = [
            text
            for text in _open(entry)
            if (about := _about(text)) is None
            or about[1] == name
            or about[1] not in names
        ]
        if not _is_read(entry, concept):
            texts.append("its erasure was not measured")
        if shown := _shown(entry).get(name):
            texts += _showing(shown, _bounded(entry))
        if texts:
            found[name] = tuple(dict.fromkeys(texts))
    return found


def _open(entry: Entry) -> tuple[str, ...]:
    return (*entry.verdict.failures, *entry.verdict.undecided)


def _about(text: str) -> tuple[str, str] | None:
    """Return the probe and the concept that a sentence is about; None for neither."""
    found = _SAYS.match(text)
    return (found["probe"], found["name"]) if found else None


def _bounded(entry: Entry) -> frozenset[str] | None:
    """Return the readings that an entry's policy bounds; None if it has no record."""
    limits: Any = entry.rules and entry.rules.get("limits", ())
    return None if limits is None else frozenset(limit["reading"] for limit in limits)


def _is_read(entry: Entry, concept: Concept) -> bool:
    """Return whether an entry has a reading that measures a concept's erasure.

    Of many concepts, the reading of a sample measures them all.
    """
    bounded = _bounded(entry)
    return any(
        (
            reading.concept == concept.name
            or stands_for(reading.concept, concept, entry.concepts)
        )
        and (
            bounded is None
            or reading.probe in {"ua", *bounded}
            or (reading.probe == "presence" and reading.better == "lower")
        )
        for reading in entry.readings
    )


class _Counted:
    """The places of the entries that count now, in order, by key."""

    def __init__(self) -> None:
        self.at: dict[Any, list[int]] = {}

    def put(self, keys: Iterable[Any], place: int) -> None:
        for key in keys:
            insort(self.at.setdefault(key, []), place)

    def take(self, keys: Iterable[Any], place: int) -> None:
        for key in keys:
            places = self.at[key]
            del places[bisect_left(places, place)]

    def of(self, key: Any) -> Sequence[int]:  # noqa: ANN401 - any hashable key
        return self.at.get(key, ())


class HistoryCourse:
    """A history that is read entry by entry.

    Attributes:
        began: Concepts that are erased since the newest entry.
        ended: Concepts that are erased no more since the newest entry.
    """

    def __init__(self) -> None:
        """Begin at the base."""
        self.began: tuple[str, ...] = ()
        self.ended: tuple[str, ...] = ()
        self._chain: list[tuple[EntryId, Entry]] = []
        self._places: dict[EntryId, int] = {}
        self._droppers: dict[int, set[int]] = {}
        self._gone: set[int] = set()
        self._erasing, self._texts, self._reads = _Counted(), _Counted(), _Counted()
        self._keys: dict[str, dict[Key, None]] = {}
        self._newest: dict[str, tuple[int, Reading]] = {}
        self._attacks: dict[tuple[str, str], list[Entry]] = {}
        self._own: dict[int, _Own] = {}
        self._last = 0

    def add(self, entry_id: EntryId, entry: Entry) -> None:
        """Add the next entry.

        Raises:
            ValueError: It drops an entry that is not before it.
        """
        place = len(self._chain)
        self._chain.append((entry_id, entry))
        touched = self._names(place)
        drops = [c.entry for c in entry.changes if isinstance(c, Drop)]
        if unknown := sorted(each for each in drops if each not in self._places):
            message = f"entry {entry_id} drops {unknown}, not before it"
            raise ValueError(message)
        self._places[entry_id] = place
        turned = self._turned(place, {self._places[each] for each in drops})
        for each in turned:
            touched |= self._names(each)
        before = {name for name in touched if self.is_live(name)}
        for each in turned:
            self._count(each, counts=each not in self._gone)
        self._count(place, counts=True)
        self._note(place, entry)
        after = {name for name in touched if self.is_live(name)}
        self.began = tuple(name for name in touched if name in after - before)
        self.ended = tuple(name for name in touched if name in before - after)

    @property
    def live(self) -> tuple[str, ...]:
        """Names of the concepts that are erased now, in the order of their erasure."""
        found = [(at[0], name) for name, at in self._erasing.at.items() if at]
        return tuple(name for _, name in sorted(found, key=self._order))

    def is_live(self, name: str) -> bool:
        """Return whether a concept is erased now."""
        return bool(self._erasing.of(name))

    def doubts(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the doubts about some erased concepts, by name, without empty ones."""
        found = ((name, self._doubts(name)) for name in names if self.is_live(name))
        return {name: why for name, why in found if why}

    def _order(self, found: tuple[int, str]) -> tuple[int, int]:
        place, name = found
        names = [concept.name for concept in self._chain[place][1].concepts]
        return place, names.index(name)

    def _names(self, place: int) -> dict[str, None]:
        """Return the concepts that an entry erases."""
        entry = self._chain[place][1]
        erases = entry.kind in ERASING
        return dict.fromkeys(c.name for c in entry.concepts if erases)

    def _turned(self, place: int, drops: set[int]) -> list[int]:
        """Return the entries that a new one's drops turn off, or on again."""
        turned: dict[int, None] = {}
        waiting = [*drops]
        for each in drops:
            self._droppers.setdefault(each, set()).add(place)
        while waiting:
            each = waiting.pop()
            gone = any(by not in self._gone for by in self._droppers[each])
            if gone == (each in self._gone):
                continue
            self._gone ^= {each}
            if each in turned:
                del turned[each]
            else:
                turned[each] = None
            own = self._chain[each][1].changes
            waiting += [self._places[c.entry] for c in own if isinstance(c, Drop)]
        return list(turned)

    def _count(self, place: int, *, counts: bool) -> None:
        """Count the sentences and readings of an entry from now on, or no more."""
        entry = self._chain[place][1]
        act = _Counted.put if counts else _Counted.take
        act(self._erasing, self._names(place), place)
        if entry.kind == "audit":
            return
        act(self._texts, dict.fromkeys(_abouts(entry)), place)
        act(
            self._reads,
            dict.fromkeys((r.probe, r.concept) for r in entry.readings),
            place,
        )

    def _note(self, place: int, entry: Entry) -> None:
        """Keep what holds whether the entry counts or not."""
        if entry.kind == "audit":
            for name, state in dict.fromkeys(
                (a.concept, a.state) for a in entry.attacks
            ):
                self._attacks.setdefault((name, state), []).append(entry)
            return
        self._last = place
        for about in _abouts(entry):
            self._keys.setdefault(about[1], {})[about] = None
        for name, reading in _shown(entry).items():
            self._newest[name] = place, reading

    def _doubts(self, name: str) -> tuple[str, ...]:
        place = self._erasing.of(name)[-1]
        if place not in self._own:  # needed again after every later entry
            entry = self._chain[place][1]
            self._own[place] = own_doubts(entry), _bounded(entry)
        own, bounded = self._own[place]
        last_id, last = self._chain[self._last]
        texts = [*own.get(name, ())]
        texts += self._later(name, place)
        for entry in self._attacks.get((name, last.state.after), ()):
            texts += [t for t in _open(entry) if (a := _about(t)) and a[1] == name]
        at, shown = self._newest.get(name, (-1, None))
        if shown is not None and at >= place:
            texts += _showing(shown, bounded)
        if self._last > place and not last.readings:
            texts.append(f"nothing was read after entry {last_id[:12]}")
        return tuple(dict.fromkeys(texts))

    def _later(self, name: str, own: int) -> list[str]:
        """Return the open sentences of later entries that no newer reading settles."""
        found: list[tuple[int, int, str]] = []
        for key in (*self._keys.get(name, ()), *self._keys.get(EARLIER, ())):
            texts, reads = self._texts.of(key), self._reads.of(key)
            since = max(own + 1, reads[-1] if reads else 0)
            first = bisect_left(texts, since)
            if first == len(texts):
                continue
            begins = [*_abouts(self._chain[texts[first]][1])].index(key)
            newest = _open(self._chain[texts[-1]][1])
            (*_, text) = (text for text in newest if _about(text) == key)
            found.append((texts[first], begins, text))
        return [text for _, _, text in sorted(found)]


def _abouts(entry: Entry) -> Iterator[Key]:
    """Yield the probe and the concept of each open sentence of an entry's verdict."""
    return (about for text in _open(entry) if (about := _about(text)))


def _shown(entry: Entry) -> dict[str, Reading]:
    """Return the presence readings of an entry's erased concepts, by name."""
    return {
        reading.concept: reading
        for reading in entry.readings
        if reading.probe == "presence" and reading.better == "lower"
    }


def _showing(shown: Reading, bounded: frozenset[str] | None) -> list[str]:
    """Return a sentence on a concept that shows: certainly, or maybe and unbounded."""
    limited = bounded is None or bool({"ua", "presence"} & bounded)
    if (shown.low if limited else shown.high) <= SHOWS:
        return []
    return [
        f"{shown.value:.0%} of its pictures show it "
        f"({shown.low:.0%} to {shown.high:.0%}, n = {shown.n})"
    ]
