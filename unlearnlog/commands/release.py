"""``release``: what one gives away of a revision, and nothing that undoes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog import __version__
from unlearnlog.commands.model_signing import SIGNATURE, sign_folder
from unlearnlog.commands.release_card import (
    PROVENANCE,
    REPORT,
    Released,
    card,
    report,
)
from unlearnlog.core.active import live_concepts
from unlearnlog.core.visible import json_line
from unlearnlog.errors import IntegrityError, UsageError
from unlearnlog.ledger.drafts import new_folder
from unlearnlog.models.hub_card import BaseTerms, hub_id, terms_of, with_metadata

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import EntryId


@dataclass(frozen=True)
class ReleaseRequest:
    """Arguments of ``release``.

    Attributes:
        rev: The revision, as it was typed.
        folder: The new folder.
        base_model: The base's hub id; empty for that of its source.
        licence: The licence; empty for that of the base's card.
        key: A private key that signs the folder; None for no signature.
    """

    rev: str
    folder: Path
    base_model: str = ""
    licence: str = ""
    key: Path | None = None


@dataclass(frozen=True)
class Release:
    """A written release.

    Attributes:
        entry: The entry.
        folder: The folder.
        erased: Names of the erased concepts.
        files: SHA-256 of each file but the signature, by its path in the folder.
        is_signed: Whether the folder bears a signature.
    """

    entry: EntryId
    folder: str
    erased: tuple[str, ...]
    files: dict[str, str]
    is_signed: bool

    def row(self) -> dict[str, Any]:
        """Return the fields as ``release --json`` prints them."""
        return asdict(self)


def release(at: Session, request: ReleaseRequest) -> Release:
    """Write the model of a revision with its card, report and provenance.

    Raises:
        UsageError: Nothing is erased at the revision, or the folder cannot be written.
        DiskFull: No room was left; nothing is left behind.
    """
    ledger, entry = at.the_ledger(), at.resolved(request.rev)
    history = ledger.history(entry)
    live = live_concepts(history)
    if entry is None or not live:
        raise UsageError(
            f"nothing is erased at '{request.rev}': there is nothing to release",
            fix="name a revision with an erasure: unlearnlog log",
        )
    terms = terms_of(at.model.folder.path)
    if request.licence:
        terms = BaseTerms(request.licence)
    of = Released(at.manifest.name, terms.licence_name or terms.licence, history, live)
    base = request.base_model or hub_id(at.manifest.source)
    text = with_metadata(card(of), base=base, terms=terms)
    weights = at.weights(entry)
    with ledger.giving(request.folder.parent), new_folder(request.folder) as building:
        at.model.checkout(weights, building, card=text)
        (building / REPORT).write_text(report(of), encoding="utf-8")
        files = dict(_digests(building))
        about = _provenance(at, entry, history[-1][1].date, files)
        (building / PROVENANCE).write_text(json_line(about) + "\n", encoding="utf-8")
        for name in (REPORT, PROVENANCE):
            _flush(building / name)
        files[PROVENANCE] = _sha256(building / PROVENANCE)
        if request.key is not None:
            sign_folder(building, request.key)
            _flush(building / SIGNATURE)
    return Release(
        entry, str(request.folder), tuple(live), files, request.key is not None
    )


def _provenance(
    at: Session, entry: EntryId, date: str, files: dict[str, str]
) -> dict[str, Any]:
    """Return what a release was made of.

    The entry's id is a digest that tells nothing by itself: with the ledger at hand it
    names the history that the release came from.
    """
    return {
        "format": 1,
        "made_with": f"unlearnlog {__version__}",
        "base": {"name": at.manifest.name, "digest": at.manifest.root},
        "entry": entry,
        "recorded": date,
        "files": files,
    }


def check_release(folder: Path) -> int:
    """Check the files of a release against its provenance, and count them.

    Raises:
        UsageError: The folder has no provenance.
        IntegrityError: A file is missing, new or changed.
    """
    try:
        about = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        wanted = {str(name): str(each) for name, each in about["files"].items()}
    except FileNotFoundError as error:
        raise UsageError(
            f"'{folder}' is no release: it has no {PROVENANCE}",
            fix="make one: unlearnlog release REV -o DIR",
        ) from error
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise IntegrityError(
            f"'{folder / PROVENANCE}' cannot be read: {error}",
            fix="take the release again from its maker",
        ) from error
    found = dict(_digests(folder, leave_out=(PROVENANCE, SIGNATURE)))
    wrong = sorted(
        name
        for name in wanted.keys() | found.keys()
        if wanted.get(name) != found.get(name)
    )
    if wrong:
        raise IntegrityError(
            f"{len(wrong)} files of '{folder}' are not those of the release: "
            f"{', '.join(wrong[:4])}",
            fix="take the release again from its maker",
        )
    return len(wanted)


def _digests(
    folder: Path, leave_out: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 of each file of a folder, by its path there."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in leave_out:
            yield name, _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Make a file's bytes durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
