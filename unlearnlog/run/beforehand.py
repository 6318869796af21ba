"""What can be refused before a model is loaded, from names, files and the history.

Nothing here imports torch: a mistake in what was typed is told within a second. What a
story finds out later it refuses by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import ConceptError, ModelError, UsageError
from unlearnlog.live import live_concepts
from unlearnlog.run.newfile import check_is_free
from unlearnlog.suggest import advice

if TYPE_CHECKING:
    from unlearnlog.concept import Concept
    from unlearnlog.entry import Entry, EntryId
    from unlearnlog.ledger import Ledger

ATTACKS: Final = ("inversion", "prefix", "recovery")
BUDGETS: Final = ("small", "standard")
TIERS: Final = (0, 1, 2)


def check_concepts(
    concepts: Sequence[Concept], history: Sequence[tuple[EntryId, Entry]]
) -> None:
    """Refuse to erase a concept twice, or to put itself or another one in its place.

    Args:
        concepts: What is to be erased, together.
        history: What was recorded before, oldest first.

    Raises:
        ConceptError: A concept is named twice, erased already, or its own anchor; or
            its anchor is erased with it, or was before.
    """
    live = live_concepts(history)
    erased = {concept.id: entry for entry, concept in live.values()}
    seen: set[str] = set()
    for concept in concepts:
        if concept.id in seen:
            raise ConceptError(
                f"'{concept.name}' is named twice", fix="name each concept once"
            )
        seen.add(concept.id)
        if concept.id in erased:
            entry = erased[concept.id][:12]
            raise ConceptError(
                f"'{concept.name}' is erased already, by entry {entry}",
                fix=f"look at it with: unlearnlog show {entry}",
            )
    gone = [*concepts, *(concept for _, concept in live.values())]
    for concept in concepts:
        _check_anchor(concept, gone)


def _check_anchor(concept: Concept, gone: Iterable[Concept]) -> None:
    """Refuse an anchor that is erased itself."""
    anchor = concept.anchor.casefold()
    for other in gone if anchor else ():
        if anchor in {name.casefold() for name in (other.name, *other.aliases)}:
            what = "the concept itself" if other.id == concept.id else "erased, too"
            raise ConceptError(
                f"the anchor '{concept.anchor}' of '{concept.name}' is {what}",
                fix="name what is to take its place, such as --anchor painting",
            )


def erased_at(ledger: Ledger, rev: str, *, so: str) -> dict[str, Concept]:
    """Return what is erased at a revision, by name.

    Args:
        ledger: Whose revision.
        rev: What was typed.
        so: What follows where nothing is.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there.
    """
    live = live_concepts(ledger.history(ledger.resolve(rev)))
    if not live:
        raise UsageError(
            f"nothing is erased at '{rev}', so {so}",
            fix="name a revision with an erasure: unlearnlog log",
        )
    return {name: concept for name, (_, concept) in live.items()}


def check_erased(names: Iterable[str], live: Mapping[str, Concept], rev: str) -> None:
    """Refuse names of what is not erased at a revision.

    Raises:
        ConceptError: One of them is not.
    """
    for name in names:
        if name not in live:
            raise ConceptError(
                f"'{name}' is not erased at {rev}",
                fix=f"erased there: {', '.join(live)}",
            )


def check_known(what: str, name: str, known: Sequence[str]) -> None:
    """Refuse a word that is none of those that there are.

    Raises:
        UsageError: Names those.
    """
    if name not in known:
        raise UsageError(f"there is no {what} '{name}'", fix=advice(name, known))


def check_tier(tier: int) -> None:
    """Refuse a tier that there is not.

    Raises:
        UsageError: Says what each one looks at.
    """
    if tier not in TIERS:
        raise UsageError(
            f"there is no tier {tier}",
            fix="0: weights and text; 1: predictions as well; 2: new pictures as well",
        )


def check_given(path: Path, what: str) -> None:
    """Refuse a model or a file that is not there.

    Raises:
        ModelError: It is not.
    """
    if not os.path.lexists(path.expanduser()):
        raise ModelError(
            f"there is no '{path}'", fix=f"give the path of {what} that is there"
        )


def check_written(path: Path | None, endings: Sequence[str] = ()) -> None:
    """Refuse a place where no file can be written; what is there may be replaced.

    Args:
        path: Where to; None for nowhere. Folders that lead there may be missing.
        endings: Those that the name may have, each with its dot; none for any.

    Raises:
        UsageError: It has another ending, is a folder, or cannot be written to.
    """
    if path is None:
        return
    if endings and path.suffix.lower() not in endings:
        raise UsageError(
            f"the ending of '{path}' does not say what to write",
            fix=f"give it one of these: {', '.join(endings)}",
        )
    if path.is_dir():
        raise UsageError(
            f"'{path}' is a folder, not a file",
            fix=f"write to a file in it: {path / ('it' + (endings or ('.html',))[0])}",
        )
    _check_room(path, _nearest(path.absolute().parent))


def check_new_file(path: Path, ending: str) -> None:
    """Refuse a place where no new file of this kind can be.

    Raises:
        UsageError: The ending is another, something is there already, there is no
            folder for it, or it cannot be written to.
    """
    if path.suffix != ending:
        raise UsageError(
            f"'{path}' does not end with {ending}",
            fix=f"give a name that ends with {ending}: {path.stem or 'it'}{ending}",
        )
    check_is_free(path)
    _check_room(path, path.absolute().parent)


def check_new_folder(path: Path, *, may_be_empty: bool = False) -> None:
    """Refuse a place where no new folder can be made.

    Args:
        path: Where.
        may_be_empty: Whether an empty folder that is there will do.

    Raises:
        UsageError: Something is there already, or there is no folder to make it in.
    """
    path = path.expanduser()
    if may_be_empty and path.is_dir() and not any(path.iterdir()):
        _check_room(path, path)
        return
    if os.path.lexists(path):
        raise UsageError(
            f"'{path}' is there already", fix="give a folder that does not exist yet"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder '{path.parent}' to write into",
            fix=f"mkdir -p '{path.parent}'",
        )
    _check_room(path, path.absolute().parent)


def _nearest(folder: Path) -> Path:
    """Return the nearest thing above a file that is there."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _check_room(path: Path, folder: Path) -> None:
    """Refuse a folder that is none, or where nobody may write."""
    if not folder.is_dir():
        raise UsageError(
            f"'{path}' cannot be written: '{folder}' is no folder",
            fix="give another path after -o",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"'{path}' cannot be written: '{folder}' may not be written to",
            fix="give a folder that you may write to",
        )
