"""The concepts somebody knows of, with their families, read from a TOML file.

A family's ``word`` is how a prompt speaks of it: a style's movement as an adjective ("a
cubist cat"), a subject's category as a noun ("an animal"). Whatever is in a family has
the family's kind; a concept without one says its own.

    [families.cubism]
    kind = "style"
    word = "cubist"

    [concepts.Picasso]
    family = "cubism"
    aliases = ["Pablo Picasso", "the painter of Guernica"]
    look_alikes = ["Braque"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError

from unlearnlog.concept import Concept, concept_id
from unlearnlog.digest import Record
from unlearnlog.errors import ConceptError
from unlearnlog.graph.wording import PLAIN
from unlearnlog.resources import PACKAGE

GENERAL: Final = PACKAGE / "graph" / "general.toml"
"""Concepts that most text-to-image models know."""

EMPTY_SCENE: Final = "empty scene"
"""The anchor that stands for a picture of nothing in particular."""

_REMAINS: Final = frozenset(
    {"photo", "a-photo", "photograph", "plain", "plain-photo", "plain-style"}
    | {"empty", "empty-photo", "empty-scene", "an-empty-photo"}
)
"""Ids of what is left when nothing is named."""

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class FamilyRow(Record):
    """What a file says of a family.

    Attributes:
        kind: What its members are.
        word: How a prompt speaks of it.
    """

    kind: Literal["style", "subject"]
    word: Annotated[str, Field(min_length=1)]


class PromptRow(Record):
    """A free prompt that shows a concept.

    Attributes:
        text: The prompt.
        context: The same without the concept; empty for nothing.
    """

    text: str
    context: str


class ConceptRow(Record):
    """What a file says of a concept.

    Attributes:
        family: The family it is in; empty for none.
        kind: What it is; needed where there is no family.
        aliases: Its other names.
        anchor: What takes its place; empty for what its kind's anchor is.
        look_alikes: Concepts that are hard to tell from it.
        held_out: Whether the model was never shown it, on purpose.
        prompts: Prompts that show it beside those of the templates.
    """

    family: str = ""
    kind: str = ""
    aliases: _Names = ()
    anchor: str = ""
    look_alikes: _Names = ()
    held_out: bool = False
    prompts: Annotated[tuple[PromptRow, ...], Field(strict=False)] = ()


class WorldFile(Record):
    """A file of concepts.

    Attributes:
        families: By name.
        concepts: By name.
        anchors: What takes the place of a style, and of a subject.
        complete: Whether the model knows nothing but these concepts.
        kept: Prompts beside those of the concepts whose pictures must not change.
    """

    families: dict[str, FamilyRow] = Field(default_factory=dict)
    concepts: dict[str, ConceptRow]
    anchors: dict[Literal["style", "subject"], str] = Field(default_factory=dict)
    complete: bool = False
    kept: _Names = ()


@dataclass(frozen=True)
class Family:
    """Concepts that have something in common.

    Attributes:
        name: Such as ``cubism``.
        kind: ``style`` or ``subject``.
        word: How a prompt speaks of it, such as ``cubist``.
        members: Its concepts, those held out too.
    """

    name: str
    kind: str
    word: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """The concepts a model is asked about, and what ties them together.

    Attributes:
        concepts: Every concept by name, in the file's order.
        families: Every family by name, in the file's order.
        held_out: Names of concepts the model was never shown.
        look_alikes: Pairs whose difference is small but certain.
        complete: Whether the model knows nothing else.
        kept: Prompts beside theirs whose pictures must not change.
    """

    concepts: MappingProxyType[str, Concept]
    families: MappingProxyType[str, Family]
    held_out: tuple[str, ...]
    look_alikes: tuple[tuple[str, str], ...]
    complete: bool
    kept: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of concepts.

        Raises:
            ConceptError: The file cannot be read, or something in it is wrong.
        """
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConceptError(
                f"the concepts in '{path}' cannot be read: {error}",
                fix="give the path of a .toml file such as docs/CONCEPTS.md shows",
            ) from error
        return cls.of(data, str(path))

    @classmethod
    def of(cls, data: dict[str, Any], source: str) -> Self:
        """Check a file's data.

        Raises:
            ConceptError: Names the entry and what is wrong with it.
        """
        try:
            file = WorldFile.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            fix = "docs/CONCEPTS.md shows every key that there is"
            if first["type"] == "missing" and first["loc"][-1] == "context":
                fix = (
                    "say what remains of it without the concept: text = "
                    '"a minotaur in a ruined city", context = "a ruined city"'
                )
            raise ConceptError(
                f"'{source}' is wrong at {place}: {first['msg']}", fix=fix
            ) from error
        concepts = {
            name: _concept(file, name, row, source)
            for name, row in file.concepts.items()
        }
        _refuse_shared_names(concepts.values(), source)
        return cls(
            concepts=MappingProxyType(concepts),
            families=MappingProxyType(_families(file)),
            held_out=tuple(n for n, row in file.concepts.items() if row.held_out),
            look_alikes=_pairs(file, source),
            complete=file.complete,
            kept=file.kept,
        )

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles the model was shown."""
        return tuple(
            name
            for name, concept in self.concepts.items()
            if concept.kind == "style" and name not in self.held_out
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of everything else the model was shown."""
        return tuple(
            name
            for name, concept in self.concepts.items()
            if concept.kind != "style" and name not in self.held_out
        )

    def families_of(self, kind: str) -> dict[str, tuple[str, ...]]:
        """Return the members of each family of a kind, by the family's name."""
        return {f.name: f.members for f in self.families.values() if f.kind == kind}

    def shown(self, family: str) -> tuple[str, ...]:
        """Return the members of a family that the model was shown."""
        members = self.families[family].members
        return tuple(name for name in members if name not in self.held_out)

    @property
    def spoken_movements(self) -> tuple[str, ...]:
        """Families of styles with at least two known members: ones worth a caption."""
        return tuple(f for f in self.families_of("style") if len(self.shown(f)) > 1)

    def names(self, concept: str) -> tuple[str, ...]:
        """Return a concept's name and its other names."""
        return (concept, *self.concepts[concept].aliases)

    def look_alike(self, name: str) -> str | None:
        """Return the look-alike of ``name``, or None."""
        for one, other in self.look_alikes:
            if name in (one, other):
                return other if name == one else one
        return None

    def near(self, name: str) -> frozenset[str]:
        """Return the other members of a concept's family, and its look-alikes."""
        family = self.families.get(self.parent(name) or "")
        siblings = self.shown(family.name) if family else ()
        alike = (other for pair in self.look_alikes if name in pair for other in pair)
        return frozenset({*siblings, *alike}) - {name, *self.held_out}

    def parent(self, name: str) -> str | None:
        """Return the family of a concept, or None."""
        known = self.concepts.get(name)
        return known.parent or None if known else None

    def concept(self, name: str, *, kind: str = "") -> Concept:
        """Return the concept that ``name`` names.

        Case and spaces do not matter, and an alias will do.

        Args:
            name: What somebody typed.
            kind: What it is, for a name that this world does not know.

        Raises:
            ConceptError: It is what remains when nothing is named, a family, or nothing
                known.
        """
        wanted = Concept(name, kind or "style")
        if wanted.id in _REMAINS:
            raise ConceptError(
                f"'{wanted.name}' is what remains when nothing is named",
                fix="name an artist or a subject: unlearnlog concepts lists them",
            )
        for family in self.families.values():
            if wanted.id in (concept_id(family.name), concept_id(family.word)):
                members = ", ".join(family.members)
                raise ConceptError(
                    f"'{wanted.name}' is a family of {len(family.members)}, "
                    "not one concept",
                    fix=f"erase its members: {members}",
                )
        for each in self.concepts.values():
            if wanted.id in {concept_id(n) for n in (each.name, *each.aliases)}:
                return each
        if kind:
            anchor = PLAIN if kind == "style" else EMPTY_SCENE
            return replace(wanted, anchor=anchor)
        raise self._unknown(wanted)

    def named(self, name: str, *, kind: str, said: Mapping[str, Any]) -> Concept:
        """Return a concept with what somebody says of it in place of what is known.

        Args:
            name: What somebody typed.
            kind: What it is; empty for what this world says.
            said: ``aliases``, ``anchor``, ``parent`` and ``prompts``; what is empty is
                not said.

        Raises:
            ConceptError: As `concept` does; or the kind contradicts the world.
        """
        known = self.concept(name, kind=kind)
        if kind and known.kind != kind:
            raise ConceptError(
                f"'{known.name}' is a {known.kind}, not a {kind}",
                fix=f"leave out --kind {kind}",
            )
        return replace(known, **{key: value for key, value in said.items() if value})

    def knowing(self, concepts: Iterable[Concept]) -> World:
        """Return the world with these concepts in it, each in place of its namesake."""
        found = {**self.concepts, **{c.name: c for c in concepts}}
        return replace(self, concepts=MappingProxyType(found))

    def _unknown(self, wanted: Concept) -> ConceptError:
        known = {name.casefold(): name for name in self.concepts}
        near = get_close_matches(wanted.name.casefold(), known, n=1, cutoff=0.5)
        hint = f"did you mean '{known[near[0]]}'? " if near else ""
        if self.complete:
            return ConceptError(
                f"this model was never shown '{wanted.name}': nothing to erase",
                fix=f"{hint}known: {', '.join(known[name] for name in sorted(known))}",
            )
        return ConceptError(
            f"no file of concepts says what '{wanted.name}' is",
            fix=f"{hint}say it with --kind style or --kind subject",
        )


