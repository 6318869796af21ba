"""One line of history: what was erased, how, what it changed, what was measured.

An entry's id is the SHA-256 of its canonical JSON, and the JSON holds the parent's
id: a hash chain. What a revision's weights are is a pure function of the chain
(`plan`), so going back is leaving out, never subtracting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NewType, Self

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.core.concept import Concept, ConceptId
from unlearnlog.core.digest import (
    Digest,
    DigestField,
    Record,
    canonical_json,
    digest_of,
)
from unlearnlog.core.note import Note
from unlearnlog.core.reading import Reading
from unlearnlog.errors import ConceptError

EntryId = NewType("EntryId", str)
"""64 lower-case hex digits: the SHA-256 of an entry's canonical JSON."""

Kind = Literal["erase", "revert", "compose", "import", "audit"]

Scalar = str | bool | int | float | None
Setting = Scalar | tuple[Scalar, ...]
"""A setting's value. A whole float such as 1.0 comes back from disk as 1."""

_FORMAT = 1
_EXACT = 2**53 - 1  # the largest integer that every JSON reader keeps exactly
_Count = Annotated[int, Field(ge=0, le=_EXACT)]
_EntryIdField = Annotated[EntryId, Field(pattern=r"^[0-9a-f]{64}$")]


class NewerFormat(ValueError):  # noqa: N818 - reads as what happened
    """An entry in a format of which this program knows nothing.

    Attributes:
        found: The format's number.
    """

    def __init__(self, found: int) -> None:
        """Keep the number."""
        super().__init__(f"not an entry: its format is {found}")
        self.found = found


class EraserRecord(Record):
    """The eraser's registered name and every one of its settings."""

    name: Annotated[str, Field(min_length=1)]
    settings: dict[str, Setting] = Field(default_factory=dict)

    @field_validator("settings")
    @classmethod
    def _are_exact_in_json(cls, settings: dict[str, Setting]) -> dict[str, Setting]:
        if "name" in settings:
            message = "a setting cannot be called 'name': that is the eraser's own"
            raise ValueError(message)
        for key, value in settings.items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, int | float) and not _is_exact(one):
                    message = f"setting {key} = {one} is not exact in JSON"
                    raise ValueError(message)
        return settings


class Append(Record):
    """A delta that is added for as long as its entry counts.

    Attributes:
        object: The delta.
        of: Ids of the concepts it erases; empty for all of the entry's, unless a group
            does. An entry that brings several deltas names the concepts of each.
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
        eraser: What solves it for any set of concepts.
        members: Ids of the live concepts, sorted.
        key: Digest of the concepts, with all that is said of them: what the delta is a
            function of; None where nobody will look for it.
        object: The set's delta; None takes the group out of the replay.
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
    """Leave out what an earlier entry appended, and undo what it dropped."""

    op: Literal["drop"] = "drop"
    entry: _EntryIdField


Change = Annotated[Append | SetGroup | Drop, Field(discriminator="op")]


class DeltaRecord(Record):
    """The delta an entry brought: its digest and its size in bytes."""

    digest: DigestField
    n_bytes: _Count


class StateRecord(Record):
    """Digests of the weights the entry found and the weights it left."""

    before: DigestField
    after: DigestField


class VerdictRecord(Record):
    """Whether the policy's limits held, and which of them did not.

    Attributes:
        passed: Whether every limit held. Entries from before there was ``accepted`` say
            so, too, of what was recorded although a limit was open: ask `holds`.
        accepted: Whether the user had it recorded all the same.
        failures: What did not hold.
        undecided: What the pictures could not tell.
    """

    passed: bool
    accepted: bool = False
    failures: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        failures: tuple[str, ...],
        undecided: tuple[str, ...],
        *,
        accepts_doubt: bool = False,
        accepts_failure: bool = False,
    ) -> Self:
        """Return the verdict on these sentences; whoever accepts accepts all of them.

        Args:
            failures: What does not hold.
            undecided: What cannot be told.
            accepts_doubt: Whether the user wants it although something is open.
            accepts_failure: Whether the user wants it although something fails.
        """
        passed = not failures and not undecided
        accepted = accepts_failure or (accepts_doubt and not failures)
        return cls(
            passed=passed,
            accepted=accepted and not passed,
            failures=failures,
            undecided=undecided,
        )

    @property
    def holds(self) -> bool:
        """Whether every limit held, each on enough pictures."""
        return self.passed and not self.failures and not self.undecided

    @property
    def may_stand(self) -> bool:
        """Whether it may be recorded: it holds, or the user accepted that."""
        return self.passed or self.accepted

    @property
    def word(self) -> str:
        """What it comes to, in a word: doubt that was accepted is doubt."""
        if self.failures:
            return "failed"
        if self.undecided:
            return "undecided"
        return "passed" if self.passed else "refused"

    def row(self) -> dict[str, Any]:
        """Give it as JSON: an old record says of itself what a new one would."""
        return {
            "passed": self.holds,
            "accepted": self.may_stand and not self.holds,
            "failures": list(self.failures),
            "undecided": list(self.undecided),
        }

    @model_serializer(mode="wrap")
    def _leaves_out_what_is_empty(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write what entries from before there was doubt were written as."""
        written: dict[str, Any] = write(self)
        for name in ("accepted", "undecided"):
            if not getattr(self, name):
                written.pop(name, None)
        return written


