"""The fast replay from a stored sum to weights, in one pass over memory.

Neither the sum nor the deltas are checked: the caller compares the digest of the result
with the record, and replays with every check when it differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import torch

from unlearnlog.core.delta import Weights, tensor_record
from unlearnlog.core.digest import Digest, TensorRecord, merkle_root

_BLOCK: Final = 2**15
"""Numbers in a block: it fits a core's cache, and is too small for torch's threads."""

Parts = Mapping[str, torch.Tensor]
"""A delta's tensors as they are in its file: ``name#left``, ``name#value``, ..."""


@dataclass(frozen=True)
class ReplaySteps:
    """The steps from a stored sum to the one of a state.

    Attributes:
        start: Float64 sums by tensor.
        added: Deltas to add to them.
        taken: Deltas to subtract from them.
    """

    start: Weights
    added: Sequence[Parts] = ()
    taken: Sequence[Parts] = ()

    @property
    def names(self) -> list[str]:
        """Names of all tensors that are touched, sorted."""
        keys = (key for parts in (*self.added, *self.taken) for key in parts)
        return sorted({*self.start, *(key.rpartition("#")[0] for key in keys)})

    def thin(self, name: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return both factors of all changes of low rank together, in float64."""
        lefts, rights = self._all(name, "left"), self._all(name, "right")
        if not lefts:
            return None
        left = torch.cat([part for _, part in lefts], 1).double()
        signs = [sign for sign, part in lefts for _ in range(part.shape[1])]
        right = torch.cat([part.flatten(1) for _, part in rights]).double()
        return left * left.new_tensor(signs), right

    def full(self, name: str) -> list[torch.Tensor]:
        """Return the full changes, in float64."""
        return [sign * part.double() for sign, part in self._all(name, "value")]

    def _all(self, name: str, part: str) -> list[tuple[int, torch.Tensor]]:
        key = f"{name}#{part}"
        signed = ((1, self.added), (-1, self.taken))
        return [(sign, d[key]) for sign, deltas in signed for d in deltas if key in d]


def quick_state(
    base: Weights, steps: ReplaySteps, base_root: Digest
) -> tuple[dict[str, torch.Tensor], Digest]:
    """Return the touched tensors of a state and their digest, from a stored sum.

    Args:
        base: The base's tensors; not changed.
        steps: The sum and the deltas to apply to it.
        base_root: Root of the base's manifest.

    Raises:
        KeyError: The base lacks a tensor, or a delta a factor.
        RuntimeError: Shapes do not fit.
    """

    def made(name: str) -> tuple[torch.Tensor, TensorRecord] | None:
        tensor = _rounded(base[name].detach().cpu(), steps, name)
        return None if tensor is None else (tensor, tensor_record(tensor))

    names = steps.names
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        all_made = zip(names, pool.map(made, names), strict=True)
        found = {name: each for name, each in all_made if each is not None}
    records = ((name, record) for name, (_, record) in found.items())
    digest = merkle_root(records, base_root)
    return {name: tensor for name, (tensor, _) in found.items()}, digest


def _rounded(base: torch.Tensor, steps: ReplaySteps, name: str) -> torch.Tensor | None:
    """Return the base plus the change of one tensor, rounded; None for no change."""
    moved = False
    start, thin, full = steps.start.get(name), steps.thin(name), steps.full(name)
    changed = torch.empty_like(base, memory_format=torch.contiguous_format)
    n_rows = max(1, _BLOCK // max(1, base[:1].numel()))
    room = torch.empty_like(base[:n_rows], dtype=torch.float64)
    for at in range(0, len(base), n_rows):
        rows = slice(at, at + n_rows)
        block = room[: len(base[rows])]
        block.copy_(start[rows]) if start is not None else block.zero_()
        if thin is not None:
            block.view(len(block), -1).addmm_(thin[0][rows], thin[1])
        for value in full:
            block += value[rows]
        moved = moved or bool(block.any())
        block += base[rows]
        changed[rows] = block if base.dtype == torch.float32 else block.float()
    return changed if moved else None
