"""The format of a file of concepts, and its checks.

A family's ``word`` names it in a prompt: a style's movement as an adjective ("a cubist
cat"), a subject's category as a noun ("an animal"). A concept has the kind of its
family, or a ``kind`` of its own without one. A family may be in a wider one, and any
two concepts may have a relation.

    [families.cubism]
    kind = "style"
    word = "cubist"

    [concepts.Picasso]
    family = "cubism"
    aliases = ["Pablo Picasso", "the painter of Guernica"]
    look_alikes = ["Braque"]

    [[relations]]
    one = "Braque"
    other = "Matisse"
    type = "sibling"
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from unlearnlog.concepts.templates import PLAIN
from unlearnlog.core.concept import Concept, concept_id, slot_of
from unlearnlog.core.digest import Record
from unlearnlog.core.names import one_name
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import ConceptError

EMPTY_SCENE: Final = "empty scene"
"""The anchor for a picture without a subject."""

_Relation = Literal[
    "synonym", "look-alike", "sibling", "parent", "child", "composition"
]

RELATIONS: Final[tuple[str, ...]] = get_args(_Relation)
"""Types of relations between two concepts."""

_BACK: Final = {"parent": "child", "child": "parent"}
"""The inverse of each relation; all others are symmetric."""

KINDS: Final = ("style", "subject")
"""Kinds of concepts; a subject is any concept that is no style."""

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class FamilyRow(Record):
    """The row of a family.

    Attributes:
        kind: The kind of its members.
        word: The word for it in a prompt.
        family: The wider family it is in; empty for none.
    """

    kind: Literal["style", "subject"]
    word: Annotated[str, Field(min_length=1)]
    family: str = ""


class RelationRow(Record):
    """The row of a relation.

    Attributes:
        one: A concept.
        other: Another concept.
        type: The relation of the other to the one: its parent, child or look-alike.
    """

    one: str
    other: str
    type: _Relation


class PromptRow(Record):
    """A free prompt that shows a concept.

    Attributes:
        text: The prompt.
        context: The same without the concept; empty for nothing.
    """

    text: str
    context: str


class ConceptRow(Record):
    """The row of a concept.

    Attributes:
        family: The family it is in; empty for none.
        kind: Its kind; needed without a family.
        aliases: Its other names.
        anchor: The concept that takes its place; empty for its kind's anchor.
        look_alikes: Concepts that are hard to distinguish from it.
        held_out: Whether it was deliberately left out of the model's training.
        prompts: Prompts that show it, beside those of the templates.
    """

    family: str = ""
    kind: str = ""
    aliases: _Names = ()
    anchor: str = ""
    look_alikes: _Names = ()
    held_out: bool = False
    prompts: Annotated[tuple[PromptRow, ...], Field(strict=False)] = ()


class ConceptFile(Record):
    """A file of concepts.

    Attributes:
        families: By name.
        concepts: By name.
        anchors: The anchors of styles and of subjects.
        complete: Whether the model was trained on these concepts only.
        plain: Whether it also paints the plain style, photographs.
        kept: More prompts whose pictures must not change.
        relations: Relations beside families and look-alikes.
    """

    families: dict[str, FamilyRow] = Field(default_factory=dict)
    concepts: dict[str, ConceptRow]
    anchors: dict[Literal["style", "subject"], str] = Field(default_factory=dict)
    complete: bool = False
    plain: bool = True
    kept: _Names = ()
    relations: Annotated[tuple[RelationRow, ...], Field(strict=False)] = ()


ROWS: Final[Mapping[str, type[Record]]] = {
    "families": FamilyRow,
    "concepts": ConceptRow,
    "relations": RelationRow,
}
"""The rows of each table, by the table's key."""


@dataclass(frozen=True)
class Family:
    """A family of concepts.

    Attributes:
        name: Its name, such as ``cubism``.
        kind: ``style`` or ``subject``.
        word: The word for it in a prompt, such as ``cubist``.
        members: Its concepts, including those held out.
        parent: The wider family it is in; empty for none.
    """

    name: str
    kind: str
    word: str
    members: tuple[str, ...]
    parent: str = ""


def concept_of(file: ConceptFile, name: str, row: ConceptRow, source: str) -> Concept:
    """Return the concept of a row and its family.

    Raises:
        ConceptError: The family is unknown, the kind is missing, or a name is a list.
    """
    family = file.families.get(row.family)
    if row.family and family is None:
        raise ConceptError(
            f"'{source}' puts '{name}' into the family '{row.family}', "
            "which it does not describe",
            fix=f"{hint(row.family, file.families)}add [families.{row.family!r}] "
            "with its kind and its word",
        )
    check_kind(row.kind, f" of '{name}' in '{source}'")
    _check_names(source, name, *row.aliases)
    kind = family.kind if family else row.kind
    if not kind or (row.kind and row.kind != kind):
        raise ConceptError(
            f"'{name}' in '{source}' has no kind"
            if not kind
            else f"'{source}' calls '{name}' a {row.kind}, but its family a {kind}",
            fix='give it kind = "style" or kind = "subject", or a family',
        )
    slot = slot_of(kind)
    usual = PLAIN if slot == "style" else EMPTY_SCENE
    anchor = row.anchor or file.anchors.get(slot, usual)
    prompts = tuple((each.text, each.context) for each in row.prompts)
    if anchor.casefold() in {each.casefold() for each in (name, *row.aliases)}:
        raise ConceptError(
            f"'{source}' makes '{name}' its own anchor: '{anchor}'",
            fix="give another concept as its anchor, or leave the anchor out",
        )
    return Concept(
        name, kind, row.aliases, anchor=anchor, parent=row.family, prompts=prompts
    )


