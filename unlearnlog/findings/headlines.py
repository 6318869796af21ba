"""Headlines of an entry: at most eight readings to decide from, failures first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.core.doubt import EARLIER, own_doubts
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.findings.bounds import WORST_FIRST, Bound, policy_of, strictest

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

MOST: Final = 8
"""Headlines of an entry, at most."""

LookAlike = Callable[[str], str | None]
"""Returns the look-alike of a concept; None where none is known."""

_GONE: Final = ("ua", "ua.alias")
_KEPT: Final = ("ira", "cra")
_NATS: Final = ("judge-mi", "bound-mi", "self-mi")
"""Readings that measure the erasure where there is no judge."""


@dataclass(frozen=True)
class Headline:
    """A reading to decide from: the worst of its kind.

    Attributes:
        title: Its title in the registry of readings.
        of: The count that it is the worst of; empty where there is one.
        name: The concept; empty where it is the entry's only one.
        reading: The reading.
        bound: The limit that it is furthest from meeting; None where there is none.
    """

    title: str
    of: str
    name: str
    reading: Reading
    bound: Bound | None

    @property
    def label(self) -> str:
        """Title and concept in one text."""
        return f"{self.title}: {self.name}" if self.name else self.title

    @property
    def counted(self) -> str:
        """The title, with the count that the reading is the worst of."""
        return f"{self.title}, {self.of}" if self.of else self.title

    @property
    def is_unmet(self) -> bool:
        """Whether its limit fails, or cannot be decided."""
        return self.bound is not None and self.bound.word != "passed"

    @property
    def rank(self) -> int:
        """The sort key: failed limits first, then undecided ones."""
        return WORST_FIRST.index(self.bound.word if self.bound else "passed")


def headlines(
    entry: Entry, look_alike: LookAlike = lambda _: None
) -> tuple[Headline, ...]:
    """Return the readings to decide from, at most `MOST`.

    Failed limits come first, then undecided ones, then the rest: erasure, kept
    concepts, the picture shown instead, resurgence, drift.

    Args:
        entry: The entry.
        look_alike: Returns the look-alike of a concept.
    """
    chosen = _Chosen(entry)
    lines = [*chosen.lines(look_alike), *chosen.unmet()]
    return tuple(sorted(lines, key=lambda line: line.rank)[:MOST])


def reasons(entry: Entry, lines: Iterable[Headline]) -> tuple[str, ...]:
    """Return the reasons against a verdict: limits that are not met, and other doubts.

    Args:
        entry: The entry.
        lines: Its headlines.
    """
    of_readings = tuple(f"{r.probe} of {r.concept} is " for r in entry.readings)
    verdict = entry.verdict
    texts = [*verdict.failures, *verdict.undecided]
    texts += _doubts(entry) if verdict.may_stand else ()
    rest = [text for text in texts if not text.startswith(of_readings)]
    found = [line.label for line in lines if line.is_unmet]
    return tuple(dict.fromkeys((*found, *rest)))


def _doubts(entry: Entry) -> Iterator[str]:
    """Yield the doubts of an entry, with the concepts where not all are in doubt."""
    found: dict[str, list[str]] = {}
    doubts = own_doubts(entry)
    for concept in entry.concepts:
        for text in doubts.get(concept.name, ()):
            found.setdefault(text, []).append(concept.name)
    for text, names in found.items():
        every = len(names) == len(entry.concepts)
        yield text if every else f"{', '.join(names)}: {text}"


def furthest(
    alone: Iterable[Reading], together: Iterable[Reading]
) -> tuple[Reading, Reading] | None:
    """Return the reading that a composition made worst.

    Args:
        alone: Readings of each concept where it was erased.
        together: Readings of all of them after the composition.

    Returns:
        The reading before and after, a share if there is one; None where no reading is
        in both.
    """
    before = {(r.probe, r.concept): r for r in alone}
    found = [
        (then, now)
        for now in together
        if now.better != "none" and (then := before.get((now.probe, now.concept)))
    ]
    return max(found, key=_worsened, default=None)


def _worsened(pair: tuple[Reading, Reading]) -> tuple[bool, float]:
    """Return the sort key of a pair: shares last, then by how much it is worse."""
    then, now = pair
    by = now.value - then.value
    return now.unit == "share", by if now.better == "lower" else -by


class _Chosen:
    """The readings of an entry, as headlines."""

    def __init__(self, entry: Entry) -> None:
        """Keep the readings, with the policy that judged them."""
        self._readings = entry.readings
        self._policy: Policy | None = policy_of(entry)
        self._own = {concept.name for concept in entry.concepts}
        self._is_revert = entry.kind == "revert"
        self._used: set[Reading] = set()

    def lines(self, look_alike: LookAlike) -> Iterator[Headline]:
        """Yield a headline of each kind of reading, in the order of `headlines`."""
        gone = [*self._each(_GONE)]
        yield from gone
        if not gone:
            erased = f"{meaning_of('presence').title}, erased"
            yield from self._shown(erased, better="lower", own=None)
            yield from self._each(_NATS)
        if self._is_revert:
            yield from self._shown("given back", better="higher", own=True)
        yield from self._each(_KEPT)
        yield from self._shown("worst kept", better="higher", own=False)
        yield from () if self._is_revert else self._beside(look_alike)
        yield from self._each(("lands.anchor",))
        yield from self._came_back()
        drifts = self._of("drift")
        if drifts:
            worst = max(drifts, key=lambda r: r.value)
            yield self._line(meaning_of("drift").title, worst.concept, worst)

    def unmet(self) -> Iterator[Headline]:
        """Yield a headline of each further kind of reading whose limit is not met."""
        kinds = dict.fromkeys((r.probe, r.better) for r in self._readings)
        for probe, better in kinds:
            group = [r for r in self._of(probe) if r.better == better]
            if self._used & {*group}:
                continue
            line = self._worst_of(group, meaning_of(probe).title)
            if line.is_unmet:
                yield line

    def _of(self, probe: str) -> list[Reading]:
        """Return the readings of a name."""
        return [r for r in self._readings if r.probe == probe]

    def _each(self, probes: Iterable[str]) -> Iterator[Headline]:
        """Yield the worst reading of each name."""
        for probe in probes:
            if group := self._of(probe):
                yield self._worst_of(group, meaning_of(probe).title)

    def _shown(
        self, title: str, *, better: str, own: bool | None
    ) -> Iterator[Headline]:
        """Yield the worst presence of erased concepts, or of kept ones."""
        group = [
            r
            for r in self._of("presence")
            if r.better == better and own in (None, r.concept in self._own)
        ]
        if not group:
            return
        line = self._worst_of(group, title)
        if better == "higher" and len(group) > 1 and self._n_unmet(group) < 2:
            lost = sum(r.value < (r.base or 0.0) for r in group)
            line = replace(line, of=f"{lost} of {len(group)} lost")
        yield replace(line, name=line.name or line.reading.concept)

    def _beside(self, look_alike: LookAlike) -> Iterator[Headline]:
        """Yield the reading of the look-alike, under its own name.

        ``alike`` carries the name of the erased concept; without it presence counts.
        """
        title, found = meaning_of("alike").title, self._of("alike")
        if found:
            line = self._worst_of(found, title)
            name = look_alike(line.reading.concept)
            yield replace(line, name=name or line.name or "not named")
            return
        mates = {look_alike(name) for name in self._own}
        group = [r for r in self._of("presence") if r.better == "higher"]
        group = [r for r in group if r.concept in mates]
        if group:
            line = self._worst_of(group, title)
            yield replace(line, name=line.reading.concept)

    def _came_back(self) -> Iterator[Headline]:
        """Yield the worst resurgence of an earlier erasure, with how many came back."""
        found, each = self._of("resurgence.found"), self._of("resurgence")
        single = [r for r in each if r.concept != EARLIER]
        if not (found and each):
            return
        bound = strictest(found[0], self._policy)
        n, back = found[0].n, found[0].value
        name, reading = "", each[-1]
        if back and single:
            reading = max(single, key=lambda r: r.value)
            name = reading.concept
        of = f"{back:.0f} of {n} erased earlier"
        self._used |= {found[0], *each}
        yield Headline(meaning_of("resurgence").title, of, name, reading, bound)

    def _worst_of(self, group: Sequence[Reading], title: str) -> Headline:
        """Return the worst reading of a kind; named where there are several."""
        worst = max(group, key=self._badness)
        self._used |= {*group}
        n, unmet = len(group), self._n_unmet(group)
        of = f"{unmet} of {n} not met" if unmet > 1 else f"worst of {n}"
        line = self._line(title, worst.concept, worst)
        return replace(line, of=of) if n > 1 else replace(line, name="")

    def _line(self, title: str, name: str, reading: Reading) -> Headline:
        """Return a headline of one reading."""
        self._used.add(reading)
        return Headline(title, "", name, reading, strictest(reading, self._policy))

    def _n_unmet(self, group: Iterable[Reading]) -> int:
        """Return the number of readings whose limit is not met."""
        bounds = (strictest(reading, self._policy) for reading in group)
        return sum(bound is not None and bound.word != "passed" for bound in bounds)

    def _badness(self, reading: Reading) -> tuple[int, float, float]:
        """Return the sort key of a reading: its limit's verdict, value, interval."""
        bound = strictest(reading, self._policy)
        rank = -WORST_FIRST.index(bound.word if bound else "passed")
        if reading.better == "higher":
            base = reading.base or 0.0
            return rank, base - reading.value, base - reading.low
        return rank, reading.value, reading.high