class Entry(Record):
    """One line of history, complete enough to be replayed and to be judged.

    Attributes:
        format: Version of this record's shape.
        parent: The entry before it; None when it stands on the base.
        kind: What sort of event it was.
        concepts: What it was about.
        eraser: Which method, with all of its settings.
        seed: Where the method's random numbers started.
        policy: Name of the policy that judged it.
        rules: What that policy said then, as `Policy.rules` writes it; None where
            nobody wrote it down, as in older entries, and where no policy was asked.
        changes: What it does to the replay, in order.
        delta: The delta it brought; None when it only rearranged.
        state: Digests before and after.
        readings: What the probes saw afterwards.
        attacks: What attacks found that were tried on what was erased before.
        verdict: What the policy said.
        seconds: Wall-clock time it took, in s.
        made_with: Time, versions, machine.
        note: What people say of it; None where nobody said anything, as in older
            entries.
    """

    format: Literal[1] = 1
    parent: _EntryIdField | None
    kind: Kind
    concepts: tuple[Concept, ...]
    eraser: EraserRecord
    seed: _Count
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
    def _leaves_out_prompts_nobody_gave(
        self, concepts: tuple[Concept, ...], write: SerializerFunctionWrapHandler
    ) -> list[dict[str, Any]]:
        """Write a concept without free prompts as it was before there were any."""
        written: list[dict[str, Any]] = write(concepts)
        for record in written:
            if not record["prompts"]:
                del record["prompts"]
        return written

    @model_serializer(mode="wrap")
    def _leaves_out_what_nobody_wrote_down(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write an entry without rules, attacks or note as before there were any."""
        written: dict[str, Any] = write(self)
        if self.rules is None:
            written.pop("rules", None)  # it is not there if a part was asked for
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
        said = ", ".join([f"{self.kind} {names}", *shown])
        return f"<Entry {self.id[:12]}: {said}, {self.verdict.word}>"

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
        """Copy the entry with other values; the copy has an id of its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("id", None)
        return copied

    @property
    def date(self) -> str:
        """When it was made: UTC, ISO 8601; empty where nobody wrote it down."""
        return self.made_with.get("created", "")

    @property
    def objects(self) -> tuple[Digest, ...]:
        """Digests of all deltas its changes name, in order."""
        named = [c.object for c in self.changes if not isinstance(c, Drop)]
        return tuple(digest for digest in named if digest is not None)

    def to_json(self) -> bytes:
        """Write the entry in its one canonical form (RFC 8785)."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, data: bytes) -> Entry:
        """Read an entry, and accept no other spelling than the canonical one.

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
        """Read an entry back by its id; its form was checked when it was recorded.

        A long history is read in a blink this way; `from_json` would write each entry
        anew to compare.

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
        """Read an entry in any spelling."""
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
        """Give the entry as one element of ``log --json``."""
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


def plan(entries: Sequence[Entry]) -> tuple[Digest, ...]:
    """Say which deltas make the state after ``entries``, in replay order.

    Groups come first, by name; then what was appended by entries that still count,
    in order. An entry that was dropped counts again when the drop is dropped.

    Args:
        entries: A chain from the first entry on, oldest first.

    Returns:
        Digests of the deltas; empty when the state is the base's.

    Raises:
        ValueError: An entry drops one that is not before it in the chain.
    """
    gone = dropped(entries)
    groups: dict[str, Digest | None] = {}
    appended: list[Digest] = []
    for entry in entries:
        for change in entry.changes:
            if isinstance(change, SetGroup):
                groups[change.group] = change.object
            elif isinstance(change, Append) and entry.id not in gone:
                appended.append(change.object)
    solved = (groups[name] for name in sorted(groups))
    return (*(digest for digest in solved if digest is not None), *appended)


def dropped(entries: Sequence[Entry], also: Iterable[EntryId] = ()) -> set[EntryId]:
    """Find the entries that later ones leave out, newest drop first.

    Args:
        entries: A chain from the first entry on, oldest first.
        also: What one more entry on top of them would leave out.

    Raises:
        ValueError: An entry drops one that is not before it in the chain.
    """
    gone = set(also)
    if not any(isinstance(c, Drop) for entry in entries for c in entry.changes):
        return gone
    places = {entry.id: i for i, entry in enumerate(entries)}
    for i, entry in reversed([*enumerate(entries)]):
        drops = {c.entry for c in entry.changes if isinstance(c, Drop)}
        if unknown := sorted(drop for drop in drops if places.get(drop, i) >= i):
            message = f"entry {entry.id} drops {unknown}, not before it"
            raise ValueError(message)
        if entry.id not in gone:
            gone |= drops
    return gone


def _is_exact(number: float) -> bool:
    """Whether a number is finite and, when whole, small enough for JSON."""
    return abs(number) <= _EXACT
