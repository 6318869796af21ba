"""A reader of safetensors files that copies tensors and checks the header.

The library maps the file: if it is truncated meanwhile, the process dies of a bus
error, and content may change after it was checked. Here the header is checked before it
is used, and a tensor is copied out of the file once.

Source:
    The format: github.com/huggingface/safetensors, its README.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NewType, Self, final

import torch

from unlearnlog.core.plain_files import handle_of

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

LARGEST_HEADER: Final = 10 * 2**20
"""Bytes: the header of a whole SDXL takes a thirtieth of that."""

LENGTH_BYTES: Final = 8  # the file begins with the length of its header
_ENDS: Final = 2  # a begin and an end
NOTES: Final = "__metadata__"
_LINE: Final = 64  # bytes
_DIMENSIONS: Final = 64  # torch has no more

DTYPES: Final[Mapping[str, torch.dtype]] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "U16": torch.uint16,
    "I16": torch.int16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "F32": torch.float32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F64": torch.float64,
    "C64": torch.complex64,
}

Stamp = NewType("Stamp", tuple[int, ...])
"""Device, inode, size and times of a file, which change when it is written to."""


@dataclass(frozen=True)
class TensorPlace:
    """The place of a tensor in its file.

    Attributes:
        kind: The format's word for its dtype.
        shape: Sizes, outermost first.
        begin: Offset of the first byte from the beginning of the file.
        n_bytes: Size in bytes.
    """

    kind: str
    shape: tuple[int, ...]
    begin: int
    n_bytes: int


@final
class TensorFile(Mapping[str, torch.Tensor]):
    """The tensors of a file by name, each read on access, in its own dtype.

    Attributes:
        path: The file.
        places: The place of each tensor in it.
        notes: The metadata in its header.
    """

    def __init__(self, path: Path, stream: FileIO) -> None:
        """Use `open` instead, which closes the file on an error.

        Raises:
            ValueError: It is no safetensors file, or a damaged one.
        """
        self.path = path
        self._stream = stream
        self._lock = Lock()
        header, begin = _header(stream)
        self.notes = _notes(header.pop(NOTES, None))
        self.places = {name: _place(name, row, begin) for name, row in header.items()}
        _check_covered(self.places, begin, os.fstat(stream.fileno()).st_size)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file and check its header.

        Raises:
            OSError: It cannot be opened.
            ValueError: It is no regular file, no safetensors, or damaged.
        """
        handle = handle_of(path)
        try:
            file = cls(path, os.fdopen(handle, "rb", buffering=0, closefd=False))
        except BaseException:
            os.close(handle)
            raise
        weakref.finalize(file, os.close, handle)
        return file

    @property
    def stamp(self) -> Stamp:
        """The file's stamp now."""
        return stamp_of(os.fstat(self._stream.fileno()))

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read one tensor.

        Raises:
            ValueError: The file was truncated, or torch has no such dtype.
        """
        place = self.places[name]
        dtype = DTYPES.get(place.kind)
        if dtype is None:
            message = f"its numbers are {place.kind}"
            raise ValueError(message)
        octets = _room_for(place, dtype.itemsize)
        self._fill(octets.numpy().data, place.begin)
        return octets.view(dtype).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def _fill(self, room: memoryview, begin: int) -> None:
        with self._lock:
            self._stream.seek(begin)
            while room:
                n_read = self._stream.readinto(room)
                if not n_read:
                    message = "it is truncated"
                    raise ValueError(message)
                room = room[n_read:]


def _room_for(place: TensorPlace, itemsize: int) -> torch.Tensor:
    """Return memory for a tensor with the alignment to a cache line of its file.

    A mapped file has that alignment, too, and the last bits of a product depend on it:
    so results equal those of diffusers.
    """
    room = torch.empty(place.n_bytes + _LINE, dtype=torch.uint8)
    shift = (place.begin - room.data_ptr()) % _LINE
    shift = 0 if shift % itemsize else shift
    return room[shift : shift + place.n_bytes]


def stamp_of(found: os.stat_result) -> Stamp:
    """Return the stamp of a file, which changes when it is written to."""
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return Stamp((found.st_dev, found.st_ino, found.st_size, *times))


def _header(stream: FileIO) -> tuple[dict[str, Any], int]:
    """Return the header's rows by tensor, and the offset of the data."""
    size = os.fstat(stream.fileno()).st_size
    length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
    if not 0 < length <= min(LARGEST_HEADER, size - LENGTH_BYTES):
        message = (
            f"its header would have {length} bytes, of a file of {size}: it is not "
            "safetensors, or truncated"
        )
        raise ValueError(message)
    data = stream.read(length)
    try:
        header = json.loads(data.decode(), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        message = f"its header is damaged: {error}"
        raise ValueError(message) from None
    if not isinstance(header, dict):
        message = "its header is damaged: no JSON object"
        raise ValueError(message)
    return header, LENGTH_BYTES + length


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "it has a name twice"
        raise ValueError(message)
    return found


def _notes(metadata: object) -> dict[str, str]:
    notes = {} if metadata is None else metadata
    words = isinstance(notes, dict) and all(isinstance(v, str) for v in notes.values())
    if not isinstance(notes, dict) or not words:
        message = "its header is damaged: its metadata are no strings"
        raise ValueError(message)
    return notes


def _place(name: str, row: object, first: int) -> TensorPlace:
    """Return the place of a tensor from its row in the header, with a checked size."""
    content = row if isinstance(row, dict) else {}
    kind = content.get("dtype")
    shape = _whole_numbers(content.get("shape"))
    offsets = _whole_numbers(content.get("data_offsets"))
    if offsets is None or len(offsets) != _ENDS:
        message = f"its header is damaged: {name!r} has no offsets"
        raise ValueError(message)
    if not isinstance(kind, str) or shape is None:
        message = f"its header is damaged: {name!r} has no dtype or no shape"
        raise ValueError(message)
    begin, end = offsets
    place = TensorPlace(kind, tuple(shape), first + begin, end - begin)
    dtype = DTYPES.get(kind)
    wanted = math.prod(shape) * (dtype.itemsize if dtype else 0)
    if place.n_bytes < 0 or (dtype and place.n_bytes != wanted):
        message = (
            f"its header is damaged: {name!r} is {kind} {shape}, and has "
            f"{place.n_bytes} bytes"
        )
        raise ValueError(message)
    return place


def _whole_numbers(value: object) -> list[int] | None:
    """Return a list of non-negative integers; None for any other value."""
    if not isinstance(value, list) or len(value) > _DIMENSIONS:
        return None
    return value if all(type(n) is int and n >= 0 for n in value) else None


def _check_covered(places: Mapping[str, TensorPlace], first: int, size: int) -> None:
    """Refuse tensors that overlap, and bytes that belong to none."""
    end = first
    for place in sorted(places.values(), key=lambda p: (p.begin, p.n_bytes)):
        if place.begin != end:
            message = "its header is damaged: its tensors overlap or leave gaps"
            raise ValueError(message)
        end += place.n_bytes
    if end != size:
        message = f"its tensors end after {end} bytes, and it has {size}"
        raise ValueError(message)
