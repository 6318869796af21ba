"""Writing of a single file's model as the diffusers folder that it stands for.

Tensors are written one after another, so that no network is in memory twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from unlearnlog.core.delta import raw_bytes
from unlearnlog.core.digest import plain_json

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.core.delta import Weights
    from unlearnlog.ledger.disk import Disk
    from unlearnlog.models.pipeline_folder import PipelineFolder
    from unlearnlog.models.stored_weights import StoredWeights

_OF_DIFFUSERS: Final = "diffusion_pytorch_model.safetensors"
_OF_TRANSFORMERS: Final = "model.safetensors"
_ALIGNMENT: Final = 8  # bytes; the header is padded so that the data is aligned
_TORCH: Final = {"format": "pt"}
"""The metadata without which transformers refuses a file."""


def write_converted(
    source: PipelineFolder, weights: Weights, target: Path, disk: Disk
) -> None:
    """Write a model that is no folder as one.

    Args:
        source: The model.
        weights: Tensors that replace those of the same full name.
        target: An empty folder.
        disk: The file system.

    Raises:
        ModelError: The file was changed after it was loaded.
    """
    for name in sorted({path.partition("/")[0] for path in source.small}):
        if "." not in name:
            disk.mkdir(target / name)
    for path, data in sorted(source.small.items()):
        disk.write(target / path, data)
    for component in source.weighed:
        is_words = component.startswith("text_encoder")
        file = _OF_TRANSFORMERS if is_words else _OF_DIFFUSERS
        stored = source.stored(component)
        _write_network(stored, weights, target / component / file, disk)


def _write_network(
    stored: StoredWeights, weights: Weights, target: Path, disk: Disk
) -> None:
    """Write the tensors of one network, without its name before theirs."""
    places = {name: file.places[inner] for name, (file, inner) in stored.places.items()}
    inner = {name: name.partition(".")[2] for name in places}
    sizes = {name: place.n_bytes for name, place in places.items()}
    ends = dict(zip(places, accumulate(sizes.values()), strict=True))
    header: dict[str, object] = {"__metadata__": _TORCH}
    header |= {
        inner[name]: {
            "dtype": place.kind,
            "shape": list(place.shape),
            "data_offsets": [ends[name] - sizes[name], ends[name]],
        }
        for name, place in places.items()
    }
    text = plain_json(header)
    text += b" " * (-len(text) % _ALIGNMENT)
    first = len(text) + _ALIGNMENT
    disk.write(target, len(text).to_bytes(_ALIGNMENT, "little") + text)

    def pieces() -> Iterator[tuple[int, memoryview]]:
        for name in places:
            tensor = weights[name] if name in weights else stored[name]
            yield first + ends[name] - sizes[name], raw_bytes(tensor)

    disk.patch(target, pieces())