def _concept(file: WorldFile, name: str, row: ConceptRow, source: str) -> Concept:
    family = file.families.get(row.family)
    if row.family and family is None:
        raise ConceptError(
            f"'{source}' puts '{name}' into the family '{row.family}', "
            "which it does not describe",
            fix=f"add [families.{row.family!r}] with its kind and its word",
        )
    kind = family.kind if family else row.kind
    if not kind or (row.kind and row.kind != kind):
        raise ConceptError(
            f"'{source}' does not say what '{name}' is"
            if not kind
            else f"'{source}' calls '{name}' a {row.kind}, but its family a {kind}",
            fix='give it kind = "style" or kind = "subject", or a family',
        )
    slot: Literal["style", "subject"] = "style" if kind == "style" else "subject"
    usual = PLAIN if slot == "style" else EMPTY_SCENE
    anchor = row.anchor or file.anchors.get(slot, usual)
    prompts = tuple((each.text, each.context) for each in row.prompts)
    return Concept(
        name, kind, row.aliases, anchor=anchor, parent=row.family, prompts=prompts
    )


def _families(file: WorldFile) -> dict[str, Family]:
    members: dict[str, list[str]] = {name: [] for name in file.families}
    for name, row in file.concepts.items():
        if row.family:
            members[row.family].append(name)
    return {
        name: Family(name, row.kind, row.word, tuple(members[name]))
        for name, row in file.families.items()
    }


def _pairs(file: WorldFile, source: str) -> tuple[tuple[str, str], ...]:
    found: dict[frozenset[str], tuple[str, str]] = {}
    for name, row in file.concepts.items():
        for other in row.look_alikes:
            if other not in file.concepts or other == name:
                raise ConceptError(
                    f"'{source}' says that '{name}' looks like '{other}', "
                    "which is not another of its concepts",
                    fix=f"add [concepts.{other!r}], or leave it out",
                )
            found.setdefault(frozenset((name, other)), (name, other))
    return tuple(found.values())


def _refuse_shared_names(concepts: Iterable[Concept], source: str) -> None:
    owner: dict[str, str] = {}
    for concept in concepts:
        for name in (concept.name, *concept.aliases):
            first = owner.setdefault(concept_id(name), concept.name)
            if first != concept.name:
                raise ConceptError(
                    f"'{source}' calls both '{first}' and '{concept.name}' '{name}'",
                    fix="give each concept names of its own",
                )
