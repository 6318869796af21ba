"""The data set of a fine-tune: pictures with captions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from unlearnlog.core.delta import tensor_digest
from unlearnlog.core.digest import Digest, canonical_json, digest_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class FinetuneDataset:
    """Pictures with captions.

    Attributes:
        name: The requested data: a folder, or a word such as ``sibling``.
        pictures: RGB of the model's own size, uint8 ``[n, height, width, 3]``.
        captions: One for each.
        n_cut: Number of captions that were cut to the text encoder's length.

    Raises:
        ValueError: There is not one caption for each picture, or there is none at all.
    """

    name: str
    pictures: Tensor
    captions: tuple[str, ...]
    n_cut: int = 0

    def __post_init__(self) -> None:
        if not 0 < len(self.pictures) == len(self.captions):
            message = f"{len(self.pictures)} pictures, {len(self.captions)} captions"
            raise ValueError(message)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.captions)

    @cached_property
    def digest(self) -> Digest:
        """SHA-256 over pictures and captions in their order."""
        content = [tensor_digest(self.pictures), list(self.captions)]
        return digest_of(canonical_json(content))
