"""The check that a change can be written as factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from unlearnlog.checkpoints.export_formats import TENSORS
from unlearnlog.checkpoints.lora_writer import FORMATS, FORMATS_OF_TRANSFORMERS
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.core.digest import TensorRecord


def check_has_factors(
    names: Iterable[str], records: Mapping[str, TensorRecord], spelling: str
) -> None:
    """Refuse a change of a bias or of a norm in a format of factors.

    Args:
        names: Full names of the tensors that change.
        records: Shape of every tensor of the base, by full name.
        spelling: The format.

    Raises:
        UsageError: A tensor that changes is a vector, or no weight of a module.
    """
    if spelling not in {*FORMATS, *FORMATS_OF_TRANSFORMERS}:
        return
    for name in names:
        n = len(records[name].shape)
        if n < 2 or not name.endswith(".weight"):
            raise UsageError(
                f"'{name}' changes, a tensor of {n} dimension"
                + ("" if n == 1 else "s")
                + f", and the format '{spelling}' holds products of two factors",
                fix=f"take the changed tensors whole: --format {TENSORS}",
            )
