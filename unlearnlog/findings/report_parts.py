"""The parts of a report, whatever it is written as: frozen, without tensors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, overload

from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading
from unlearnlog.findings.attack_history import TriedAttack
from unlearnlog.findings.audit_history import Audit

Word = Literal["passed", "failed", "undecided", "unmeasured"]
Status = Literal["kept", "erased", "doubtful", "unread"]
Data: TypeAlias = bool | int | float | str | list["Data"] | dict[str, "Data"] | None
"""What JSON can hold."""

Spans = Mapping[str, Sequence[tuple[int, int]]]
"""By concept the first and the last step of every time that it is erased."""

MOST_STEPS = 60
"""Entries that are drawn, and erased concepts: 60 columns and 60 rows."""


@dataclass(frozen=True)
class ActiveNames(Collection[str]):
    """Names of all concepts that are erased after a step; all steps share the spans.

    Attributes:
        spans: Of the whole history.
        number: Of the step.
    """

    spans: Spans
    number: int

    def __contains__(self, name: object) -> bool:
        """Whether a concept is erased after the step."""
        spans = self.spans.get(str(name), ())
        place = bisect_right(spans, self.number, key=lambda span: span[0]) - 1
        return place >= 0 and self.number <= spans[place][1]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return (name for name in self.spans if name in self)

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Step:
    """One entry of the history that leads to the revision.

    Attributes:
        number: Its place, from 1 on.
        entry: What was recorded.
        live: Names of all concepts that are erased after it.
        names: The concepts that it is about and those that it took back, as a text.
        doubts: Why the erasure of some of ``live`` is not to be claimed, by name; of
            steps that are not drawn, of those alone that they read.
        began: Those of ``live`` that were not erased before it.
        ended: Those that it took back.
    """

    number: int
    entry: Entry
    live: Collection[str]
    names: str
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is called beside others: only an erasure goes without its kind."""
        kind = self.entry.kind
        return self.names if kind == "erase" else f"{kind} {self.names}"

    @property
    def sure(self) -> tuple[str, ...]:
        """Those of ``live`` whose erasure is in no doubt."""
        return tuple(name for name in self.live if name not in self.doubts)

    def presence(self, concept: str) -> Reading | None:
        """Return how often a concept showed after it; None where nobody looked."""
        return self.presences.get(concept)

    @cached_property
    def presences(self) -> dict[str, Reading]:
        """How often concepts showed after it, by name."""
        read = [r for r in self.entry.readings if r.probe == "presence"]
        return {reading.concept: reading for reading in reversed(read)}


@dataclass(frozen=True)
class Judgement:
    """What the policy said of the revision.

    Attributes:
        word: One word for it.
        headline: What is erased, as far as that may be claimed.
        sentence: The same for somebody who reads nothing else.
        failures: Limits that did not hold.
        undecided: Limits that nobody could decide.
        doubted: Earlier entries that were recorded against a limit, or in doubt.
        caveat: What the policy does not ask; empty where it asks everything.
    """

    word: Word
    headline: str
    sentence: str
    failures: tuple[str, ...]
    undecided: tuple[str, ...]
    doubted: tuple[int, ...]
    caveat: str


@dataclass(frozen=True)
class Weakness:
    """The worst of one kind of reading.

    Attributes:
        title: What is read.
        reading: The reading; None where there is none.
        note: What it says, or why there is none.
    """

    title: str
    reading: Reading | None
    note: str


@dataclass(frozen=True)
class BeforeAfter:
    """One prompt before and after, from the same starting noise.

    Attributes:
        about: The erased concept beside which it is shown.
        role: ``erased``, ``look-alike``, ``sibling`` or ``unrelated``.
        shows: What it is to show.
        prompt: What was asked for.
        seed: With the prompt, decides the starting noise.
        before: The base's picture, as a data URI.
        after: The revision's picture, as a data URI.
    """

    about: str
    role: str
    shows: str
    prompt: str
    seed: int
    before: str
    after: str


@dataclass(frozen=True)
class Node:
    """One concept of the graph.

    Attributes:
        name: The concept.
        kind: ``style``, ``subject``, ...
        family: Its family; empty for none.
    """

    name: str
    kind: str
    family: str


