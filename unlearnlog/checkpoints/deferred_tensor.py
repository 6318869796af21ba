"""Tensors of a file that are known by their shape, and converted when they are read.

Converters of checkpoints rename tensors, and cut or turn a few. They are given these
in place of tensors, so that a file of several gigabytes is converted by its header.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import torch

from unlearnlog.models.tensor_file import TensorFile, TensorPlace

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.models.tensor_file import Stamp

_NOWHERE: Final = "meta"
"""Torch's device with shapes and without numbers."""


@dataclass(frozen=True, eq=False)
class DeferredTensor:
    """A tensor of a file after some steps of a converter.

    Attributes:
        key: Its key in the file.
        form: A tensor of its shape, without numbers.
        steps: The steps to take once it is read, in their order.
    """

    key: str
    form: torch.Tensor
    steps: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()

    @classmethod
    def of(cls, places: Mapping[str, TensorPlace]) -> dict[str, DeferredTensor]:
        """Return the tensors at these places of a file by key, none of them read."""
        return {
            key: cls(key, torch.empty(place.shape, device=_NOWHERE))
            for key, place in places.items()
        }

    @property
    def shape(self) -> torch.Size:
        """The shape after all steps."""
        return self.form.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions after all steps."""
        return self.form.ndim

    @property
    def T(self) -> DeferredTensor:  # noqa: N802 - torch's own name
        """The transposed tensor."""
        return self._after(lambda tensor: tensor.T)

    def __getitem__(self, part: Any) -> DeferredTensor:  # noqa: ANN401 - an index
        """Return a part of the tensor."""
        return self._after(lambda tensor: tensor[part])

    def contiguous(self) -> DeferredTensor:
        """Return itself: what is read is contiguous in the end."""
        return self

    clone = detach = contiguous

    def read_from(self, file: TensorFile) -> torch.Tensor:
        """Return the tensor, contiguous, with memory for its own numbers only.

        Raises:
            ValueError: The file was truncated, or has another tensor of this key.
        """
        if self.key not in file.places:
            message = f"it has no {self.key!r} any more"
            raise ValueError(message)
        tensor = file[self.key]
        if not self.steps:
            return tensor
        for step in self.steps:
            tensor = step(tensor)
        return tensor.clone(memory_format=torch.contiguous_format)

    def _after(self, step: Callable[[torch.Tensor], torch.Tensor]) -> DeferredTensor:
        return replace(self, form=step(self.form), steps=(*self.steps, step))


class ConvertedPart(Mapping[str, torch.Tensor]):
    """One network of an opened file under other names, each tensor read on access.

    Attributes:
        places: Shape and size of each tensor by its new name, and where the bytes of
            the whole tensor begin that it is of.
    """

    def __init__(self, file: TensorFile, names: Mapping[str, DeferredTensor]) -> None:
        """Set the file, and its tensors by their new names."""
        self._file = file
        self._names = names
        self.places = {
            name: _place(file.places[each.key], tuple(each.shape))
            for name, each in names.items()
        }

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def stamp(self) -> Stamp:
        """The file's stamp now."""
        return self._file.stamp

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read one tensor.

        Raises:
            ValueError: The file was truncated, or torch has no such dtype.
        """
        return self._names[name].read_from(self._file)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _place(whole: TensorPlace, shape: tuple[int, ...]) -> TensorPlace:
    """Return the place of a part of a tensor: its bytes are those of its shape."""
    share = math.prod(shape) / max(1, math.prod(whole.shape))
    n_bytes = round(whole.n_bytes * share)
    return TensorPlace(whole.kind, shape, whole.begin, n_bytes)
