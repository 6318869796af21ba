"""A model's folder, pushed to a hub as one repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from unlearnlog.errors import ModelError, UsageError

_WORD: Final = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY: Final = re.compile(f"{_WORD}/{_WORD}", re.ASCII)
_DOUBLED: Final = re.compile(r"--|\.\.")
_CARD: Final = "README.md"
_BASE_CARD: Final = "README.base.md"
_FENCE: Final = "---\n"
_LICENCE: Final = ("license:", "license_name:", "license_link:")
_ABOUT: Final = """\
library_name: diffusers
pipeline_tag: text-to-image
tags:
- concept-erasure
- unlearnlog
"""


def check_repository(name: str) -> None:
    """Refuse a name that is no repository of an owner.

    Raises:
        UsageError: It is not ``owner/name``, or has letters that a hub does not take.
    """
    if _REPOSITORY.fullmatch(name) and not _DOUBLED.search(name):
        return
    raise UsageError(
        f"'{name}' is no repository of a hub",
        fix="give the owner and the name, in letters, digits, -, _ and single dots: "
        "you/without-picasso",
    )


def with_front_matter(folder: Path) -> None:
    """Put what a hub sorts by before a folder's card; the licence is the base's.

    A card that has it already stays as it is.

    Args:
        folder: A model's folder; its card is changed.
    """
    card = folder / _CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    if text.startswith(_FENCE):
        return
    licence = "".join(_licence_lines(folder / _BASE_CARD))
    front = f"{_FENCE}{licence}{_ABOUT}{_FENCE}\n"
    card.write_text(front + text, encoding="utf-8")


def pushed(folder: Path, repository: str, *, message: str, public: bool) -> str:
    """Push a folder, and return the address of the commit.

    The repository is made if there is none. Files in it that the folder does not have
    are removed: they could hold the weights from before an erasure.

    Args:
        folder: A model's folder.
        repository: ``owner/name``.
        message: The commit's message.
        public: Whether everybody may read it.

    Raises:
        ModelError: The hub cannot be reached or refuses, or the repository is public
            and nothing was said of that; then nothing was sent.
    """
    api = HfApi()
    try:
        _make(api, repository, public=public)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=message,
            delete_patterns="*",
        )
    except LocalTokenNotFoundError:
        raise ModelError(
            f"'{repository}' cannot be pushed: no token of the hub is on this machine",
            fix="log in: hf auth login, or set HF_TOKEN",
        ) from None
    except OfflineModeIsEnabled:
        raise ModelError(
            f"'{repository}' cannot be pushed: HF_HUB_OFFLINE forbids any request",
            fix="unset HF_HUB_OFFLINE",
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"'{repository}' cannot be pushed: {reason}",
            fix="check the name and that your token may write there: hf auth login",
        ) from error
    return str(done.commit_url)


def _make(api: HfApi, repository: str, *, public: bool) -> None:
    """Make a repository, or check that an existing one is as private as asked.

    Raises:
        ModelError: It is public, and that was not asked for.
    """
    try:
        found = api.repo_info(repository)
    except RepositoryNotFoundError:
        api.create_repo(repository, private=not public)
        return
    if not found.private and not public:
        raise ModelError(
            f"'{repository}' exists and is public; nothing was sent",
            fix="say --public, or give a new name",
        )


def _licence_lines(card: Path) -> list[str]:
    """Return the lines about the licence in the front matter of a card."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    if not text.startswith(_FENCE):
        return []
    front = text.removeprefix(_FENCE).partition(_FENCE)[0]
    return [line for line in front.splitlines(True) if line.startswith(_LICENCE)]
