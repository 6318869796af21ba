"""Remarks on what an adapter's file holds, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from unlearnlog.checkpoints.adapters.adapter_reading import BUNDLED
from unlearnlog.checkpoints.adapters.adapter_table import end_of

_OLD: Final = frozenset({".lora.down.weight", ".lora.up.weight"})
_NEW: Final = frozenset({".lora_A.weight", ".lora_B.weight"})


def remarks(keys: Iterable[str]) -> tuple[str, ...]:
    """Return what loaders read differently in a file, and what was not read.

    Args:
        keys: All keys of an adapter's file.
    """
    keys = list(keys)
    found = []
    tokens = {key.split(".")[1] for key in keys if key.startswith(BUNDLED)}
    if tokens:
        names = ", ".join(f"'{token}'" for token in sorted(tokens))
        found.append(
            f"it brings learned tokens, {names}, which were not read: save them as a "
            "textual inversion and audit that"
        )
    ends = {end_of(key) for key in keys}
    if ends & _OLD and ends & _NEW:
        found.append(
            "some of its factors are called lora.down and some lora_A: all were read, "
            "as ComfyUI does; diffusers applies a part of them"
        )
    if ".rescale" in ends:
        found.append("its rescale was read, as LyCORIS does; ComfyUI leaves it out")
    return tuple(found)
