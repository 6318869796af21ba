"""Pages of the ledger's cache, each sealed over its key and its content.

A page is a line with a keyed digest, a line with the page's key, and its content. The
digest is over key and content, and keyed by the user's own secret, so a flipped bit or
another user's page is never taken for what was computed here. Such a page counts as
missing: it is made again, with one warning a command.
"""

from __future__ import annotations

import hmac
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import digest_of
from unlearnlog.ledger.user_key import own_key

if TYPE_CHECKING:
    from unlearnlog.ledger.cache_folder import CacheFolder

_MAGIC: Final = b"unlearnlog page 1"
_TOLD_APART: Final = b"which key"
_N_TOLD: Final = 16


class CacheDamaged(UserWarning):
    """A damaged page of the cache; it is computed again."""


class CacheForeign(UserWarning):
    """A page of the cache from another user; it is computed again."""


class NotAPage(ValueError):  # noqa: N818 - reads as what was found
    """A file that is no page of this user.

    Attributes:
        kind: The warning to give: damaged or foreign; None for a page of an older
            version.
    """

    def __init__(self, why: str, kind: type[UserWarning] | None) -> None:
        """Keep the reason and the warning to give."""
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class Pages:
    """Pages in one folder, each in a file that is named by the digest of its key.

    Attributes:
        folder: The folder.
        kept: Number of pages that stay, the newest.
        secret: Returns the key of the digests.
        said: Warnings given so far; shared by all pages of a ledger.
    """

    folder: CacheFolder
    kept: int
    secret: Callable[[], bytes] = own_key
    said: set[type[UserWarning]] = field(default_factory=set, compare=False)

    def get(self, key: str) -> bytes | None:
        """Return the content of a key, or None."""
        name = _name(key)
        try:
            data = self.folder.read(name)
            return None if data is None else _content(data, key, self.secret())
        except NotAPage as error:
            self.warn(error.kind, name, str(error))
        except OSError as error:
            self.warn(CacheDamaged, name, error.strerror or str(error))
        return None

    def put(self, key: str, content: bytes) -> None:
        """Write a page, if the disk allows it, and remove the oldest ones."""
        page = _page(key, content, self.secret())
        self.folder.write(_name(key), page, kept=self.kept)

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Yield every page that is not as it was written, with the reason.

        Pages of another user are not faults.
        """
        pages = (p for p in self.folder.files() if len(p.name) == len(_name("")))
        for path in sorted(pages):
            try:
                data = self.folder.disk.read(path)
                _content(data, _key_of(data), self.secret())
                if _name(_key_of(data)) != path.name:
                    yield path, "it is in the place of another page"
            except NotAPage as error:
                if error.kind is CacheDamaged:
                    yield path, str(error)
            except FileNotFoundError:
                continue  # another command tidied up
            except OSError as error:
                yield path, error.strerror or str(error)

    def warn(self, kind: type[UserWarning] | None, name: str, why: str) -> None:
        """Warn once a command that a page is computed again."""
        if kind is None or kind in self.said:
            return
        self.said.add(kind)
        what = "was computed elsewhere" if kind is CacheForeign else "is damaged"
        warnings.warn(
            f"what was kept in '{self.folder.path.parent}' {what} and is made again: "
            f"{self.folder.path.name}/{name[:12]}: {why}",
            kind,
            stacklevel=3,
        )


def _name(key: str) -> str:
    """Return the name of a page's file."""
    return digest_of(key.encode("utf-8", "surrogatepass"))


def _page(key: str, content: bytes, secret: bytes) -> bytes:
    """Return a page's bytes."""
    body = json.dumps(key).encode() + b"\n" + content
    return b" ".join([_MAGIC, _owner(secret), _seal(body, secret)]) + b"\n" + body


def _content(data: bytes, key: str, secret: bytes) -> bytes:
    """Return the content of a page of this key, written with this secret.

    Raises:
        NotAPage: The data is no such page.
    """
    if not data.startswith(_MAGIC):
        kind = None if _is_older(data) else CacheDamaged
        raise NotAPage("it is no page", kind)
    head, _, body = data.partition(b"\n")
    words = head.removeprefix(_MAGIC).split()
    if not hmac.compare_digest(words[-1] if words else b"", _seal(body, secret)):
        foreign = len(words) == 2 and words[0] != _owner(secret)
        if foreign and head == b" ".join([_MAGIC, *words]):
            raise NotAPage("its key is not yours", CacheForeign)
        raise NotAPage("its content is not what was written", CacheDamaged)
    page_key, _, content = body.partition(b"\n")
    if head != b" ".join([_MAGIC, _owner(secret), words[-1]]):
        raise NotAPage("its first line is not what was written", CacheDamaged)
    if page_key != json.dumps(key).encode():
        raise NotAPage("it is in the place of another page", CacheDamaged)
    return content


def _key_of(data: bytes) -> str:
    """Return the key that is written in a page; empty where there is none."""
    line = data.partition(b"\n")[2].partition(b"\n")[0]
    with suppress(ValueError, RecursionError):
        if isinstance(key := json.loads(line), str):
            return key
    return ""


def _is_older(data: bytes) -> bool:
    """Return whether data is a page of an earlier version, which is not used."""
    return data[8:9] == b"{" or (data[64:65] == b"\n" and data[65:66] == b"{")


def _owner(secret: bytes) -> bytes:
    """Return a fingerprint of a secret that does not reveal it."""
    return _seal(_TOLD_APART, secret)[:_N_TOLD]


def _seal(data: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, data, "sha256").hex().encode()
