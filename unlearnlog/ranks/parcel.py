"""Functions and values as bytes, for another process of the same command.

What each process has of its own is not sent but named: models, receivers of progress,
caches, and the processes themselves. Nothing of this is ever read from a file.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import torch

from unlearnlog.checkpoints.single_file import opened_base
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.ranks import Ranks
from unlearnlog.core.work_cache import NoTensorCache
from unlearnlog.errors import ModelError
from unlearnlog.models.components import Untyped
from unlearnlog.models.diffusers_model import DiffusersModel

_MODEL, _KEPT, _RANKS, _WATCH, _SHELF = "model", "kept", "ranks", "watch", "shelf"

Name = tuple[str, ...]
"""The kind of a value that is not sent, and what it is found by."""


def packed(value: object, kept: Sequence[object] = ()) -> bytes:
    """Return a value as bytes.

    Args:
        value: The value.
        kept: Values that the receivers have; each is named by its place among them.
    """
    stream = io.BytesIO()
    _Packer(stream, kept).dump(value)
    return stream.getvalue()


class Placed(Ranks, Protocol):
    """Processes of which this one knows where it computes."""

    device: torch.device


class Unpacker:
    """The reader of bytes that `packed` made in the main process.

    Attributes:
        ranks: What stands for the processes.
        local: The number of this process on its machine.
        kept: Values that were sent to be named later.
    """

    def __init__(self, ranks: Placed, local: int) -> None:
        """Begin without a model."""
        self.ranks = ranks
        self.local = local
        self.kept: list[object] = []
        self._models: dict[Name, DiffusersModel] = {}

    def unpacked(self, content: bytes) -> Untyped:
        """Return the value; a model is loaded when it is named for the first time.

        Raises:
            ModelError: The model is not in the same place, or is another one.
        """
        return _Loader(io.BytesIO(content), self._own).load()

    def _own(self, name: Name) -> object:
        kind, *where = name
        if kind == _MODEL:
            if name not in self._models:
                self._models[name] = loaded(where, self.local)
                self.ranks.device = self._models[name].device
            return self._models[name]
        if kind == _KEPT:
            return self.kept[int(where[0])]
        values: dict[str, Callable[[], object]] = {
            _RANKS: lambda: self.ranks,
            _WATCH: NoProgress,
            _SHELF: NoTensorCache,
        }
        return values[kind]()


def loaded(where: list[str], local: int) -> DiffusersModel:
    """Load a model that the main process has.

    Args:
        where: Folder or file, folder of the tokenizer or nothing, kind of device,
            dtype, and the digest of its tensors.
        local: The number of this process on its machine, and of its GPU.

    Raises:
        ModelError: It is not there, or is another one.
    """
    folder, words, kind, dtype, root = where
    device = kind if kind == "cpu" else f"{kind}:{local}"
    model = DiffusersModel.load(
        opened_base(Path(folder), Path(words) if words else None),
        device=device,
        dtype=getattr(torch, dtype),
    )
    if model.manifest.root != root:
        raise ModelError(
            f"the model in '{folder}' has the digest {model.manifest.root[:12]}, that "
            f"of the main process {root[:12]}",
            fix="copy the same model there",
        )
    return model


def _read_only(values: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(values)


class _Packer(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, kept: Sequence[object]) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._places = {id(value): place for place, value in enumerate(kept)}

    def persistent_id(self, value: object) -> Name | None:
        """Return the name of a value that the receiver has of its own."""
        if id(value) in self._places:
            return _KEPT, str(self._places[id(value)])
        if isinstance(value, DiffusersModel):
            where = value.folder
            words = str(where.tokenizer.absolute()) if where.tokenizer else ""
            kind, root = value.device.type, value.manifest.root
            return _MODEL, str(where.path), words, kind, value.dtype, root
        if isinstance(value, type):
            return None
        for methods, kind in _KINDS:
            if all(callable(getattr(value, name, None)) for name in methods):
                return (kind,)
        return None

    def reducer_override(self, value: object) -> Untyped:
        """Return how a read-only mapping is made, which pickle does not know."""
        if isinstance(value, MappingProxyType):
            return _read_only, (dict(value),)
        return NotImplemented


class _Loader(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, own: Callable[[Name], object]) -> None:
        super().__init__(stream)
        self._own = own

    def persistent_load(self, name: Name) -> object:
        """Return what a name stands for in this process."""
        return self._own(name)


_KINDS: Final = (
    (("together", "mapped", "gathered"), _RANKS),
    (("stage", "advance"), _WATCH),
    (("get", "put"), _SHELF),
)
"""Methods that make a value one of a kind, and that kind."""
