"""Checks of names, files and history that run before a model is loaded.

Nothing here imports torch: a mistake in the arguments is reported within a second.
Errors that only the model can reveal are raised by the commands themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.atelier.bundled_model import SOURCE
from unlearnlog.commands.output_path import check_is_free
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.core.active import live_concepts
from unlearnlog.core.plain_files import check_parent, expanded
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.errors import (
    ConceptError,
    ModelError,
    NoLedger,
    RevisionError,
    UsageError,
)
from unlearnlog.glyphs.glyph_model import SOURCE as GLYPHS
from unlearnlog.glyphs.glyph_model import check_glyph_weights
from unlearnlog.glyphs.glyph_world import CONCEPTS as GLYPH_CONCEPTS
from unlearnlog.ledger.drafts import check_output
from unlearnlog.ledger.init import check_no_ledger
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.weight_file_names import SUFFIX

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry

ATTACKS: Final = ("inversion", "prefix", "recovery")
BUDGETS: Final = ("small", "standard")
LESSONS: Final = ("unrelated", "sibling", "parent", "target")
TIERS: Final = (0, 1, 2)


def known_world(ledger: Repository | None, concepts: Path | None) -> ConceptSet:
    """Return the concepts of a file, and those of a ledger's history.

    Args:
        ledger: The repository; None before there is one, when the model is the bundled.
        concepts: The file; None for the default of the model.

    Raises:
        ConceptError: The file cannot be read.
    """
    source = ledger.base.source if ledger else SOURCE
    history = ledger.history(ledger.head) if ledger else []
    erased = [concept for _, entry in history for concept in entry.concepts]
    return ConceptSet.read(concepts or suited(source)).knowing(erased)


def suited(source: str) -> Path:
    """Return the default concept file of a model, by the model's name."""
    known = {SOURCE: CONCEPTS, GLYPHS: GLYPH_CONCEPTS}
    return known.get(source, GENERAL)


def check_concepts(concepts: Sequence[Concept], entries: Sequence[Entry]) -> None:
    """Refuse to erase a concept twice, or to replace it by itself.

    Args:
        concepts: The concepts to be erased together.
        entries: The recorded entries, oldest first.

    Raises:
        ConceptError: A concept is named twice, erased already, or its own anchor.
    """
    live = live_concepts([(entry.id, entry) for entry in entries])
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
                fix=f"see it with: unlearnlog show {entry}",
            )
        check_apart(concept)


def check_apart(concept: Concept) -> None:
    """Refuse a concept that is its own anchor or its own parent.

    Raises:
        ConceptError: The anchor or the parent is a name of the concept.
    """
    own = {name.casefold() for name in (concept.name, *concept.aliases)}
    for what, name in (("anchor", concept.anchor), ("parent", concept.parent)):
        if name.casefold() in own:
            raise ConceptError(
                f"the {what} '{name}' of '{concept.name}' is the concept itself",
                fix=f"name another one, or leave --{what} out",
            )


def erased_at(ledger: Repository, rev: str, *, so: str) -> dict[str, Concept]:
    """Return the concepts that are erased at a revision, by name.

    Args:
        ledger: The repository.
        rev: The revision, as it was typed.
        so: The consequence that the error names where nothing is erased.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there.
    """
    live = live_concepts(ledger.history(ledger.resolve(rev)))
    if not live:
        raise UsageError(
            f"nothing is erased at '{rev}', so {so}",
            fix="name a revision with an erasure: unlearnlog log"
            if any(ledger.refs.values())
            else "erase something first: unlearnlog concepts lists what is known here",
        )
    return {name: concept for name, (_, concept) in live.items()}


def check_erased(names: Iterable[str], live: Mapping[str, Concept], rev: str) -> None:
    """Refuse names of concepts that are not erased at a revision.

    Raises:
        ConceptError: A named concept is not erased there.
    """
    for name in names:
        if name not in live:
            raise ConceptError(
                f"'{name}' is not erased at {rev}",
                fix=f"erased there: {', '.join(live)}",
            )


