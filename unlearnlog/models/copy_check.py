"""The check that a copy of a pipeline's folder is what was loaded from it.

A session may be open for hours, and its folder be overwritten meanwhile: a copy would
then be another model than the one that was judged.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from unlearnlog.models.anonymous_configs import without_places
from unlearnlog.models.stored_weights import StoredWeights, altered
from unlearnlog.models.tensor_file import stamp_of

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.models.pipeline_folder import PipelineFolder
    from unlearnlog.models.stored_weights import LoadedTensors


def check_copied(source: PipelineFolder, copy: Path) -> None:
    """Refuse a copy of files that were changed after they were loaded.

    Args:
        source: The pipeline; its weights are checked only if it was loaded.
        copy: Its copy, before tensors in it are replaced.

    Raises:
        ModelError: A file was changed after it was loaded.
    """
    for name, data in source.small.items():
        if (copy / name).read_bytes() != without_places(name, data):
            raise altered(source.path / name)
    seen = source.seen
    if seen is not None and not _are_untouched(seen):
        files = {
            component: tuple(
                copy / component / file.name for file in source.weight_files(component)
            )
            for component in source.weighed
        }
        copied = StoredWeights.open(files, seen)
        if copied.keys() != seen.records.keys():
            raise altered(source.path)
        for name in copied:
            copied[name]  # raises if it is not the tensor that was loaded


def _are_untouched(seen: LoadedTensors) -> bool:
    """Return whether the files of weights were not changed since they were loaded."""
    with suppress(OSError):
        return all(stamp_of(path.stat()) == each for path, each in seen.stamps.items())
    return False