def check_kind(kind: str, place: str = "") -> None:
    """Refuse a word that is no kind of concept; an empty one is allowed.

    Args:
        kind: The word.
        place: The end of the message: where the word was found.

    Raises:
        ConceptError: The word is no kind.
    """
    if kind and kind not in KINDS:
        raise ConceptError(
            f"unknown kind '{kind}'{place}",
            fix=f"{hint(kind, KINDS)}use style, or subject for any other concept",
        )


def _check_names(source: str, *names: str) -> None:
    """Refuse a name that is a list, with the file that it is in."""
    try:
        one_name(*names)
    except ConceptError as error:
        raise ConceptError(
            f"'{source}' is wrong: {error.message}",
            fix="give each concept a row of its own: [concepts.NAME]",
        ) from error


def families_of(file: ConceptFile, source: str) -> dict[str, Family]:
    """Return every family with its members.

    Raises:
        ConceptError: A family is in an unknown one, or in itself.
    """
    _refuse_circles(file, source)
    members: dict[str, list[str]] = {name: [] for name in file.families}
    for name, row in file.concepts.items():
        if row.family:
            members[row.family].append(name)
    return {
        name: Family(name, row.kind, row.word, tuple(members[name]), row.family)
        for name, row in file.families.items()
    }


def _refuse_circles(file: ConceptFile, source: str) -> None:
    """Refuse families that are unknown, of another kind, or inside of themselves."""
    for name, row in file.families.items():
        wider = file.families.get(row.family)
        if row.family and (wider is None or wider.kind != row.kind):
            what = "of another kind" if wider else "which it does not describe"
            raise ConceptError(
                f"'{source}' puts the family '{name}' into '{row.family}', {what}",
                fix=f"add [families.{row.family!r}] of kind '{row.kind}'",
            )
    inside = {n: {row.family} for n, row in file.families.items() if row.family}
    if circle := _circle(inside):
        raise ConceptError(
            f"'{source}' has a family inside of itself: {' in '.join(circle)}",
            fix=f"take the key family out of [families.{circle[0]!r}]",
        )


def relations_of(file: ConceptFile, source: str) -> dict[tuple[str, str], str]:
    """Return each relation in both directions.

    Raises:
        ConceptError: A relation has an unknown concept, or one concept twice; two
            relations contradict each other; or a concept is its own ancestor.
    """
    found: dict[tuple[str, str], str] = {}
    for row in file.relations:
        for name in (row.one, row.other):
            if name not in file.concepts:
                raise ConceptError(
                    f"'{source}' relates '{row.one}' and '{row.other}', but describes "
                    f"no concept '{name}'",
                    fix=f"{hint(name, file.concepts)}add [concepts.{name!r}], or "
                    "leave the relation out",
                )
        both: dict[tuple[str, str], str] = {(row.one, row.other): row.type}
        both[row.other, row.one] = _BACK.get(row.type, row.type)
        if row.one == row.other or any(
            found.get(pair, kind) != kind for pair, kind in both.items()
        ):
            raise ConceptError(
                f"'{source}' makes '{row.other}' the {row.type} of '{row.one}', "
                "which contradicts itself or another relation",
                fix="give one relation for each pair of concepts",
            )
        found |= both
    above: dict[str, set[str]] = {}
    for (name, other), kind in found.items():
        if kind == "parent":
            above.setdefault(name, set()).add(other)
    if circle := _circle(above):
        raise ConceptError(
            f"'{source}' makes a concept its own ancestor: {' in '.join(circle)}",
            fix="take one of these relations out",
        )
    return found


def _circle(above: Mapping[str, Collection[str]]) -> list[str]:
    """Return a path from a name up to itself; empty if there is none."""
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        path: list[str] = error.args[1]
        return path[::-1]
    return []


def look_alikes_of(file: ConceptFile, source: str) -> tuple[tuple[str, str], ...]:
    """Return each pair of look-alikes once.

    Raises:
        ConceptError: A look-alike is not another concept of the file.
    """
    found: dict[frozenset[str], tuple[str, str]] = {}
    for name, row in file.concepts.items():
        for other in row.look_alikes:
            if other not in file.concepts or other == name:
                raise ConceptError(
                    f"'{source}' gives '{name}' the look-alike '{other}', "
                    "which is not another of its concepts",
                    fix=f"{hint(other, file.concepts)}add [concepts.{other!r}], or "
                    "leave it out",
                )
            found.setdefault(frozenset((name, other)), (name, other))
    return tuple(found.values())


def refuse_shared_names(concepts: Iterable[Concept], source: str) -> None:
    """Refuse two concepts that share a name or an alias.

    Raises:
        ConceptError: Two of them do.
    """
    owner: dict[str, str] = {}
    for concept in concepts:
        for name in (concept.name, *concept.aliases):
            first = owner.setdefault(concept_id(name), concept.name)
            if first != concept.name:
                raise ConceptError(
                    f"'{source}' calls both '{first}' and '{concept.name}' '{name}'",
                    fix="give each concept names of its own",
                )