def check_known(what: str, name: str, known: Sequence[str]) -> None:
    """Refuse a word that is not in a list.

    Raises:
        UsageError: The word is unknown; names the known ones.
    """
    if name not in known:
        raise UsageError(f"there is no {what} '{name}'", fix=advice(name, known))


def check_lesson(data: str) -> None:
    """Refuse data for a fine-tune that is neither a folder nor a known word.

    Raises:
        UsageError: The data is neither.
    """
    word = data.partition(":")[0]
    if word not in LESSONS and not expanded(data).is_dir():
        raise UsageError(
            f"there is no folder '{data}'",
            fix=f"{hint(word, LESSONS)}give a folder of pictures with captions, or on "
            "atelier one of unrelated, sibling, parent, target:5",
        )


def check_tier(tier: int) -> None:
    """Refuse an unknown tier.

    Raises:
        UsageError: The tier is unknown; explains the known ones.
    """
    if tier not in TIERS:
        raise UsageError(
            f"there is no tier {tier}",
            fix="0: weights and text; 1: predictions as well; 2: new pictures as well",
        )


def check_given(path: Path, what: str) -> None:
    """Refuse the path of a model or a file that does not exist.

    Raises:
        ModelError: The path does not exist.
    """
    if not os.path.lexists(expanded(path)):
        raise ModelError(
            f"there is no '{path}'", fix=f"give the path of {what} that is there"
        )


def check_new_file(path: Path, ending: str) -> None:
    """Refuse a path where no new file of this kind can be written.

    Raises:
        UsageError: The suffix is another, the path exists, its folder does not, or
            cannot be written to.
    """
    if path.suffix != ending:
        raise UsageError(
            f"'{path}' does not end with {ending}",
            fix=f"give a name that ends with {ending}: {path.stem or 'it'}{ending}",
        )
    check_is_free(path)
    check_room(path, path.absolute().parent)


def check_new_folder(path: Path, *, may_be_empty: bool = False) -> None:
    """Refuse a path where no new folder can be made.

    Args:
        path: The folder.
        may_be_empty: Whether an existing empty folder is accepted.

    Raises:
        UsageError: The path exists, or its parent folder does not.
    """
    path = expanded(path)
    check_output(path)
    if may_be_empty and path.is_dir() and not any(path.iterdir()):
        check_room(path, path)
        return
    if os.path.lexists(path):
        raise UsageError(
            f"'{path}' is there already", fix="give a folder that does not exist yet"
        )
    check_parent(path)
    check_room(path, path.absolute().parent)


