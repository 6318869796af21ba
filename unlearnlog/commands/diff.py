"""``diff``: the differences of two revisions, in weights and in readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Delta, Weights
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.reading import Reading


@dataclass(frozen=True)
class ChangedTensor:
    """A tensor that differs between two revisions.

    Attributes:
        name: Full parameter name.
        share: Frobenius norm of the difference, as a share of the base's tensor.
    """

    name: str
    share: float


@dataclass(frozen=True)
class OnlyIn:
    """Concepts and deltas of only one of two revisions.

    Attributes:
        entry: Id of the revision; None for the base.
        concepts: Concepts erased there and not at the other.
        norm: Frobenius norm of the deltas that only it replays, all together.
    """

    entry: EntryId | None
    concepts: tuple[str, ...]
    norm: float


@dataclass(frozen=True)
class ReadingPair:
    """One reading at both revisions; None where it was not taken."""

    probe: str
    concept: str
    left: Reading | None
    right: Reading | None


@dataclass(frozen=True)
class Difference:
    """Result of ``diff A B``.

    Attributes:
        left: What only A has.
        right: What only B has.
        n_tensors: Number of tensors that either history changes.
        moved: Tensors that differ, most first.
        overlap: Overlap of the text directions of the two sides' deltas, as the cosine
            of the smallest principal angle; 0 where one side has none.
        readings: Every reading of either entry.
    """

    left: OnlyIn
    right: OnlyIn
    n_tensors: int
    moved: tuple[ChangedTensor, ...]
    overlap: float
    readings: tuple[ReadingPair, ...]

    def __repr__(self) -> str:
        one, other = (
            f"{(side.entry or 'base')[:12]} ({', '.join(side.concepts) or 'nothing'})"
            for side in (self.left, self.right)
        )
        moved = f"{len(self.moved)} of {self.n_tensors} tensors differ"
        return f"<Difference only in {one}, only in {other}: {moved}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as ``diff --json`` prints them."""
        return {
            "left": asdict(self.left),
            "right": asdict(self.right),
            "tensors": {
                "touched": self.n_tensors,
                "moved": [asdict(moved) for moved in self.moved],
            },
            "overlap": self.overlap,
            "readings": [
                {
                    "probe": pair.probe,
                    "concept": pair.concept,
                    "left": pair.left and pair.left.row(),
                    "right": pair.right and pair.right.row(),
                }
                for pair in self.readings
            ],
        }


def diff(at: Session, one: str, other: str) -> Difference:
    """Compare two revisions of one ledger.

    Raises:
        RevisionError: A revision names nothing or more than one entry.
    """
    ledger = at.the_ledger()
    ids = ledger.resolve(one), ledger.resolve(other)
    plans = [ledger.plan(entry) for entry in ids]
    own = [
        [ledger.delta(digest) for digest in plan if digest not in against]
        for plan, against in zip(plans, map(frozenset, reversed(plans)), strict=True)
    ]
    states = [ledger.state(entry, at.model.base) for entry in ids]
    erased = [_erased(at, entry) for entry in ids]
    left, right = (
        OnlyIn(
            entry,
            tuple(n for n in names if n not in against),
            sum(delta.norm**2 for delta in deltas) ** 0.5,
        )
        for entry, names, against, deltas in zip(
            ids, erased, map(frozenset, reversed(erased)), own, strict=True
        )
    )
    return Difference(
        left=left,
        right=right,
        n_tensors=len(states[0].keys() | states[1].keys()),
        moved=_moved(at.model.base, *states),
        overlap=_overlap(*own),
        readings=_paired(*(_readings(at, entry) for entry in ids)),
    )


def _erased(at: Session, entry: EntryId | None) -> list[str]:
    from unlearnlog.core.active import live_concepts

    return list(live_concepts(at.the_ledger().history(entry)))


def _readings(at: Session, entry: EntryId | None) -> Sequence[Reading]:
    return at.the_ledger().entry(entry).readings if entry else ()


def _moved(base: Weights, one: Weights, other: Weights) -> tuple[ChangedTensor, ...]:
    """Return the tensors that differ, with their relative distances."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        old = base[name].double()
        a, b = (state.get(name, base[name]).double() for state in (one, other))
        if (gap := float((b - a).norm())) > 0:
            found.append(ChangedTensor(name, gap / max(float(old.norm()), 1e-30)))
    return tuple(sorted(found, key=lambda moved: -moved.share))


def _overlap(one: Sequence[Delta], other: Sequence[Delta]) -> float:
    """Return the largest overlap of a delta of one side with one of the other."""
    return max((a.overlap(b) for a in one for b in other), default=0.0)


def _paired(
    one: Sequence[Reading], other: Sequence[Reading]
) -> tuple[ReadingPair, ...]:
    """Pair the readings of one probe and concept."""
    left = {(r.probe, r.concept): r for r in one}
    right = {(r.probe, r.concept): r for r in other}
    return tuple(
        ReadingPair(*key, left.get(key), right.get(key))
        for key in dict.fromkeys([*left, *right])
    )
