"""Memory that runs out: how it is recognised, and what to do about it."""

from __future__ import annotations

from typing import Final

from unlearnlog.errors import UnlearnlogError

_OF_TORCH: Final = "OutOfMemoryError"
_OF_CPUS: Final = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is that of memory that ran out, on whichever device."""
    if isinstance(error, MemoryError) or type(error).__name__ == _OF_TORCH:
        return True
    return isinstance(error, RuntimeError) and _OF_CPUS in str(error)


def out_of_memory(doing: str = "to compute this") -> UnlearnlogError:
    """Return the error with what to set.

    Args:
        doing: What there was no memory for: "to paint 32 pictures at once on cuda:0".
    """
    return UnlearnlogError(
        f"not enough memory {doing}",
        fix="nothing was recorded; lower the batch in the policy, in [sampling] for "
        "painting and in [eraser] for training (there more micro_batches, too), or "
        "compute with --dtype bfloat16",
    )