@dataclass(frozen=True)
class Edge:
    """Two concepts that have something to do with each other.

    Attributes:
        one: A concept.
        other: Another.
        type: ``look-alike``, ``sibling``, ...
        weight: How strong it is, a share; None where nobody measured it.
    """

    one: str
    other: str
    type: str
    weight: float | None = None


@dataclass(frozen=True)
class ConceptDamage:
    """What an entry left of one concept.

    Attributes:
        concept: The concept.
        status: Whether it is erased, erased in doubt, kept, or was not looked at.
        damage: Base's presence less its presence now, a difference in [-1, 1]; None
            where it is erased or was not looked at.
        sure: Whether the interval of the damage lies above zero.
        presence: What was read.
    """

    concept: str
    status: Status
    damage: float | None
    sure: bool
    presence: Reading | None


@dataclass(frozen=True)
class DamageBySteps(Sequence[tuple[ConceptDamage, ...]]):
    """What every step left of some concepts, found when somebody asks for a step.

    Attributes:
        steps: The steps.
        names: The concepts.
        of: Says what a step left of one.
    """

    steps: Sequence[Step]
    names: tuple[str, ...]
    of: Callable[[Step, str], ConceptDamage]

    @overload
    def __getitem__(self, at: int) -> tuple[ConceptDamage, ...]: ...

    @overload
    def __getitem__(self, at: slice) -> DamageBySteps: ...

    def __getitem__(self, at: int | slice) -> tuple[ConceptDamage, ...] | DamageBySteps:
        """Return one for each concept after a step, or the same for some steps."""
        if isinstance(at, slice):
            return DamageBySteps(self.steps[at], self.names, self.of)
        step = self.steps[at]
        return tuple(self.of(step, name) for name in self.names)

    def __len__(self) -> int:
        """Count the steps."""
        return len(self.steps)

    def read(self) -> Iterator[list[ConceptDamage]]:
        """Yield what was read after each step, and nothing of what was not."""
        known = frozenset(self.names)
        for step in self.steps:
            yield [self.of(step, name) for name in step.presences if name in known]


