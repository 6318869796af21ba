"""Writing a model as a plain diffusers folder.

The file of a changed network is copied and the bytes of the changed tensors are
overwritten in the copy, so everything that was not changed stays byte for byte; but
where a config says in which folder of some machine it was, only the name is left.
"""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.delta import raw_bytes
from unlearnlog.errors import DiskFull, UsageError
from unlearnlog.model.anonymous import copied
from unlearnlog.model.copies import check_copied
from unlearnlog.plainfile import expanded

if TYPE_CHECKING:
    import torch

    from unlearnlog.delta import Weights
    from unlearnlog.model.folder import PipelineFolder

_INDEX: Final = "model_index.json"
_CARD: Final = "README.md"
_BASE_CARD: Final = "README.base.md"
_DOCUMENTS: Final = ("", ".json", ".md", ".txt")
_LENGTH_BYTES: Final = 8  # a safetensors file begins with the length of its header
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


def check_out(
    source: PipelineFolder, weights: Weights, *, target: Path, card: str | None = None
) -> None:
    """Write a pipeline with other weights, all of it or nothing.

    What else lies in the source's folder and could hold the old weights (pickles,
    variants, single-file checkpoints) stays behind.

    Args:
        source: The pipeline to copy.
        weights: Tensors that replace those of the same full name, same dtype and shape.
        target: A folder that does not exist yet, or is empty.
        card: What the new folder's README says, where the model is not the source's
            any more: then the source's is kept beside it, and what else was written of
            the source, such as its measurements, is not.

    Raises:
        UsageError: The target cannot be written or holds something.
        ModelError: The source's folder was changed after it was loaded.
        DiskFull: No room was left; what had been written is removed.
        ValueError: A tensor is unknown, or of another dtype or shape.
    """
    _check_fits(source, weights)
    with _written_at_once(target) as building:
        for name in _documents(source.path):
            if card is None or Path(name).suffix != ".json" or name == _INDEX:
                named = _BASE_CARD if card and name == _CARD else name
                copied(source.path / name, building / named)
        if card is not None:
            (building / _CARD).write_text(card, encoding="utf-8")
        for component in sorted(source.index):
            if (source.path / component).is_dir():
                _copy_component(source, component, building / component)
        check_copied(source, building)
        for component in source.weighed:
            _overwrite(source, component, weights, building / component)


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
    """List the files of a folder that describe and don't weigh."""
    return sorted(
        file.name
        for file in folder.iterdir()
        if file.is_file()
        and file.suffix in _DOCUMENTS
        and not file.name.startswith(".")
    )


def _copy_component(source: PipelineFolder, component: str, target: Path) -> None:
    origin = source.path / component
    if component not in source.weighed:
        shutil.copytree(origin, target, copy_function=copied)
        return
    target.mkdir()
    weights = [file.name for file in source.weight_files(component)]
    for name in [*_documents(origin), *weights]:
        copied(origin / name, target / name)


def _overwrite(
    source: PipelineFolder, component: str, weights: Weights, target: Path
) -> None:
    """Put a component's changed tensors into its copied files."""
    changed = {
        name.removeprefix(f"{component}."): tensor
        for name, tensor in weights.items()
        if name.startswith(f"{component}.")
    }
    if changed:
        for file in source.weight_files(component):
            _overwrite_tensors(target / file.name, changed)


def _overwrite_tensors(file: Path, changed: Mapping[str, torch.Tensor]) -> None:
    with file.open("r+b") as stream:
        (length,) = struct.unpack("<Q", stream.read(_LENGTH_BYTES))
        header = json.loads(stream.read(length))
        for name in sorted(changed.keys() & header.keys()):
            begin, _ = header[name]["data_offsets"]
            stream.seek(_LENGTH_BYTES + length + begin)
            stream.write(raw_bytes(changed[name]))


@contextmanager
def _written_at_once(target: Path) -> Iterator[Path]:
    """Build a folder beside its place and move it there when it is complete."""
    target = expanded(target).absolute()
    _check_is_free(target)
    building = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        building.mkdir()
        yield building
        building.replace(target)
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _check_is_free(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise UsageError(
            f"'{target}' already holds something",
            fix="give a folder that does not exist yet",
        )
    if not target.parent.is_dir():
        raise UsageError(
            f"there is no folder '{target.parent}' to write into",
            fix=f"mkdir -p '{target.parent}'",
        )


def _unwritten(target: Path, error: OSError) -> DiskFull | UsageError:
    """Say why a folder was not written; copying wraps errors in a list."""
    causes = error.args[0] if isinstance(error, shutil.Error) else ()
    said = " ".join([str(error), *(str(cause) for cause in causes)])
    marks = [f"[Errno {number}]" for number in _NO_ROOM]
    if error.errno in _NO_ROOM or any(mark in said for mark in marks):
        return DiskFull(
            f"no room left to write '{target}'; what was begun is removed",
            fix=f"free some space in '{target.parent}', or give another folder",
        )
    return UsageError(
        f"cannot write '{target}': {error}",
        fix="give a folder that you may write to",
    )
