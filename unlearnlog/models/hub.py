"""Models by hub id and pinned revision, fetched once, when a ledger is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from unlearnlog.errors import ModelError

_PINNED: Final = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+(@.*)?")
_WANTED: Final = ("*.json", "*/*.json", "*/*.txt", "*/*.safetensors")
_UNWANTED: Final = ("*.fp16.safetensors", "*non_ema*", "*/flax*", "*/openvino*")


@contextmanager
def offline() -> Iterator[None]:
    """Switch off the network requests of the hub's libraries.

    They check this setting before each request. It is restored afterwards, since a
    program that uses unlearnlog may use the hub itself.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def located(source: str, *, may_download: bool) -> Path:
    """Return the folder that a source names: a path, or ``owner/name@revision``.

    A revision is a commit's 40 hex digits: a branch may move, and then the digests in
    the ledger would not fit the model.

    Args:
        source: The source that the user typed or the ledger recorded.
        may_download: Whether the network may be used; only ``init`` does.

    Raises:
        ModelError: The id has no pinned revision, or the model cannot be fetched.
    """
    folder = Path(source)
    if folder.exists():
        return folder
    if pinned := _PINNED.fullmatch(source):
        return _fetched(*pinned.groups(), may_download=may_download)
    if _HUB_ID.fullmatch(source) and not source.startswith("."):
        name = source.partition("@")[0]
        raise ModelError(
            f"there is no folder '{source}', and as a hub id it has no pinned revision",
            fix=f"give {name}@ and the 40 hex digits of a commit",
        )
    return folder


def cached_file(repository: str, name: str) -> Path | None:
    """Return a file of the hub that is on this machine already; None for none.

    Args:
        repository: Its owner and name.
        name: The file's path in it.
    """
    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def _fetched(name: str, revision: str, *, may_download: bool) -> Path:
    try:
        with nullcontext() if may_download else offline():
            found = snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(_WANTED),
                ignore_patterns=list(_UNWANTED),
                local_files_only=not may_download,
            )
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"'{name}@{revision}' is not on this machine",
            fix="go online once and type: unlearnlog init --model "
            f"{name}@{revision}, in an empty folder",
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"'{name}@{revision}' cannot be fetched: {reason}",
            fix="check the name and the revision, or download the folder yourself",
        ) from error
    return Path(found)
