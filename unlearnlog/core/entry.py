"""Entries of a history: concepts, eraser, changes of the weights, readings, verdict.

An entry's id is the SHA-256 of its canonical JSON, and the JSON holds the parent's
id: a hash chain. A revision's weights are a pure function of the chain
(`replay_plan.plan`), so a revert leaves deltas out and never subtracts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NewType, Self

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_serializer,
    model_validator,
)

from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.core.concept import Concept, ConceptId
from unlearnlog.core.digest import (
    Count,
    Digest,
    DigestField,
    Record,
    canonical_json,
    digest_of,
)
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.note import Note
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import ConceptError

EntryId = NewType("EntryId", str)
"""64 lower-case hex digits: the SHA-256 of an entry's canonical JSON."""

Kind = Literal["erase", "revert", "compose", "import", "audit"]

_FORMAT = 1
_EntryIdField = Annotated[EntryId, Field(pattern=r"^[0-9a-f]{64}$")]


class NewerFormat(ValueError):  # noqa: N818 - reads as what happened
    """An entry in a newer format than this program's.

    Attributes:
        found: The format's number.
    """

    def __init__(self, found: int) -> None:
        """Keep the format's number."""
        super().__init__(f"not an entry: its format is {found}")
        self.found = found


class Append(Record):
    """A delta that is added unless its entry is dropped.

    Attributes:
        object: Digest of the delta.
        of: Ids of the concepts it erases; empty for all of the entry's that no group
            erases. An entry with several deltas lists the concepts of each.
    """

    op: Literal["append"] = "append"
    object: DigestField
    of: tuple[ConceptId, ...] = ()

    @model_serializer(mode="wrap")
    def _leaves_out_what_is_empty(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if not self.of:
            del written["of"]
        return written


class SetGroup(Record):
    """A joint group's new live set and the delta that was solved for it.

    Attributes:
        group: The group's name.
        eraser: The eraser that solves it for any set of concepts.
        members: Ids of the live concepts, sorted.
        key: Digest of the concepts with all of their fields, of which the delta is a
            function; None where the delta is not reused.
        object: Digest of the set's delta; None takes the group out of the replay.
    """

    op: Literal["set-group"] = "set-group"
    group: Annotated[str, Field(min_length=1)]
    eraser: EraserRecord
    members: tuple[ConceptId, ...]
    key: DigestField | None = None
    object: DigestField | None

    @model_validator(mode="after")
    def _has_a_sorted_set(self) -> Self:
        if list(self.members) != sorted(set(self.members)):
            message = f"members are not sorted and unique: {self.members}"
            raise ValueError(message)
        return self


class Drop(Record):
    """An earlier entry to drop: its deltas are left out, and its drops undone."""

    op: Literal["drop"] = "drop"
    entry: _EntryIdField


Change = Annotated[Append | SetGroup | Drop, Field(discriminator="op")]


class DeltaRecord(Record):
    """The digest and the size in bytes of an entry's delta."""

    digest: DigestField
    n_bytes: Count


class StateRecord(Record):
    """Digests of the weights before and after the entry."""

    before: DigestField
    after: DigestField


class Entry(Record):
    """One line of history, complete enough to be replayed and to be judged.

    Attributes:
        format: Version of this record's shape.
        parent: Id of the entry before it; None when it stands on the base.
        kind: The kind of entry.
        concepts: The concepts it is about.
        eraser: The eraser with all of its settings.
        seed: Seed of the eraser's random numbers.
        policy: Name of the policy that it was judged by.
        rules: That policy's content, as `Policy.rules` writes it; None in older entries
            and where no policy applied.
        changes: Its changes to the replay, in order.
        delta: The new delta; None when it only rearranged earlier ones.
        state: Digests of the weights before and after.
        readings: Readings of the probes on the weights after it.
        attacks: Attacks on concepts that were erased before.
        verdict: The verdict of the policy.
        seconds: Wall-clock time it took, in s.
        made_with: Time, versions, machine.
        note: The user's note; None where there is none, as in older entries.
    """

    format: Literal[1] = 1
    parent: _EntryIdField | None
    kind: Kind
    concepts: tuple[Concept, ...]
    eraser: EraserRecord
    seed: Count
    policy: str
    rules: dict[str, JsonValue] | None = None
    changes: tuple[Change, ...]
    delta: DeltaRecord | None
    state: StateRecord
    readings: tuple[Reading, ...] = ()
    attacks: tuple[AttackRecord, ...] = ()
    verdict: VerdictRecord
    seconds: Annotated[float, Field(ge=0)]
    made_with: dict[str, str]
    note: Note | None = None

    @field_serializer("concepts", mode="wrap")
    def _leaves_out_missing_prompts(
        self, concepts: tuple[Concept, ...], write: SerializerFunctionWrapHandler
    ) -> list[dict[str, Any]]:
        """Return concepts without empty free prompts, which older entries lack."""
        written: list[dict[str, Any]] = write(concepts)
        for record in written:
            if not record["prompts"]:
                del record["prompts"]
        return written

    @model_serializer(mode="wrap")
    def _leaves_out_missing_fields(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Return the entry without empty rules, attacks and note, as in older ones."""
        written: dict[str, Any] = write(self)
        if self.rules is None:
            written.pop("rules", None)  # a dump of some fields does not hold it
        if not written.get("note"):
            written.pop("note", None)
        if not self.attacks:
            written.pop("attacks", None)
        return written

    def __repr__(self) -> str:
        names = ", ".join(concept.name for concept in self.concepts) or "nothing"
        worst: dict[str, float] = {}
        for r in self.readings:
            worst[r.probe] = min(r.value, worst.get(r.probe, r.value))
        shown = (f"{k} {worst[k]:.3f}" for k in ("ua", "ira", "cra") if k in worst)
        text = ", ".join([f"{self.kind} {names}", *shown])
        return f"<Entry {self.id[:12]}: {text}, {self.verdict.word}>"

    __str__ = __repr__

    @property
    def rules_digest(self) -> Digest | None:
        """SHA-256 of the rules' canonical JSON: one for all entries of one policy."""
        return None if self.rules is None else digest_of(canonical_json(self.rules))

    @cached_property
    def id(self) -> EntryId:
        """SHA-256 of the canonical JSON."""
        return EntryId(digest_of(self.to_json()))

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Return a copy with other values and an id of its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("id", None)
        return copied

    @property
    def date(self) -> str:
        """Time of the entry: UTC, ISO 8601; empty where it was not recorded."""
        return self.made_with.get("created", "")

    @property
    def objects(self) -> tuple[Digest, ...]:
        """Digests of all deltas that its changes refer to, in order."""
        named = [c.object for c in self.changes if not isinstance(c, Drop)]
        return tuple(digest for digest in named if digest is not None)

    def to_json(self) -> bytes:
        """Return the entry as canonical JSON (RFC 8785)."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, data: bytes) -> Entry:
        """Parse an entry from canonical JSON; refuse any other form.

        Raises:
            ValueError: The bytes are not an entry, or not its canonical form.
        """
        entry = cls._read(data)
        if entry.to_json() != data:
            message = "an entry, but not in canonical form"
            raise ValueError(message)
        return entry

    @classmethod
    def recorded(cls, data: bytes, entry_id: EntryId) -> Entry:
        """Parse an entry of a known id; its form was checked when it was recorded.

        This is fast on a long history: `from_json` writes each entry again to compare.

        Raises:
            ValueError: The bytes are not those of the id, or not an entry.
        """
        if (found := EntryId(digest_of(data))) != entry_id:
            message = f"its content is {found}"
            raise ValueError(message)
        entry = cls._read(data)
        entry.__dict__["id"] = entry_id
        return entry

    @classmethod
    def _read(cls, data: bytes) -> Entry:
        """Parse an entry from JSON in any form."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            found = problem["input"]
            if where == "format" and isinstance(found, int) and found > _FORMAT:
                raise NewerFormat(found) from error
            message = f"not an entry: {where or 'all of it'}: {problem['msg']}"
            raise ValueError(message) from error
        except ConceptError as error:
            message = f"not an entry: {error.message}"
            raise ValueError(message) from error

    def row(self) -> dict[str, Any]:
        """Return the entry as one element of ``log --json``."""
        delta = self.delta and {
            "bytes": self.delta.n_bytes,
            "digest": self.delta.digest,
        }
        concepts = self.model_dump(mode="json", include={"concepts"})["concepts"]
        tried = [each.model_dump(mode="json") for each in self.attacks]
        return {
            "id": self.id,
            "parent": self.parent,
            "kind": self.kind,
            "date": self.date,
            **({"note": self.note.model_dump(mode="json")} if self.note else {}),
            "concepts": [
                {"id": concept.id, **record}
                for concept, record in zip(self.concepts, concepts, strict=True)
            ],
            "eraser": {"name": self.eraser.name, **self.eraser.settings},
            "delta": delta,
            "state": self.state.model_dump(),
            "readings": [reading.row() for reading in self.readings],
            **({"attacks": tried} if tried else {}),
            "verdict": self.verdict.row(),
            "seconds": self.seconds,
        }
