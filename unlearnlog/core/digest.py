"""SHA-256 digests of canonical JSON, and the records that are hashed.

A value is hashed as canonical JSON (RFC 8785), so a digest depends on content only:
never on a dict's order, a file's container or a version of a library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, NewType

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

Digest = NewType("Digest", str)
"""64 lower-case hex digits: a SHA-256."""

HEX: Final = re.compile(r"[0-9a-f]{64}")

DigestField = Annotated[Digest, Field(pattern=r"^[0-9a-f]{64}$")]
"""A digest read from disk: exactly 64 lower-case hex digits."""

EXACT: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

Count = Annotated[int, Field(ge=0, le=EXACT)]
"""A whole number that JSON keeps exactly."""


class Record(BaseModel):
    """A frozen value that is read from disk, and so is checked strictly."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class TensorRecord(Record):
    """The dtype, shape and digest of one tensor.

    Attributes:
        dtype: Torch's word, such as ``float16``.
        shape: Sizes, outermost first.
        sha256: SHA-256 of the raw little-endian bytes, row-major.
    """

    dtype: str = Field(min_length=1)
    shape: tuple[Annotated[int, Field(ge=0)], ...]
    sha256: DigestField


def is_exact(number: float) -> bool:
    """Return whether a number is finite and, when whole, small enough for JSON."""
    return abs(number) <= EXACT


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON value in canonical form (RFC 8785), as UTF-8."""
    return rfc8785.dumps(value)


def plain_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return canonical JSON of a value without floats, many times as fast.

    The standard library sorts keys and escapes texts as RFC 8785 does, except keys
    beyond the basic plane.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() if text.isascii() else canonical_json(value)


def digest_of(data: bytes) -> Digest:
    """Return the SHA-256 of bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def merkle_root(
    tensors: Iterable[tuple[str, TensorRecord]], base_root: Digest | None = None
) -> Digest:
    """Return one digest of named tensors, independent of their order.

    Args:
        tensors: Pairs of name and record; names are unique.
        base_root: Root of the base these tensors change; None for the base itself.
    """
    leaves = sorted(
        [name, record.dtype, list(record.shape), record.sha256]
        for name, record in tensors
    )
    return digest_of(canonical_json({"base": base_root, "tensors": leaves}))
