"""A remote on another machine, ``sftp://``, over one SSH connection.

Host keys are checked against ``~/.ssh/known_hosts``; who signs in, and with which key,
is up to ``~/.ssh/config``, the agent and the keys of ``~/.ssh``.
"""

from __future__ import annotations

import asyncio
import posixpath
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from unlearnlog.remotes.object_store import missing
from unlearnlog.remotes.remote_store import CannotCreate, creates_once
from unlearnlog.remotes.remote_url import RemoteUrl

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHClientConnection

T = TypeVar("T")

_TIMEOUT: Final = 600.0  # s, for one file
_SIGN_IN: Final = 30.0  # s
_HOME: Final = "/~/"


class SftpStore:
    """Files of another machine, written beside their place, then renamed."""

    at_once = 8
    unasked = 0
    writes = True
    together = False

    def __init__(self, url: RemoteUrl) -> None:
        """Connect on first use.

        Raises:
            UsageError: The library is not installed.
        """
        try:
            import asyncssh
            from fsspec.asyn import get_loop, sync
        except ImportError as error:
            raise missing(url) from error
        self._ssh: Final = asyncssh
        self._sync: Final = sync
        self._loop: Final = get_loop()
        self._url = url
        home = url.path.startswith(_HOME)
        self._root = url.path.removeprefix(_HOME) if home else url.path or "/"
        self._connection: SSHClientConnection | None = None
        self._client: SFTPClient | None = None
        self._opening = asyncio.Lock()
        port = f"-p {url.port} " if url.port else ""
        user = f"{url.user}@" if url.user else ""
        self.hint = f"see whether `ssh {port}{user}{url.host}` signs in unasked"

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist."""

        async def work(at: SFTPClient) -> bytes | None:
            try:
                async with at.open(self._path(name), "rb") as file:
                    data: Any = await file.read()  # bytes, in this mode
                    return bytes(data)
            except self._ssh.SFTPNoSuchFile:
                return None

        return self._run(work)

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size."""

        async def work(at: SFTPClient) -> bool:
            try:
                return (await at.stat(self._path(name))).size == n_bytes
            except self._ssh.SFTPNoSuchFile:
                return False

        return self._run(work)

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder."""

        async def below(at: SFTPClient, top: str) -> list[str]:
            try:
                names = sorted(str(n) for n in await at.listdir(self._path(top)))
            except self._ssh.SFTPNoSuchFile:
                return []
            except self._ssh.SFTPError:
                if await at.isfile(self._path(top)):
                    return [top]
                raise
            inside = [posixpath.join(top, n) for n in names if n not in (".", "..")]
            return [path for each in inside for path in await below(at, each)]

        return self._run(lambda at: below(at, folder))

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file durably, or none."""

        async def work(at: SFTPClient) -> None:
            draft = await self._drafted(at, data)
            path = self._path(name)
            try:
                await at.posix_rename(draft, path)
            except self._ssh.SFTPNoSuchFile:
                await at.makedirs(posixpath.dirname(path), exist_ok=True)
                await at.posix_rename(draft, path)

        self._run(work)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file where there is none; return whether it was written.

        Raises:
            CannotCreate: The server makes no links, and so has no such operation.
        """

        async def work(at: SFTPClient) -> bool:
            path = self._path(name)
            await at.makedirs(posixpath.dirname(path), exist_ok=True)
            draft = await self._drafted(at, data)
            try:
                await at.link(draft, path)  # unlike a rename, it replaces nothing
            except self._ssh.SFTPError as error:
                if await at.exists(path):
                    return False
                raise CannotCreate from error
            finally:
                with suppress(self._ssh.SFTPError):
                    await at.remove(draft)
            return True

        return self._run(work)

    def can_create(self) -> bool:
        """Return whether the server makes links, and none over a file."""
        return creates_once(self)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""

        async def work(at: SFTPClient) -> None:
            with suppress(self._ssh.SFTPNoSuchFile):
                await at.remove(self._path(name))

        self._run(work)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._loop.call_soon_threadsafe(self._connection.close)
            self._connection = self._client = None

    async def _drafted(self, at: SFTPClient, data: bytes) -> str:
        """Write a file under a name that no reader knows, and flush it."""
        path = self._path(f"tmp/{secrets.token_hex(8)}")
        try:
            file = await at.open(path, "wb")
        except self._ssh.SFTPNoSuchFile:
            await at.makedirs(posixpath.dirname(path), exist_ok=True)
            file = await at.open(path, "wb")
        async with file:
            await file.write(data)
            with suppress(self._ssh.SFTPOpUnsupported):
                await file.fsync()
        return path

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name) if name else self._root

    def _run(self, work: Callable[[SFTPClient], Awaitable[T]]) -> T:
        """Run work on the connection, in the loop of fsspec's thread."""

        async def connected() -> T:
            async with self._opening:
                if self._client is None:
                    self._client = await self._connected()
            return await work(self._client)

        done: T = self._sync(self._loop, connected, timeout=_TIMEOUT)
        return done

    async def _connected(self) -> SFTPClient:
        """Sign in: asyncssh reads the user's configuration, keys and known hosts."""
        user = {"username": self._url.user} if self._url.user else {}
        port = {"port": self._url.port} if self._url.port else {}
        self._connection = await self._ssh.connect(
            self._url.host,
            login_timeout=_SIGN_IN,
            connect_timeout=_SIGN_IN,
            keepalive_interval=15,
            **user,
            **port,
        )
        return await self._connection.start_sftp_client()
