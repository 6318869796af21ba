"""The parts of a report in any format, as frozen values without tensors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from unlearnlog.core.reading import Reading
from unlearnlog.findings.attack_history import TriedAttack
from unlearnlog.findings.audit_history import Audit
from unlearnlog.findings.step import ActiveNames, Step

Word = Literal["passed", "failed", "undecided", "unmeasured"]
Status = Literal["kept", "erased", "doubtful", "unread"]
MOST_STEPS = 60
"""The most entries and erased concepts that are drawn: 60 columns and 60 rows."""


@dataclass(frozen=True)
class Judgement:
    """The policy's verdict on the revision.

    Attributes:
        word: The verdict.
        headline: The erased concepts, as far as the verdict allows.
        sentence: A summary in one sentence.
        failures: Limits that did not hold.
        undecided: Limits that could not be decided.
        doubted: Earlier entries that were recorded against a limit, or in doubt.
        caveat: Limits that the policy does not set; empty where it sets all.
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
        title: Its title.
        reading: The reading; None where there is none.
        note: Its meaning, or why there is none.
    """

    title: str
    reading: Reading | None
    note: str


@dataclass(frozen=True)
class BeforeAfter:
    """Pictures of one prompt before and after, from the same starting noise.

    Attributes:
        about: The erased concept beside which it is shown.
        role: ``erased``, ``look-alike``, ``sibling`` or ``unrelated``.
        shows: The concept of the prompt.
        prompt: The prompt.
        seed: Seed of the starting noise, with the prompt.
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
    """Two related concepts.

    Attributes:
        one: A concept.
        other: Another.
        type: ``look-alike``, ``sibling``, ...
        weight: Its strength, a share; None where it was not measured.
    """

    one: str
    other: str
    type: str
    weight: float | None = None


@dataclass(frozen=True)
class ConceptDamage:
    """The damage of one concept after an entry.

    Attributes:
        concept: The concept.
        status: Whether it is erased, erased in doubt, kept, or unmeasured.
        damage: Base's presence less its presence now, a difference in [-1, 1]; None
            where it is erased or unmeasured.
        sure: Whether the interval of the damage lies above zero.
        presence: The reading of its presence.
    """

    concept: str
    status: Status
    damage: float | None
    sure: bool
    presence: Reading | None


@dataclass(frozen=True)
class DamageBySteps(Sequence[tuple[ConceptDamage, ...]]):
    """The damage of some concepts after every step, computed on access.

    Attributes:
        steps: The steps.
        names: The concepts.
        of: Returns the damage of one concept after a step.
    """

    steps: Sequence[Step]
    names: tuple[str, ...]
    of: Callable[[Step, str], ConceptDamage]

    @overload
    def __getitem__(self, at: int) -> tuple[ConceptDamage, ...]: ...

    @overload
    def __getitem__(self, at: slice) -> DamageBySteps: ...

    def __getitem__(self, at: int | slice) -> tuple[ConceptDamage, ...] | DamageBySteps:
        """Return the damage of each concept after a step, or after some steps."""
        if isinstance(at, slice):
            return DamageBySteps(self.steps[at], self.names, self.of)
        step = self.steps[at]
        return tuple(self.of(step, name) for name in self.names)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    def read(self) -> Iterator[list[ConceptDamage]]:
        """Yield the damage of the concepts that were measured after each step."""
        known = frozenset(self.names)
        for step in self.steps:
            yield [self.of(step, name) for name in step.presences if name in known]


@dataclass(frozen=True)
class Graph:
    """The concept graph, with the damage of each concept after every entry.

    Attributes:
        nodes: Concepts, family by family.
        edges: Their relations.
        harm: For every step, one for each node; as JSON only those that were measured.
        left_out: Number of concepts that are not drawn.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    harm: Sequence[tuple[ConceptDamage, ...]]
    left_out: int = 0


@dataclass(frozen=True)
class TriangleCell:
    """The readings of an erased concept after a step.

    Attributes:
        number: Number of the step.
        shown: Its presence, D(C_k, t_i); None where only the other was measured.
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
        since: Number of the step that erased it last.
        cells: Its readings while it was erased.
        spans: First and last step of each erasure of it.
        steps: Numbers of the first and the last step of the row.
    """

    concept: str
    since: int
    cells: tuple[TriangleCell, ...]
    spans: tuple[tuple[int, int], ...]
    steps: tuple[int, int]

    def at(self, number: int) -> TriangleCell:
        """Return the readings after a step; an empty cell where there are none."""
        place = bisect_right(self.cells, number, key=lambda cell: cell.number) - 1
        found = self.cells[place] if place >= 0 else None
        hit = found is not None and found.number == number
        return found if found is not None and hit else TriangleCell(number, None, None)

    @property
    def now(self) -> TriangleCell:
        """The readings after the last step."""
        return self.at(self.steps[1])

    @property
    def shown(self) -> tuple[Reading | None, ...]:
        """Its presence after every step."""
        return tuple(self.at(number).shown for number in self._numbers)

    @property
    def back(self) -> tuple[Reading | None, ...]:
        """Its resurgence after every step."""
        return tuple(self.at(number).back for number in self._numbers)

    @property
    def erased_at(self) -> tuple[bool, ...]:
        """Whether it is erased, for every step."""
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
        concept: The concept.
        points: Numbers of steps, with their readings.
    """

    measure: str
    concept: str
    points: tuple[tuple[int, Reading], ...]


@dataclass(frozen=True)
class Method:
    """The method of the measurements.

    Attributes:
        policy: Name of the last entry's policy.
        known: Whether that policy could be read.
        rules: Digest of the policy in the entry; empty where the entry holds only its
            name, and the rest is from today's policy of that name.
        judge: The judge of pictures.
        sampling: Settings of the sampler.
        limits: The policy's limits.
        probes: Number of pictures of each probe.
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
    """The contents of a report.

    Attributes:
        model: The base's name.
        base: Its digest.
        revision: The revision as the user typed it.
        judgement: The policy's verdict.
        weakest: The worst readings.
        steps: The history, oldest first.
        pairs: Pictures before and after.
        unpainted: Number of pairs that were not painted.
        graph: The concepts and their damage.
        triangle: Presence and resurgence of erased concepts.
        nats: Information over time.
        relations: Mean damage by relation, for each step: its number, and the reading.
        method: The method of the measurements.
        audits: Audits of models made from it.
        attacks: Attacks on its erasures.
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
        size = f"{len(self.steps)} steps, {len(self.pairs)} pairs of pictures"
        return f"<Findings of {self.model} at {self.revision}: {size}>"

    @property
    def last(self) -> Step:
        """The step of the revision."""
        return self.steps[-1]
