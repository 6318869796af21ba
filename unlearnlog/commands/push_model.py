"""``push-model``: a revision's model as a repository of a hub, after a dry run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from unlearnlog.commands.model_card import card
from unlearnlog.core.active import live_concepts
from unlearnlog.models.hub_push import pushed, with_front_matter

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import EntryId


@dataclass(frozen=True)
class PushRequest:
    """Arguments of ``push-model``.

    Attributes:
        rev: The revision, as it was typed.
        repository: ``owner/name``.
        public: Whether everybody may read it.
        message: The commit's message; empty for one that names what is erased.
        dry_run: Whether to make the folder and send nothing.
    """

    rev: str
    repository: str
    public: bool = False
    message: str = ""
    dry_run: bool = True


@dataclass(frozen=True)
class ModelPush:
    """A model that was pushed, or would be.

    Attributes:
        repository: ``owner/name``.
        public: Whether everybody may read it.
        message: The commit's message.
        files: Size in bytes of each file, by its path.
        url: Address of the commit; empty where nothing was sent.
    """

    repository: str
    public: bool
    message: str
    files: dict[str, int]
    url: str = ""

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(self.files.values())

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "repository": self.repository,
            "private": not self.public,
            "message": self.message,
            "files": [{"name": n, "bytes": size} for n, size in self.files.items()],
            "bytes": self.n_bytes,
            "pushed": bool(self.url),
            "url": self.url or None,
        }


def push_model(at: Session, request: PushRequest) -> ModelPush:
    """Push a revision's model to a hub, or say what would be pushed.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        ModelError: The hub cannot be reached or refuses.
    """
    entry = at.resolved(request.rev)
    text = entry and card(at, entry)
    message = request.message or _message(at, entry)
    with TemporaryDirectory(prefix="unlearnlog-push-") as place:
        folder = Path(place) / "model"
        at.model.checkout(at.weights(entry), folder, card=text)
        with_front_matter(folder)
        found = ModelPush(request.repository, request.public, message, _sizes(folder))
        if request.dry_run:
            return found
        url = pushed(folder, request.repository, message=message, public=request.public)
    return ModelPush(found.repository, found.public, message, found.files, url)


def _sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file of a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _message(at: Session, entry: EntryId | None) -> str:
    if entry is None:
        return f"{at.manifest.name}, without any erasure"
    gone = [*live_concepts(at.the_ledger().history(entry))]
    return f"{at.manifest.name} without {', '.join(gone)}"[:200]
