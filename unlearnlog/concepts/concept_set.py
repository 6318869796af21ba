"""The concepts somebody knows of, with their families: what a file of them says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from pydantic import ValidationError

from unlearnlog.concepts.concept_file import (
    EMPTY_SCENE,
    ROWS,
    ConceptFile,
    Family,
    check_kind,
    concept_of,
    families_of,
    look_alikes_of,
    refuse_shared_names,
    relations_of,
)
from unlearnlog.concepts.style_of_subject import refuse_pair
from unlearnlog.concepts.templates import PLAIN
from unlearnlog.core.concept import Concept, concept_id
from unlearnlog.core.names import one_name
from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.core.resources import PACKAGE
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.errors import ConceptError

GENERAL: Final = PACKAGE / "concepts" / "general.toml"
"""Concepts that most text-to-image models know."""

_REMAINS: Final = frozenset(
    {"photo", "a-photo", "photograph", "plain", "plain-photo", "plain-style"}
    | {"empty", "empty-photo", "empty-scene", "an-empty-photo"}
)
"""Ids of what is left when nothing is named."""


def _keys(loc: tuple[int | str, ...]) -> str:
    """Say which keys there are where one is wrong, and which may have been meant.

    Args:
        loc: Where it stands: table, name or number, key.
    """
    row = ROWS.get(str(loc[0])) if len(loc) > 2 else None
    fields = (row or ConceptFile).model_fields
    key = str(loc[min(len(loc), 3) - 1] if loc else "")
    return f"{hint(key, fields)}known there: {', '.join(fields)}"


class _UnknownError(ConceptError):
    """A name that no file of concepts and no entry knows."""


@dataclass(frozen=True)
class ConceptSet:
    """The concepts a model is asked about, and what ties them together.

    Attributes:
        concepts: Every concept by name, in the file's order.
        families: Every family by name, in the file's order.
        held_out: Names of concepts the model was never shown.
        look_alikes: Pairs whose difference is small but certain.
        complete: Whether the model knows nothing else.
        kept: Prompts beside theirs whose pictures must not change.
        relations: What the second of two concepts is to the first, by their names, both
            ways round.
        tokens: Words that were added to the model's tokenizer, such as ``<cat>``: each
            is a name of its own, whatever it is near to.
    """

    concepts: MappingProxyType[str, Concept]
    families: MappingProxyType[str, Family]
    held_out: tuple[str, ...]
    look_alikes: tuple[tuple[str, str], ...]
    complete: bool
    kept: tuple[str, ...] = ()
    relations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    tokens: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of concepts.

        Raises:
            ConceptError: The file cannot be read, or something in it is wrong.
        """
        try:
            data = tomllib.loads(text_of(path))
        except (OSError, ValueError, RecursionError) as error:
            raise ConceptError(
                f"the concepts in '{path}' cannot be read: {error}",
                fix=fix_of(error, "give a .toml file such as docs/CONCEPTS.md shows"),
            ) from error
        return cls.of(data, str(path))

    @classmethod
    def of(cls, data: dict[str, Any], source: str) -> Self:
        """Check a file's data.

        Raises:
            ConceptError: Names the entry and what is wrong with it.
        """
        try:
            file = ConceptFile.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            what, fix = first["msg"], "docs/CONCEPTS.md shows every key that there is"
            if first["type"] == "extra_forbidden":
                what, fix = "there is no such key", _keys(first["loc"])
            if first["type"] == "missing" and first["loc"][-1] == "context":
                fix = (
                    "say what remains of it without the concept: text = "
                    '"a minotaur in a ruined city", context = "a ruined city"'
                )
            raise ConceptError(
                f"'{source}' is wrong at {place}: {what}", fix=fix
            ) from error
        concepts = {
            name: concept_of(file, name, row, source)
            for name, row in file.concepts.items()
        }
        refuse_shared_names(concepts.values(), source)
        for concept in concepts.values():
            for text in (concept.name, *concept.aliases):
                refuse_pair(text, concepts)
        return cls(
            concepts=MappingProxyType(concepts),
            families=MappingProxyType(families_of(file, source)),
            held_out=tuple(n for n, row in file.concepts.items() if row.held_out),
            look_alikes=look_alikes_of(file, source),
            complete=file.complete,
            kept=file.kept,
            relations=relations_of(file, source),
        )

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles the model was shown."""
        return tuple(
            name
            for name, concept in self.concepts.items()
            if concept.kind == "style" and name not in self.held_out
        )

    @cached_property
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
        """Return its family's other members, its look-alikes, and what is said near."""
        family = self.families.get(self.parent(name) or "")
        siblings = self.shown(family.name) if family else ()
        alike = (other for pair in self.look_alikes if name in pair for other in pair)
        said = (other for one, other in self.relations if one == name)
        return frozenset({*siblings, *alike, *said}) - {name, *self.held_out}

    def parent(self, name: str) -> str | None:
        """Return the family of a concept, or None."""
        known = self.concepts.get(name)
        return known.parent or None if known else None

    def concept(self, name: str, *, kind: str = "") -> Concept:
        """Return the concept that ``name`` names.

        What is spelt alike counts first, and a token of the model's own is nobody
        else; then case and spaces do not matter. An alias will do.

        Args:
            name: What somebody typed.
            kind: What it is, for a name that this world does not know.

        Raises:
            ConceptError: It is what remains when nothing is named, a family, a list of
                names, one style of one subject, or nothing known.
        """
        alike = self._spelt(" ".join(name.split()))
        if alike is not None:
            return alike
        one_name(name)
        refuse_pair(name, self.concepts)
        wanted = Concept(name, kind or "style")
        check_kind(kind)
        known = None if wanted.name in self.tokens else self._known(wanted)
        if known is not None:
            return known
        if kind:
            anchor = PLAIN if kind == "style" else EMPTY_SCENE
            return replace(wanted, anchor=anchor)
        raise self._unknown(wanted)

    def _spelt(self, name: str) -> Concept | None:
        """Return the concept whose name or alias is spelt like this, letter by letter.

        A name counts before anybody's alias.
        """
        others = (c for c in self.concepts.values() if name in c.aliases)
        return self.concepts.get(name) or next(others, None)

    def _known(self, wanted: Concept) -> Concept | None:
        """Return the concept of that name in any spelling, if this world has one.

        Raises:
            ConceptError: It is what remains when nothing is named, or a family.
        """
        if wanted.id in _REMAINS:
            raise ConceptError(
                f"'{wanted.name}' is what remains when nothing is named",
                fix="name an artist or a subject: unlearnlog concepts lists them",
            )
        for family in self.families.values():
            if wanted.id in (concept_id(family.name), concept_id(family.word)):
                known = [n for n in family.members if n not in self.held_out]
                raise ConceptError(
                    f"'{wanted.name}' is a family of {len(known)}, not one concept",
                    fix=f"erase its members: {', '.join(known)}",
                )
        for each in self.concepts.values():
            names = {*(each.name, *each.aliases)} - self.tokens
            if wanted.id in {concept_id(n) for n in names}:
                return each
        return None

    def known(self, name: str) -> Concept:
        """Return the concept that ``name`` names, where a new one is no use.

        Raises:
            ConceptError: It is a family, or nothing known; says what is close.
        """
        try:
            return self.concept(name)
        except _UnknownError as error:
            raise ConceptError(
                f"no concept is called '{name}', in this ledger or in its file of "
                "concepts",
                fix=advice(name, self.concepts),
            ) from error

    def members(self, name: str) -> tuple[str, ...]:
        """Return a family's members, or the one concept of that name.

        Raises:
            ConceptError: There is no such concept or family.
        """
        members = self.shown(name) if name in self.families else ()
        return members or (self.known(name).name,)

    def named(self, name: str, *, kind: str, said: Mapping[str, Any]) -> Concept:
        """Return a concept with what somebody says of it in place of what is known.

        Args:
            name: What somebody typed.
            kind: What it is; empty for what this world says.
            said: ``aliases``, ``anchor``, ``parent`` and ``prompts``; what is empty is
                not said.

        Raises:
            ConceptError: As `concept` does; the kind contradicts the world; an alias
                is a list.
        """
        for alias in said.get("aliases", ()):
            one_name(alias)
            refuse_pair(alias, self.concepts)
        known = self.concept(name, kind=kind)
        if kind and known.kind != kind:
            raise ConceptError(
                f"'{known.name}' is a {known.kind}, not a {kind}",
                fix=f"leave out --kind {kind}",
            )
        return replace(known, **{key: value for key, value in said.items() if value})

    def knowing(self, concepts: Iterable[Concept]) -> ConceptSet:
        """Return the world with these concepts in it, each in place of its namesake."""
        found = {**self.concepts, **{c.name: c for c in concepts}}
        return replace(self, concepts=MappingProxyType(found))

    def _unknown(self, wanted: Concept) -> ConceptError:
        if wanted.name in self.tokens:
            return ConceptError(
                f"'{wanted.name}' is a word of this model's own, and no file of "
                "concepts says what it is",
                fix="say it with --kind style or --kind subject",
            )
        known = [name for name in self.concepts if name not in self.held_out]
        meant = hint(wanted.name, known)
        if self.complete:
            return _UnknownError(
                f"this model was never shown '{wanted.name}': nothing to erase",
                fix=f"{meant}known: {', '.join(sorted(known, key=str.casefold))}",
            )
        return _UnknownError(
            f"no file of concepts says what '{wanted.name}' is",
            fix=f"{meant}say it with --kind style or --kind subject",
        )
