"""The parts of a report, whatever it is written as: frozen, without tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Literal, TypeAlias

from unlearnlog.entry import Entry
from unlearnlog.findings.attacked import Tried
from unlearnlog.findings.audited import Audit
from unlearnlog.reading import Reading

Word = Literal["passed", "failed", "undecided", "unmeasured"]
Status = Literal["kept", "erased", "doubtful", "unread"]
Data: TypeAlias = bool | int | float | str | list["Data"] | dict[str, "Data"] | None
"""What JSON can hold."""


@dataclass(frozen=True)
class Step:
    """One entry of the history that leads to the revision.

    Attributes:
        number: Its place, from 1 on.
        entry: What was recorded.
        live: Names of all concepts that are erased after it.
        names: The concepts that it is about and those that it took back, as a text.
        doubts: Why the erasure of some of ``live`` is not to be claimed, by name.
    """

    number: int
    entry: Entry
    live: tuple[str, ...]
    names: str
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        return next(
            (
                reading
                for reading in self.entry.readings
                if reading.probe == "presence" and reading.concept == concept
            ),
            None,
        )


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
class Pair:
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
class Harm:
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
class Graph:
    """The concepts, and what every entry did to them.

    Attributes:
        nodes: Concepts, family by family.
        edges: What ties them.
        harm: For every step, one for each node.
        left_out: How many concepts there is no room for.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    harm: tuple[tuple[Harm, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class Row:
    """One erased concept of the triangle.

    Attributes:
        concept: The concept.
        since: Number of the step that erased it, for the last time.
        shown: For every step how often it shows, D(C_k, t_i); None where it is not
            erased or nobody looked.
        back: For every step its resurgence, D(C_k, t_i) - D(C_i, t_i); None before it
            is erased, at that step itself, and where nobody looked.
        erased_at: For every step whether it is meant to be gone.
    """

    concept: str
    since: int
    shown: tuple[Reading | None, ...]
    back: tuple[Reading | None, ...]
    erased_at: tuple[bool, ...]


@dataclass(frozen=True)
class Series:
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
    pairs: tuple[Pair, ...]
    unpainted: int
    graph: Graph
    triangle: tuple[Row, ...]
    nats: tuple[Series, ...]
    relations: tuple[tuple[int, Reading], ...]
    method: Method
    audits: tuple[Audit, ...] = ()
    attacks: tuple[Tried, ...] = ()

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
    found: Data
    match value:
        case Entry():
            found = {**value.row(), "seed": value.seed, "policy": value.policy}
        case Reading():
            found = {**value.row()}
        case Mapping():
            found = {str(key): as_data(each) for key, each in value.items()}
        case list() | tuple():
            found = [as_data(each) for each in value]
        case None | bool() | int() | float() | str():
            found = value
        case _ if is_dataclass(value):
            found = {f.name: as_data(getattr(value, f.name)) for f in fields(value)}
        case _:
            message = f"JSON cannot hold a {type(value).__name__}"
            raise TypeError(message)
    return found