@dataclass(frozen=True)
class Graph:
    """The concepts, and what every entry did to them.

    Attributes:
        nodes: Concepts, family by family.
        edges: What ties them.
        harm: For every step, one for each node; as JSON only those that were read.
        left_out: How many concepts there is no room for.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    harm: Sequence[tuple[ConceptDamage, ...]]
    left_out: int = 0


@dataclass(frozen=True)
class TriangleCell:
    """What was read of an erased concept after a step.

    Attributes:
        number: Of the step.
        shown: How often it shows, D(C_k, t_i); None where only the other was read.
        back: Its resurgence, D(C_k, t_i) - D(C_i, t_i); None right after its erasure.
    """

    number: int
    shown: Reading | None
    back: Reading | None


@dataclass(frozen=True)
class Row:
    """One erased concept of the triangle.

    Attributes:
        concept: The concept.
        since: Number of the step that erased it, for the last time.
        cells: What was read of it while it was erased.
        spans: First and last step of every time that it is erased.
        steps: Numbers of the first and of the last step that it is about.
    """

    concept: str
    since: int
    cells: tuple[TriangleCell, ...]
    spans: tuple[tuple[int, int], ...]
    steps: tuple[int, int]

    def at(self, number: int) -> TriangleCell:
        """Return what was read after a step; an empty cell where nothing was."""
        place = bisect_right(self.cells, number, key=lambda cell: cell.number) - 1
        found = self.cells[place] if place >= 0 else None
        hit = found is not None and found.number == number
        return found if found is not None and hit else TriangleCell(number, None, None)

    @property
    def now(self) -> TriangleCell:
        """What was read after the last step."""
        return self.at(self.steps[1])

    @property
    def shown(self) -> tuple[Reading | None, ...]:
        """For every step how often it shows."""
        return tuple(self.at(number).shown for number in self._numbers)

    @property
    def back(self) -> tuple[Reading | None, ...]:
        """For every step its resurgence."""
        return tuple(self.at(number).back for number in self._numbers)

    @property
    def erased_at(self) -> tuple[bool, ...]:
        """For every step whether it is meant to be gone."""
        live = ActiveNames({self.concept: self.spans}, 0)
        return tuple(self.concept in ActiveNames(live.spans, n) for n in self._numbers)

    @property
    def _numbers(self) -> range:
        return range(self.steps[0], self.steps[1] + 1)


@dataclass(frozen=True)
class MeasureSeries:
    """One measure of one concept over the history.

    Attributes:
        measure: The probe.
        concept: What it is read of.
        points: Number of the step, and the reading.
    """

    measure: str
    concept: str
    points: tuple[tuple[int, Reading], ...]


@dataclass(frozen=True)
class Method:
    """How everything was measured.

    Attributes:
        policy: Name of the last entry's policy.
        known: Whether the policy could be read to say the rest.
        rules: Digest of what the policy said, as the entry holds it; empty where the
            entry holds only its name, and the rest is what that policy says today.
        judge: Who judged pictures.
        sampling: How they were painted.
        limits: What had to hold.
        probes: Pictures that each probe asks for.
        made_with: Time, versions and machine of the last entry.
    """

    policy: str
    known: bool
    rules: str
    judge: str
    sampling: str
    limits: tuple[str, ...]
    probes: Mapping[str, int]
    made_with: Mapping[str, str]


@dataclass(frozen=True)
class Findings:
    """Everything that a report says.

    Attributes:
        model: The base's name.
        base: Its digest.
        revision: What the revision was called.
        judgement: What the policy said.
        weakest: The worst readings.
        steps: The history, oldest first.
        pairs: Pictures before and after.
        unpainted: How many more pairs there was no room for.
        graph: The concepts and their damage.
        triangle: What came back.
        nats: Information over time.
        relations: Mean damage by relation, for each step: its number, and the reading.
        method: How it was measured.
        audits: What became of it in other hands.
        attacks: What was tried to bring concepts back.
    """

    model: str
    base: str
    revision: str
    judgement: Judgement
    weakest: tuple[Weakness, ...]
    steps: tuple[Step, ...]
    pairs: tuple[BeforeAfter, ...]
    unpainted: int
    graph: Graph
    triangle: tuple[Row, ...]
    nats: tuple[MeasureSeries, ...]
    relations: tuple[tuple[int, Reading], ...]
    method: Method
    audits: tuple[Audit, ...] = ()
    attacks: tuple[TriedAttack, ...] = ()

    def __repr__(self) -> str:
        said = f"{len(self.steps)} steps, {len(self.pairs)} pairs of pictures"
        return f"<Findings of {self.model} at {self.revision}: {said}>"

    @property
    def last(self) -> Step:
        """The entry that the revision names."""
        return self.steps[-1]


def as_data(value: object) -> Data:
    """Return a value as what JSON can hold, under the names of its attributes.

    Raises:
        TypeError: JSON cannot hold it.
    """
    match value:
        case Entry() | Reading() | Findings() | Step() | DamageBySteps():
            return _own_data(value)
        case Mapping():
            return {str(key): as_data(each) for key, each in value.items()}
        case list() | tuple():
            return [as_data(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
        case _ if is_dataclass(value):
            return _fields(value)
    message = f"JSON cannot hold a {type(value).__name__}"
    raise TypeError(message)


def _own_data(value: Entry | Reading | Findings | Step | DamageBySteps) -> Data:
    """Return as JSON what is not written attribute by attribute."""
    match value:
        case Entry():
            return {**value.row(), "seed": value.seed, "policy": value.policy}
        case Reading():
            return {**value.row()}
        case Step():
            return _step(value)
        case DamageBySteps():
            return [as_data(each) for each in value.read()]
    last = value.last
    return {
        **_fields(value),
        "live": [*last.live],
        "doubts": as_data(last.doubts),
    }


def _fields(value: Any) -> dict[str, Data]:  # noqa: ANN401 - any dataclass
    return {f.name: as_data(getattr(value, f.name)) for f in fields(value)}


def _step(step: Step) -> dict[str, Data]:
    """Return a step as JSON: what it changed, not all that is erased after it."""
    return {
        "number": step.number,
        "entry": as_data(step.entry),
        "names": step.names,
        "began": [*step.began],
        "ended": [*step.ended],
    }
