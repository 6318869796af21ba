"""Addresses of remotes: the kinds that are known, and what no address may hold."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import UsageError

SCHEMES: Final = ("file", "sftp", "s3", "gs", "hf", "https")
"""Kinds of addresses; a path is one without a scheme."""

_KNOWN: Final = (
    "known: a path, sftp://HOST/PATH, s3://BUCKET/PATH, gs://BUCKET/PATH, "
    "hf://OWNER/NAME, hf://datasets/OWNER/NAME and, to read, https://HOST/PATH"
)
_SECRET: Final = re.compile(r"(?<=://)[^/@]*@")
_LIKE_SCP: Final = re.compile(r"(?P<host>[\w.-]+@[\w.-]+|[\w-]+\.[\w.-]+):(?P<path>.+)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LONGEST: Final = 2048


@dataclass(frozen=True)
class RemoteUrl:
    """The address of a remote, checked.

    Attributes:
        scheme: One of `SCHEMES`, or ``http`` for this machine.
        host: The host, the bucket, or empty for a path and for the hub.
        path: The path below it, without a slash at its end.
        user: The user's name for ``sftp``; empty for the one that is configured.
        port: The port; None for the usual one.
    """

    scheme: str
    host: str
    path: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.path
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{self.host}{port}{self.path}"

    @property
    def name(self) -> str:
        """The last part of the path, for a folder; empty where there is none."""
        last = self.path.rstrip("/").rpartition("/")[2] or self.host
        return last if last.strip(".") else ""


def masked(text: str) -> str:
    """Return a text in which no address shows who signs in, and with what.

    Example:
        >>> masked("sftp://ada:secret@host/x")
        'sftp://***@host/x'
    """
    return _SECRET.sub("***@", text)


def remote_url(text: str) -> RemoteUrl:
    """Return an address, checked; a relative path begins in the working directory.

    Raises:
        UsageError: It is of an unknown kind, or holds a password or a key.
    """
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        raise UsageError(f"{masked(text[:80])!r} is no address", fix=_KNOWN)
    if not _SCHEME.match(text):
        return _path(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"'{masked(text)}' is no address", fix=_KNOWN) from error
    _check_no_secret(text, parts)
    if parts.scheme == "file":
        return _path(parts.path)
    _check_scheme(text, parts)
    host, path = parts.hostname or "", parts.path.rstrip("/")
    if parts.scheme == "hf":
        host, path = parts.netloc, path
        _check_repository(text, f"{host}{path}")
    if not host:
        raise UsageError(f"'{text}' names no host or bucket", fix=_KNOWN)
    return RemoteUrl(parts.scheme, host, path, parts.username or "", port)


def _path(text: str) -> RemoteUrl:
    """Return the address of a folder of this machine."""
    if (found := _LIKE_SCP.fullmatch(text)) and not Path(text).exists():
        start = "" if found["path"].startswith("/") else "/~/"
        raise UsageError(
            f"'{text}' is neither a path nor an address",
            fix=f"for a folder of that machine: sftp://{found['host']}{start}"
            f"{found['path']}",
        )
    return RemoteUrl("file", "", str(expanded(text).absolute().resolve()))


def _check_no_secret(text: str, parts: SplitResult) -> None:
    """Refuse a password, and a signature or a token in a query."""
    shown = masked(text.partition("?")[0].partition("#")[0])
    named_user = parts.username is not None and parts.scheme != "sftp"
    if parts.password is not None or named_user:
        raise UsageError(
            f"'{shown}' holds who signs in: an address is kept and shown, so it must "
            "hold no secret",
            fix="leave that out, and let the library find it: keys of ssh and its "
            "agent, AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, HF_TOKEN",
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"'{shown}' goes on with a query, which could be a key: an address is kept "
            "and shown",
            fix=f"give the address without it: {shown}",
        )


def _check_scheme(text: str, parts: SplitResult) -> None:
    """Refuse a kind that is unknown, and one that is not safe."""
    if parts.scheme == "http":
        if not _is_here(parts.hostname or ""):
            raise UsageError(
                f"'{text}' is read without encryption: on the way, any history can be "
                "put in its place",
                fix=f"https{text.removeprefix('http')}",
            )
    elif parts.scheme not in SCHEMES:
        better = {"ssh": "sftp", "scp": "sftp", "gcs": "gs", "s3a": "s3"}
        other = better.get(parts.scheme.removeprefix("git+"), "")
        rest = text.partition("://")[2]
        raise UsageError(
            f"'{text}': no remote is of the kind '{parts.scheme}'",
            fix=f"{other}://{rest}" if other else _KNOWN,
        )


def _check_repository(text: str, path: str) -> None:
    """Refuse what names no repository of the hub."""
    names = path.removeprefix("datasets/").removeprefix("models/").split("/")
    if len(names) < 2 or not all(names) or names[0] == "spaces" or "@" in path:
        raise UsageError(
            f"'{text}' is no model or dataset repository of the hub",
            fix="hf://OWNER/NAME or hf://datasets/OWNER/NAME",
        )


def _is_here(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
