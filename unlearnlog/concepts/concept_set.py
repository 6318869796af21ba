"""A set of concepts with their families, as a file declares them."""

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
"""Concepts of most text-to-image models."""

_REMAINS: Final = frozenset(
    {"photo", "a-photo", "photograph", "plain", "plain-photo", "plain-style"}
    | {"empty", "empty-photo", "empty-scene", "an-empty-photo"}
)
"""Ids of the plain style and the empty scene, which are no concepts."""


def _keys(loc: tuple[int | str, ...]) -> str:
    """Return the fix for an unknown key: the closest key, and all keys of its table.

    Args:
        loc: Its place: table, name or number, key.
    """
    row = ROWS.get(str(loc[0])) if len(loc) > 2 else None
    fields = (row or ConceptFile).model_fields
    key = str(loc[min(len(loc), 3) - 1] if loc else "")
    return f"{hint(key, fields)}known there: {', '.join(fields)}"


class _UnknownError(ConceptError):
    """A name that is in no file of concepts and in no entry."""


@dataclass(frozen=True)
class ConceptSet:
    """The concepts of a model, their families and their relations.

    Attributes:
        concepts: Every concept by name, in the file's order.
        families: Every family by name, in the file's order.
        held_out: Names of concepts that were left out of the model's training.
        look_alikes: Pairs with a small but certain difference.
        complete: Whether the model was trained on these concepts only.
        plain: Whether the model also paints the plain style, photographs.
        kept: More prompts whose pictures must not change.
        relations: The relation of the second concept to the first, by their names, in
            both directions.
        tokens: Words that were added to the model's tokenizer, such as ``<cat>``: each
            is a name of its own, and no spelling of another one.
    """

    concepts: MappingProxyType[str, Concept]
    families: MappingProxyType[str, Family]
    held_out: tuple[str, ...]
    look_alikes: tuple[tuple[str, str], ...]
    complete: bool
    kept: tuple[str, ...] = ()
    relations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    tokens: frozenset[str] = frozenset()
    plain: bool = True

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the concepts of a file.

        Raises:
            ConceptError: The file cannot be read, or is not valid.
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
        """Return the concepts of a file's parsed data.

        Raises:
            ConceptError: The data is not valid; gives the place and the fault.
        """
        try:
            file = ConceptFile.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            what, fix = first["msg"], "docs/CONCEPTS.md lists every key"
            if first["type"] == "extra_forbidden":
                what, fix = "there is no such key", _keys(first["loc"])
            if first["type"] == "missing" and first["loc"][-1] == "context":
                fix = (
                    "give the prompt without the concept, too: text = "
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
            plain=file.plain,
        )

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles that the model was trained on."""
        return tuple(
            name
            for name, concept in self.concepts.items()
            if concept.kind == "style" and name not in self.held_out
        )

    @cached_property
    def hands(self) -> tuple[str, ...]:
        """The styles that a subject is painted in, the plain one with them, if any."""
        return (*self.styles, PLAIN) if self.plain else self.styles

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects that the model was trained on."""
        return tuple(
            name
            for name, concept in self.concepts.items()
            if concept.kind != "style" and name not in self.held_out
        )

    def families_of(self, kind: str) -> dict[str, tuple[str, ...]]:
        """Return the members of each family of a kind, by the family's name."""
        return {f.name: f.members for f in self.families.values() if f.kind == kind}

    def shown(self, family: str) -> tuple[str, ...]:
        """Return the members of a family that the model was trained on."""
        members = self.families[family].members
        return tuple(name for name in members if name not in self.held_out)

    @property
    def spoken_movements(self) -> tuple[str, ...]:
        """Families of styles with at least two known members, which have prompts."""
        return tuple(f for f in self.families_of("style") if len(self.shown(f)) > 1)

    def names(self, concept: str) -> tuple[str, ...]:
        """Return a concept's name and its aliases."""
        return (concept, *self.concepts[concept].aliases)

    def look_alike(self, name: str) -> str | None:
        """Return the look-alike of ``name``, or None."""
        for one, other in self.look_alikes:
            if name in (one, other):
                return other if name == one else one
        return None

    def near(self, name: str) -> frozenset[str]:
        """Return the concepts of its family, its look-alikes and its relations."""
        family = self.families.get(self.parent(name) or "")
        siblings = self.shown(family.name) if family else ()
        alike = (other for pair in self.look_alikes if name in pair for other in pair)
        related = (other for one, other in self.relations if one == name)
        return frozenset({*siblings, *alike, *related}) - {name, *self.held_out}

    def parent(self, name: str) -> str | None:
        """Return the family of a concept, or None."""
        known = self.concepts.get(name)
        return known.parent or None if known else None

    def concept(self, name: str, *, kind: str = "") -> Concept:
        """Return the concept with a name or an alias.

        An exact match counts first; then case and spaces do not matter, except that a
        token of the model's own matches no other name.

        Args:
            name: The name that was typed.
            kind: The kind of a name that is not known.

        Raises:
            ConceptError: The name is the plain style or the empty scene, a family, a
                list of names, one style of one subject, or unknown.
        """
        exact = self._spelt(" ".join(name.split()))
        if exact is not None:
            return exact
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
        """Return the concept with exactly this name, or else exactly this alias."""
        others = (c for c in self.concepts.values() if name in c.aliases)
        return self.concepts.get(name) or next(others, None)

    def _known(self, wanted: Concept) -> Concept | None:
        """Return the concept of that name in any spelling, or None.

        Raises:
            ConceptError: The name is the plain style or the empty scene, or a family.
        """
        if wanted.id in _REMAINS:
            raise ConceptError(
                f"'{wanted.name}' is the plain picture, not a concept",
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
        """Return the concept with a name or an alias, which must be a known one.

        Raises:
            ConceptError: The name is a family, or unknown; suggests a close one.
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
            ConceptError: The name is neither a concept nor a family.
        """
        members = self.shown(name) if name in self.families else ()
        return members or (self.known(name).name,)

    def named(self, name: str, *, kind: str, said: Mapping[str, Any]) -> Concept:
        """Return a concept with the user's fields in place of the known ones.

        Args:
            name: The name that was typed.
            kind: Its kind; empty for the known one.
            said: ``aliases``, ``anchor``, ``parent`` and ``prompts``; empty ones are
                ignored.

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
        """Return the set with these concepts, each in place of one of the same name."""
        found = {**self.concepts, **{c.name: c for c in concepts}}
        return replace(self, concepts=MappingProxyType(found))

    def _unknown(self, wanted: Concept) -> ConceptError:
        if wanted.name in self.tokens:
            return ConceptError(
                f"'{wanted.name}' is a token of this model, and in no file of concepts",
                fix="give its kind: --kind style or --kind subject",
            )
        known = [name for name in self.concepts if name not in self.held_out]
        closest = hint(wanted.name, known)
        if self.complete:
            return _UnknownError(
                f"this model was not trained on '{wanted.name}': nothing to erase",
                fix=f"{closest}known: {', '.join(sorted(known, key=str.casefold))}",
            )
        return _UnknownError(
            f"'{wanted.name}' is in no file of concepts",
            fix=f"{closest}give its kind: --kind style or --kind subject",
        )
