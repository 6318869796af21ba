"""Is a copy of a pipeline's folder what was loaded from it?

A session may be open for hours, and its folder be written over meanwhile: what it
writes would be another model under the name of the one that was judged.
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
    """Refuse a copy of something else than what was loaded.

    Args:
        source: The pipeline that was loaded; one that never was is not checked.
        copy: Its copy, before anything in it is replaced.

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
            copied[name]  # raises where it is not what was loaded


def _are_untouched(seen: LoadedTensors) -> bool:
    """Whether nobody wrote to the files of weights since they were loaded."""
    with suppress(OSError):
        return all(stamp_of(path.stat()) == each for path, each in seen.stamps.items())
    return False
