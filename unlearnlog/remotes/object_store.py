"""A remote in a bucket, ``s3://`` or ``gs://``, or on a web server, ``https://``."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import UsageError
from unlearnlog.remotes.remote_store import CannotCreate, creates_once
from unlearnlog.remotes.remote_url import RemoteUrl

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSStore, HTTPStore, RetryConfig, S3Store

_HINTS: Final = {
    "s3": "see whether the bucket is there and yours: AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL",
    "gs": "see whether the bucket is there and yours: gcloud auth "
    "application-default login, or GOOGLE_APPLICATION_CREDENTIALS",
    "https": "see whether the address opens in a browser",
    "http": "see whether the server runs",
}

_ALLOWS_HTTP: Final = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP"}

_NO_BUCKET: Final = "NoSuchBucket"


class ObjectStore:
    """Objects below a prefix; each request reads or writes a whole one."""

    at_once = 8
    unasked = 32_768
    together = False

    def __init__(self, url: RemoteUrl) -> None:
        """Open a bucket or a server; credentials are those of the environment.

        Raises:
            UsageError: The library is not installed.
        """
        try:
            import obstore
        except ImportError as error:
            raise missing(url) from error
        self._do: Final = obstore
        self._at = _opened(url)
        self.writes = url.scheme in ("s3", "gs")
        self.hint = _HINTS[url.scheme]

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an object; None if it does not exist."""
        try:
            return bytes(self._do.get(self._at, name).bytes())
        except FileNotFoundError as error:
            if _NO_BUCKET in str(error):
                raise OSError(str(error)) from error
            return None

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is an object of this size."""
        try:
            return self._do.head(self._at, name)["size"] == n_bytes
        except FileNotFoundError:
            return False

    def names(self, folder: str) -> list[str] | None:
        """Return the names of all objects below a folder; None for a web server."""
        if not self.writes:
            return None
        pages = self._do.list(self._at, folder)
        return sorted(str(each["path"]) for page in pages for each in page)

    def write(self, name: str, data: bytes) -> None:
        """Write a whole object, or none."""
        self._do.put(self._at, name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write an object where there is none; return whether it was written.

        Raises:
            CannotCreate: The server has no such operation.
        """
        from obstore.exceptions import AlreadyExistsError, NotSupportedError

        try:
            self._do.put(self._at, name, data, mode="create")
        except AlreadyExistsError:
            return False
        except (NotSupportedError, NotImplementedError) as error:
            raise CannotCreate from error
        return True

    def can_create(self) -> bool:
        """Return whether a second object of one name is refused."""
        return creates_once(self)

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        with suppress(FileNotFoundError):
            self._do.delete(self._at, name)

    def close(self) -> None:
        """End nothing: connections end with the process."""


def _opened(url: RemoteUrl) -> S3Store | GCSStore | HTTPStore:
    """Return the library's store."""
    from obstore.store import GCSStore, HTTPStore, S3Store

    client: ClientConfig = {"timeout": "300s", "connect_timeout": "20s"}
    retry: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
    # Options that are given here take the place of those of the environment.
    said = os.environ.get(_ALLOWS_HTTP.get(url.scheme, ""), "").lower()
    if url.scheme == "http" or said in ("1", "true"):
        client = {**client, "allow_http": True}
    prefix = url.path.strip("/") or None
    if url.scheme == "s3":
        return S3Store(
            url.host, prefix=prefix, client_options=client, retry_config=retry
        )
    if url.scheme == "gs":
        return GCSStore(
            url.host, prefix=prefix, client_options=client, retry_config=retry
        )
    return HTTPStore.from_url(str(url), client_options=client, retry_config=retry)


def missing(url: RemoteUrl) -> UsageError:
    """Return the error for a kind of address that needs another package."""
    return UsageError(
        f"'{url}' needs packages that are not installed",
        fix="pip install 'unlearnlog[remote]'",
    )
