"""What a file of concepts may say, and what is wrong with one that says otherwise.

A family's ``word`` is how a prompt speaks of it: a style's movement as an adjective ("a
cubist cat"), a subject's category as a noun ("an animal"). Whatever is in a family has
the family's kind; a concept without one says its own. A family may be in a wider one,
and any two concepts may be related in a way of their own.

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
"""The anchor that stands for a picture of nothing in particular."""

_Relation = Literal[
    "synonym", "look-alike", "sibling", "parent", "child", "composition"
]

RELATIONS: Final[tuple[str, ...]] = get_args(_Relation)
"""Ways in which a file may relate two concepts."""

_BACK: Final = {"parent": "child", "child": "parent"}
"""What the other one is to the first; all else is the same both ways."""

KINDS: Final = ("style", "subject")
"""What a concept can be; a subject is whatever is no style."""

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class FamilyRow(Record):
    """What a file says of a family.

    Attributes:
        kind: What its members are.
        word: How a prompt speaks of it.
        family: The wider family it is in; empty for none.
    """

    kind: Literal["style", "subject"]
    word: Annotated[str, Field(min_length=1)]
    family: str = ""


class RelationRow(Record):
    """What a file says of two concepts.

    Attributes:
        one: A concept.
        other: Another one.
        type: What the other is to the one: its parent, its child, its look-alike.
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


class ConceptFile(Record):
    """A file of concepts.

    Attributes:
        families: By name.
        concepts: By name.
        anchors: What takes the place of a style, and of a subject.
        complete: Whether the model knows nothing but these concepts.
        kept: Prompts beside those of the concepts whose pictures must not change.
        relations: What ties two concepts together beside families and look-alikes.
    """

    families: dict[str, FamilyRow] = Field(default_factory=dict)
    concepts: dict[str, ConceptRow]
    anchors: dict[Literal["style", "subject"], str] = Field(default_factory=dict)
    complete: bool = False
    kept: _Names = ()
    relations: Annotated[tuple[RelationRow, ...], Field(strict=False)] = ()


ROWS: Final[Mapping[str, type[Record]]] = {
    "families": FamilyRow,
    "concepts": ConceptRow,
    "relations": RelationRow,
}
"""What stands in each table, by the table's key."""


@dataclass(frozen=True)
class Family:
    """Concepts that have something in common.

    Attributes:
        name: Such as ``cubism``.
        kind: ``style`` or ``subject``.
        word: How a prompt speaks of it, such as ``cubist``.
        members: Its concepts, those held out too.
        parent: The wider family it is in; empty for none.
    """

    name: str
    kind: str
    word: str
    members: tuple[str, ...]
    parent: str = ""


def concept_of(file: ConceptFile, name: str, row: ConceptRow, source: str) -> Concept:
    """Return a concept as its row and its family have it.

    Raises:
        ConceptError: The family is unknown, nobody says what the concept is, or a name
            of it is a list.
    """
    family = file.families.get(row.family)
    if row.family and family is None:
        raise ConceptError(
            f"'{source}' puts '{name}' into the family '{row.family}', "
            "which it does not describe",
            fix=f"{hint(row.family, file.families)}add [families.{row.family!r}] "
            "with its kind and its word",
        )
    check_kind(row.kind, f"'{source}' says that '{name}' is of the ")
    _check_names(source, name, *row.aliases)
    kind = family.kind if family else row.kind
    if not kind or (row.kind and row.kind != kind):
        raise ConceptError(
            f"'{source}' does not say what '{name}' is"
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
            f"'{source}' puts '{name}' into its own place: its anchor is '{anchor}'",
            fix="name what is to be painted instead, or leave the anchor out",
        )
    return Concept(
        name, kind, row.aliases, anchor=anchor, parent=row.family, prompts=prompts
    )


def check_kind(kind: str, said: str = "there is no ") -> None:
    """Refuse a word that is no kind of concept; nothing said is none.

    Args:
        kind: What was said.
        said: What the message begins with.

    Raises:
        ConceptError: It is another word.
    """
    if kind and kind not in KINDS:
        raise ConceptError(
            f"{said}kind '{kind}'",
            fix=f"{hint(kind, KINDS)}say style, or subject for everything else",
        )


def _check_names(source: str, *names: str) -> None:
    """Refuse a name that is a list, by the file that it stands in."""
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
        ConceptError: A family is in one that is unknown, or in itself.
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
    """Return each relation both ways round.

    Raises:
        ConceptError: One names an unknown concept, or one concept twice; two say
            different things of a pair; or a concept is its own ancestor.
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
                f"'{source}' says that '{row.other}' is the {row.type} of '{row.one}', "
                "which contradicts itself or another relation",
                fix="say one thing of each pair of concepts",
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
    """Return a path from a name up to itself; nothing if there is none."""
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
                    f"'{source}' says that '{name}' looks like '{other}', "
                    "which is not another of its concepts",
                    fix=f"{hint(other, file.concepts)}add [concepts.{other!r}], or "
                    "leave it out",
                )
            found.setdefault(frozenset((name, other)), (name, other))
    return tuple(found.values())


def refuse_shared_names(concepts: Iterable[Concept], source: str) -> None:
    """Refuse two concepts that share a name or an alias."""
    owner: dict[str, str] = {}
    for concept in concepts:
        for name in (concept.name, *concept.aliases):
            first = owner.setdefault(concept_id(name), concept.name)
            if first != concept.name:
                raise ConceptError(
                    f"'{source}' calls both '{first}' and '{concept.name}' '{name}'",
                    fix="give each concept names of its own",
                )