def nearest(folder: Path) -> Path:
    """Return the nearest existing folder of a path, from the path upwards."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def check_room(path: Path, folder: Path) -> None:
    """Refuse a folder that does not exist or cannot be written to."""
    if not folder.is_dir():
        raise UsageError(
            f"'{path}' cannot be written: '{folder}' is no folder",
            fix=f"give a path in a folder; '{folder}' is a file or is not there",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"'{path}' cannot be written: '{folder}' may not be written to",
            fix="give a folder that you may write to",
        )


def check_model(model: str) -> None:
    """Refuse a model that is neither the bundled one nor an existing folder.

    Raises:
        ModelError: It is neither.
    """
    if model != SOURCE and not expanded(model).is_dir():
        raise ModelError(
            f"there is no folder '{model}'",
            fix="give the folder that holds the model's model_index.json; the one that "
            f"ships is called {SOURCE}",
        )


def check_new_ledger(
    folder: Path, model: str, *, tokenizer: Path | None = None
) -> None:
    """Refuse to create a second ledger in a folder, or one for a missing model.

    Raises:
        LedgerError: The folder holds a ledger already.
        ModelError: The model is neither an existing folder nor a hub id, or its
            weights are not part of this build.
        UsageError: A tokenizer is given for a model that has its own, or its folder
            does not exist.
    """
    check_no_ledger(folder)
    if model == GLYPHS:
        check_glyph_weights()
    if tokenizer is not None:
        _check_tokenizer(model, tokenizer)
    is_path = model.startswith((".", "/", "~")) or model.count("/") != 1
    if model not in (SOURCE, GLYPHS) and is_path and not Path(model).exists():
        raise ModelError(
            f"there is no folder '{model}'",
            fix="give the folder that holds the model's model_index.json, a whole "
            "model in one .safetensors file, or owner/name@commit; the one that ships "
            f"is called {SOURCE}",
        )


def _check_tokenizer(model: str, tokenizer: Path) -> None:
    if not Path(model).is_file():
        raise UsageError(
            f"--tokenizer would do nothing: '{model}' is no single file, and has "
            "tokenizers of its own",
            fix="leave --tokenizer out",
        )
    if not tokenizer.is_dir():
        raise UsageError(
            f"there is no folder '{tokenizer}'",
            fix="give the folder 'tokenizer' of any Stable Diffusion",
        )


def check_entry(ledger: Repository, rev: str) -> None:
    """Refuse to report on the base.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        UsageError: The revision is the base.
    """
    if ledger.resolve(rev) is None:
        raise UsageError(
            f"'{rev}' is the base: nothing is erased there, so there is nothing to "
            "report",
            fix="erase something first, or name an entry: unlearnlog log",
        )


def check_export(ledger: Repository, rev: str, path: Path, energy: float) -> None:
    """Refuse to export a revision without a change, or to an unusable path.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        UsageError: The revision changes nothing, the file cannot be written, or the
            energy is outside (0, 1].
    """
    if not 0 < energy <= 1:
        raise UsageError(
            f"the energy {energy:g} is outside (0, 1]",
            fix="give a number above 0 and at most 1, such as 0.9999",
        )
    check_new_file(path, SUFFIX)
    if not ledger.plan(ledger.resolve(rev)):
        raise UsageError(
            f"'{rev}' changes nothing: there is nothing to export",
            fix="name a revision with an erasure: unlearnlog log",
        )


def check_sources(ledger: Repository, revs: Sequence[str]) -> None:
    """Refuse names that are neither a revision nor another ledger of the same model.

    Raises:
        RevisionError: A name is neither.
        WrongBase: The other ledger is of another model.
    """
    for rev in revs:
        source(ledger, rev)


def source(ledger: Repository, rev: str) -> tuple[Repository, str]:
    """Return the repository that a name refers to, and the revision in it.

    Args:
        ledger: The own repository.
        rev: A revision, ``FOLDER`` or ``FOLDER@REV``.

    Raises:
        RevisionError: The name is none of these.
        WrongBase: The other ledger is of another model.
    """
    folder, _, name = rev.rpartition("@")
    if not folder:
        folder, name = rev, "HEAD"
    try:
        ledger.resolve(rev)
    except RevisionError:
        if not os.path.isdir(folder):  # noqa: PTH112 - False, not an error, for odd names
            if "@" not in rev:
                raise
            raise RevisionError(
                f"there is no folder '{folder}' to take '{name}' from",
                fix="give a branch, an id, or FOLDER@REV of another ledger",
            ) from None
    else:
        return ledger, rev
    try:
        other = Repository.open(Path(folder))
    except NoLedger as error:
        raise RevisionError(
            f"'{rev}' is neither a revision nor a folder with a ledger",
            fix="give a branch, an id, or FOLDER@REV of another ledger",
        ) from error
    ledger.base.check(other.base.tensors)
    try:
        other.resolve(name)
    except RevisionError as error:
        message = error.message.replace("this ledger", f"the ledger in '{folder}'")
        raise RevisionError(message, fix=error.fix) from None
    return other, name
