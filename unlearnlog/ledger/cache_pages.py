"""Pages of the ledger's cache, each sealed over its key and its content.

A page is a line with a keyed digest, a line with the page's key, and its content. The
digest is over key and content, and keyed by the user's own secret, so a flipped bit or
another user's page is never taken for what was computed here. Such a page counts as
missing: it is made again, with one warning a command.
"""

from __future__ import annotations

import hmac
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import digest_of
from unlearnlog.ledger.path_safety import check_plain
from unlearnlog.ledger.user_key import own_key

if TYPE_CHECKING:
    from unlearnlog.ledger.disk import Disk

_MAGIC: Final = b"unlearnlog page 1"
_TOLD_APART: Final = b"which key"
_N_TOLD: Final = 16


class CacheDamaged(UserWarning):
    """Something in the cache is not what was put there; it is made again."""


class CacheForeign(UserWarning):
    """Something in the cache was computed by somebody else; it is computed again."""


class NotAPage(ValueError):  # noqa: N818 - says what is wrong, as `Moved` does
    """A file is no page of one's own.

    Attributes:
        kind: The warning that is due: damaged, foreign; None for a page of an older
            version.
    """

    def __init__(self, why: str, kind: type[UserWarning] | None) -> None:
        """Say what it is instead."""
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class Pages:
    """Pages in one folder, each in a file that is named by the digest of its key.

    Attributes:
        folder: Two levels below the ledger's.
        disk: The file system's operations.
        kept: How many pages stay, the newest.
        secret: Returns what the digests are keyed by.
        said: What was warned of; shared by all pages of a ledger.
    """

    folder: Path
    disk: Disk
    kept: int
    secret: Callable[[], bytes] = own_key
    said: set[type[UserWarning]] = field(default_factory=set, compare=False)

    def get(self, key: str) -> bytes | None:
        """Return the content that was put there under this key, or None."""
        path = self._path(key)
        if not os.path.lexists(path):
            return None
        try:
            check_plain(self.folder.parents[1], path)
            return _content(self.disk.read(path), key, self.secret())
        except NotAPage as error:
            self.warn(error.kind, path, str(error))
        except OSError as error:
            self.warn(CacheDamaged, path, error.strerror or str(error))
        return None

    def put(self, key: str, content: bytes) -> None:
        """Keep a page, if the disk lets us, and no more than the newest ones."""
        path = self._path(key)
        with suppress(OSError):
            check_plain(self.folder.parents[1], path)
            self.disk.lead_to(self.folder)
            data = _page(key, content, self.secret())
            self.disk.write_atomic(path, data, self.folder, durable=False)
            self._prune()

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Read every page; find those that are no longer what was put there.

        Pages that somebody else wrote are none of one's own, but no faults either.
        """
        for path in self._paths():
            try:
                data = self.disk.read(path)
                _content(data, _key_of(data), self.secret())
                if self._path(_key_of(data)) != path:
                    yield path, "it is in the place of another page"
            except NotAPage as error:
                if error.kind is CacheDamaged:
                    yield path, str(error)
            except FileNotFoundError:
                continue  # another command tidied up
            except OSError as error:
                yield path, error.strerror or str(error)

    def warn(self, kind: type[UserWarning] | None, path: Path, why: str) -> None:
        """Say once a command that something is made again."""
        if kind is None or kind in self.said:
            return
        self.said.add(kind)
        what = "was computed elsewhere" if kind is CacheForeign else "is damaged"
        warnings.warn(
            f"what was kept in '{self.folder.parent}' {what} and is made again: "
            f"{self.folder.name}/{path.name[:12]}: {why}",
            kind,
            stacklevel=3,
        )

    def _paths(self) -> list[Path]:
        """List the plain files of the folder, unfinished ones left out."""
        found, root = [], self.folder.parents[1]
        with suppress(OSError):
            check_plain(root, self.folder)
            for name in self.disk.names(self.folder):
                with suppress(OSError):  # a link, or gone
                    if len(name) == len(digest_of(b"")):
                        check_plain(root, self.folder / name)
                        found.append(self.folder / name)
        return found

    def _prune(self) -> None:
        names = self.disk.names(self.folder)
        if len(names) > self.kept:
            paths = [self.folder / name for name in names]
            paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for old in paths[self.kept :]:
                self.disk.unlink(old)

    def _path(self, key: str) -> Path:
        return self.folder / digest_of(key.encode("utf-8", "surrogatepass"))


def _page(key: str, content: bytes, secret: bytes) -> bytes:
    """Return a page's bytes."""
    said = json.dumps(key).encode() + b"\n" + content
    return b" ".join([_MAGIC, _whose(secret), _seal(said, secret)]) + b"\n" + said


def _content(data: bytes, key: str, secret: bytes) -> bytes:
    """Return the content of a page of this key, written with this secret.

    Raises:
        NotAPage: It is something else.
    """
    if not data.startswith(_MAGIC):
        kind = None if _is_older(data) else CacheDamaged
        raise NotAPage("it is no page", kind)
    head, _, said = data.partition(b"\n")
    words = head.removeprefix(_MAGIC).split()
    if not hmac.compare_digest(words[-1] if words else b"", _seal(said, secret)):
        foreign = len(words) == 2 and words[0] != _whose(secret)
        if foreign and head == b" ".join([_MAGIC, *words]):
            raise NotAPage("its key is not yours", CacheForeign)
        raise NotAPage("its content is not what was written", CacheDamaged)
    said_key, _, content = said.partition(b"\n")
    if head != b" ".join([_MAGIC, _whose(secret), words[-1]]):
        raise NotAPage("its first line is not what was written", CacheDamaged)
    if said_key != json.dumps(key).encode():
        raise NotAPage("it is in the place of another page", CacheDamaged)
    return content


def _key_of(data: bytes) -> str:
    """Return the key that a page says it has; an empty one where it says nothing."""
    line = data.partition(b"\n")[2].partition(b"\n")[0]
    with suppress(ValueError, RecursionError):
        if isinstance(key := json.loads(line), str):
            return key
    return ""


def _is_older(data: bytes) -> bool:
    """Tell what an earlier version kept, which nobody uses any more."""
    return data[8:9] == b"{" or (data[64:65] == b"\n" and data[65:66] == b"{")


def _whose(secret: bytes) -> bytes:
    """Return what tells keys apart and betrays none."""
    return _seal(_TOLD_APART, secret)[:_N_TOLD]


def _seal(data: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, data, "sha256").hex().encode()
