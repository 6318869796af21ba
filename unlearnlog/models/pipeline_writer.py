"""Writing of a model as a plain diffusers folder.

Of a folder, the file of a changed network is copied and the bytes of the changed
tensors are overwritten in the copy, so all other bytes are the same; but a config's
path on the machine where it was saved is reduced to its last part.
A tokenizer of CLIP's gets the two files that older libraries read it from.

Only regular files are copied: a link out of the source's folder could lead to any file.
Weights alone may be such links, since their tensors are checked.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.delta import raw_bytes
from unlearnlog.core.plain_files import check_parent, expanded
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.drafts import check_output, new_folder
from unlearnlog.models.anonymous_configs import copied
from unlearnlog.models.converted_writer import write_converted
from unlearnlog.models.copy_check import check_copied
from unlearnlog.models.older_tokenizers import older_files
from unlearnlog.models.tensor_file import TensorFile
from unlearnlog.models.tokenizer_files import is_clips

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.pipeline_folder import PipelineFolder

_INDEX: Final = "model_index.json"
_CARD: Final = "README.md"
_BASE_CARD: Final = "README.base.md"
_DOCUMENTS: Final = ("", ".json", ".md", ".txt")
_HUB: Final = "snapshots"
"""Folder of a hub's cache with links into the folder of its files."""
_HUB_FILES: Final = "blobs"


def check_out(
    source: PipelineFolder,
    weights: Weights,
    *,
    target: Path,
    card: str | None = None,
    disk: Disk | None = None,
) -> None:
    """Write a pipeline with other weights, atomically.

    Other files of the source's folder that could hold the old weights (pickles,
    variants, single-file checkpoints) are not copied.

    Args:
        source: The pipeline to copy.
        weights: Tensors that replace those of the same full name, same dtype and shape.
        target: A folder that does not exist yet, or is empty.
        card: README of the new folder, for a changed model: the source's README is kept
            beside it, and its other documents, such as measurements, are left out.
        disk: The file system; another one in tests.

    Raises:
        UsageError: The target cannot be written, is not empty, or is in a ledger.
        ModelError: The source's folder was changed after it was loaded, or has a link
            out of it or a device.
        DiskFull: No room was left; the unfinished folder is removed.
        ValueError: A tensor is unknown, or of another dtype or shape.
    """
    _check_fits(source, weights)
    _check_is_free(target)
    disk = disk or Disk()
    with new_folder(target, disk) as building:
        if card is not None:
            disk.write(building / _CARD, card.encode("utf-8"))
        if source.is_folder:
            _copy(source, weights, building, keeps_all=card is None, disk=disk)
        else:
            write_converted(source, weights, building, disk)


def _copy(
    source: PipelineFolder,
    weights: Weights,
    target: Path,
    *,
    keeps_all: bool,
    disk: Disk,
) -> None:
    """Copy a folder, with other weights; its documents too, if it keeps all."""
    for name in _documents(source.path):
        if keeps_all or Path(name).suffix != ".json" or name == _INDEX:
            named = name if keeps_all or name != _CARD else _BASE_CARD
            copied(_own(source, source.path / name), target / named, disk)
    for component in sorted(source.index):
        if (source.path / component).is_dir():
            _copy_component(source, component, target / component, disk)
    check_copied(source, target)
    _write_older_files(source, target, disk)
    for component in source.weighed:
        _overwrite(source, component, weights, target / component, disk=disk)


def _write_older_files(source: PipelineFolder, building: Path, disk: Disk) -> None:
    """Write the vocabularies of CLIP's tokenizers as older libraries read them."""
    for component in source.used:
        prefix = f"{component}/"
        if component.startswith("tokenizer") and is_clips(source.index[component]):
            files = {
                name.removeprefix(prefix): data
                for name, data in source.small.items()
                if name.startswith(prefix)
            }
            for name, data in older_files(files).items():
                disk.write(building / component / name, data)


def _check_fits(source: PipelineFolder, weights: Weights) -> None:
    stored = source.stored(*source.weighed)
    for name, tensor in weights.items():
        if name not in stored:
            message = f"'{source.path}' has no tensor '{name}'"
            raise ValueError(message)
        old = stored[name]
        if (old.dtype, old.shape) != (tensor.dtype, tensor.shape):
            message = (
                f"'{name}' is {old.dtype} {list(old.shape)}, "
                f"not {tensor.dtype} {list(tensor.shape)}"
            )
            raise ValueError(message)


def _documents(folder: Path) -> list[str]:
    """Return the names of a folder's documents: all but weights."""
    return sorted(
        file.name
        for file in folder.iterdir()
        if file.is_file()
        and file.suffix in _DOCUMENTS
        and not file.name.startswith(".")
    )


def _copy_component(
    source: PipelineFolder, component: str, target: Path, disk: Disk
) -> None:
    origin = source.path / component
    if component not in source.weighed:
        _copy_folder(source, origin, target, disk)
        return
    disk.mkdir(target)
    for name in _documents(origin):
        copied(_own(source, origin / name), target / name, disk)
    for file in source.weight_files(component):
        copied(file, target / file.name, disk)


def _copy_folder(
    source: PipelineFolder, origin: Path, target: Path, disk: Disk
) -> None:
    """Copy a folder recursively."""
    disk.mkdir(target)
    for path in sorted(origin.iterdir()):
        own = _own(source, path)
        if own.is_dir():
            _copy_folder(source, path, target / path.name, disk)
        else:
            copied(own, target / path.name, disk)


def _own(source: PipelineFolder, path: Path) -> Path:
    """Return a path of the source, checked to lie inside of it.

    Raises:
        ModelError: It is a link out of the folder, or neither a file nor a folder.
    """
    home = source.path.resolve()
    homes = [home]
    if home.parent.name == _HUB:
        homes.append(home.parent.parent / _HUB_FILES)
    found = path.resolve()
    if not any(found.is_relative_to(each) for each in homes):
        raise ModelError(
            f"'{path}' of the base is a link to '{found}', outside of its folder, and "
            "is not copied",
            fix="if it belongs to the model put the file itself in its place, else "
            "remove the link",
        )
    mode = found.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ModelError(
            f"'{path}' of the base is neither a file nor a folder",
            fix="remove it: it is no part of a model",
        )
    return path


def _overwrite(
    source: PipelineFolder,
    component: str,
    weights: Weights,
    target: Path,
    *,
    disk: Disk,
) -> None:
    """Overwrite a component's changed tensors in its copied files."""
    changed = {
        name.removeprefix(f"{component}."): tensor
        for name, tensor in weights.items()
        if name.startswith(f"{component}.")
    }
    if changed:
        for file in source.weight_files(component):
            copy = target / file.name
            if changed.keys() & TensorFile.open(copy).places.keys():
                disk.patch(copy, _pieces(copy, changed))


def _pieces(
    file: Path, changed: Mapping[str, torch.Tensor]
) -> Iterator[tuple[int, memoryview]]:
    """Yield the offset of each changed tensor in a file, and its new bytes."""
    places = TensorFile.open(file).places
    for name in sorted(changed.keys() & places.keys()):
        yield places[name].begin, raw_bytes(changed[name])


def _check_is_free(target: Path) -> None:
    target = expanded(target).absolute()
    check_output(target)
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise UsageError(
            f"'{target}' exists and is not empty",
            fix="give a folder that does not exist yet",
        )
    check_parent(target)
