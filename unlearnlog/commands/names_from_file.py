"""The concepts of a file of names, all checked before anything is computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.checks import check_apart
from unlearnlog.concepts.names_file import NameRow, NamesFile
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept, concept_id
from unlearnlog.core.names import one_name
from unlearnlog.errors import ConceptError, Refused, UnlearnlogError

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.core.entry import Entry
    from unlearnlog.policy import Policy

_SHOWN: Final = 5


def concepts_of(
    path: Path, world: ConceptSet, entries: Sequence[Entry], usual: NameRow
) -> tuple[Concept, ...]:
    """Return the concept of each row of a file.

    Args:
        path: The file.
        world: The known concepts.
        entries: The recorded entries, oldest first.
        usual: Kind, anchor and parent of rows that give none.

    Raises:
        ConceptError: The file cannot be read, or rows are wrong; the rest of the rows
            is then in a new file, which the error names.
    """
    table = NamesFile.read(path)
    live = live_concepts([(entry.id, entry) for entry in entries])
    taken: dict[str, str] = {
        concept.id: f"is erased already, by {entry[:12]}"
        for entry, concept in live.values()
    }
    found: list[Concept] = []
    wrong: dict[int, str] = {}
    for row in table.rows:
        try:
            concept = _concept(row, world, usual)
            _refuse_taken(concept, taken)
        except ConceptError as error:
            wrong[row.line] = error.message
            continue
        spelt = {concept.id, *map(concept_id, concept.aliases)}
        taken |= dict.fromkeys(spelt, f"is in line {row.line} already")
        found.append(concept)
    if wrong:
        raise _refused(table, wrong)
    return tuple(found)


def without_the_refused(
    error: UnlearnlogError, path: Path, concepts: Sequence[Concept], policy: Policy
) -> UnlearnlogError:
    """Return a refusal that names the rows it is about, with the rest in a new file.

    Args:
        error: The refusal.
        path: The file of names.
        concepts: The concept of each of its rows.
        policy: The policy that refused.

    Returns:
        The same refusal where it is about no row more than about another.
    """
    names = _names_in(error, policy) & {concept.name for concept in concepts}
    table = NamesFile.read(path)
    lines = {
        row.line: concept.name
        for row, concept in zip(table.rows, concepts, strict=True)
        if concept.name in names
    }
    if not lines or len(lines) == len(table.rows):
        return error
    about = _some([f"line {line}, '{name}'" for line, name in lines.items()])
    message = f"{error.message}; of '{path}' that is {about}"
    told = type(error)(message, fix=f"{_rest(table, lines)}; or {error.fix}")
    if isinstance(told, Refused) and isinstance(error, Refused):
        told.entry = error.entry
    return told


def _names_in(error: UnlearnlogError, policy: Policy) -> set[str]:
    """Return the concepts that a refusal is about."""
    named = {*getattr(error, "names", ())}
    if isinstance(error, ConceptError):
        return named
    readings = getattr(getattr(error, "entry", None), "readings", ())
    return named | {
        reading.concept
        for reading in readings
        if policy.verdict([reading], unread_is_open=False).failures
    }


def _concept(row: NameRow, world: ConceptSet, usual: NameRow) -> Concept:
    """Return the concept of a row.

    Raises:
        ConceptError: A cell is not valid.
    """
    one_name(row.name, *row.aliases)
    concept = world.named(
        row.name,
        kind=row.kind or _usual_kind(row.name, world, usual.kind),
        said={
            "aliases": row.aliases,
            "anchor": row.anchor or usual.anchor,
            "parent": row.parent or usual.parent,
        },
    )
    check_apart(concept)
    return concept


def _usual_kind(name: str, world: ConceptSet, kind: str) -> str:
    """Return the kind of names that none is given of; empty where it is known."""
    if kind:
        with suppress(ConceptError):
            world.known(name)
            return ""
    return kind


def _refuse_taken(concept: Concept, taken: Mapping[str, str]) -> None:
    """Refuse a concept of which a name is another row's or is erased.

    Raises:
        ConceptError: There is such a name.
    """
    for name in (concept.name, *concept.aliases):
        if why := taken.get(concept_id(name)):
            raise ConceptError(f"'{name}' {why}", fix="leave the row out")


def _refused(table: NamesFile, wrong: Mapping[int, str]) -> ConceptError:
    rows = _some([f"line {line}: {what}" for line, what in wrong.items()])
    n, of = len(wrong), len(table.rows)
    return ConceptError(
        f"{n:,} of {of:,} rows of '{table.path}' cannot be taken: {rows}",
        fix=f"correct them; {_rest(table, wrong)}",
    )


def _rest(table: NamesFile, without: Collection[int]) -> str:
    """Write the rest of the rows, and return how to go on with them."""
    try:
        rest = table.write_rest(without)
    except OSError as error:
        return f"the rest cannot be written beside it: {error.strerror}"
    if rest is None:
        return "no other row is left"
    n = len(table.rows) - len(without)
    return f"the other {n:,} are in '{rest}': unlearnlog add --from '{rest}'"


def _some(texts: Sequence[str]) -> str:
    rest = len(texts) - _SHOWN
    shown = "; ".join(texts[:_SHOWN])
    return f"{shown}; and {rest:,} more" if rest > 0 else shown
