"""Deltas of the weights, and the replay that adds them to the base.

State = base + (first delta + second delta + ...): the sum of the deltas is exact (see
`unlearnlog.core.patch`), the base is added to it in float64, and the result is rounded
to float32 and to the base's dtype. So a state depends on the set of deltas alone, not
on their order and not on the machine.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final

import torch

from unlearnlog.core.digest import (
    Digest,
    TensorRecord,
    digest_of,
    merkle_root,
    plain_json,
)
from unlearnlog.core.patch import Full, LowRank, Patch, add_to, check_bound

__all__ = [
    "Delta",
    "Digest",
    "Full",
    "LowRank",
    "Patch",
    "Weights",
    "add_deltas",
    "change_after",
    "check_bounds",
    "merged",
    "raw_bytes",
    "rounded",
    "state_after",
    "state_digest",
    "tensor_digest",
    "tensor_record",
]

Weights = Mapping[str, torch.Tensor]
"""Tensors by full parameter name, component first: ``unet.mid_block...weight``."""

_BASE_DTYPES: Final = (torch.float16, torch.bfloat16, torch.float32)

_AT_ONCE: Final = 64
"""Number of deltas in memory together: one matrix product sums them."""


@dataclass(frozen=True, eq=False)
class Delta:
    """The change of the weights by one erasure: a patch for each tensor it touches.

    Two deltas are equal when their digests are.

    Attributes:
        patches: Patch by full parameter name.
    """

    patches: Mapping[str, Patch]

    def __post_init__(self) -> None:
        """Keep the patches in a read-only mapping, sorted by name."""
        ordered = {name: self.patches[name] for name in sorted(self.patches)}
        object.__setattr__(self, "patches", MappingProxyType(ordered))

    def __repr__(self) -> str:
        n, size = len(self.patches), self.n_bytes
        return f"<Delta {self.digest[:12]}: {n} tensors, {size} bytes>"

    @property
    def digest(self) -> Digest:
        """SHA-256 over names, kinds, dtypes, shapes and raw bytes, sorted by name."""
        content = [
            [name, patch.kind, {p: tensor_digest(t) for p, t in patch.parts.items()}]
            for name, patch in self.patches.items()
        ]
        return digest_of(plain_json({"delta": content}))

    @property
    def n_bytes(self) -> int:
        """Size of all patches, in bytes."""
        return sum(patch.n_bytes for patch in self.patches.values())

    @property
    def norm(self) -> float:
        """Frobenius norm of all patches together."""
        return float(sum(patch.norm**2 for patch in self.patches.values()) ** 0.5)

    def negated(self) -> Delta:
        """Return the delta that removes this one from a sum, exactly."""
        return Delta({name: -patch for name, patch in self.patches.items()})

    def times(self, factor: float) -> Delta:
        """Return the delta scaled by a factor, rounded as any delta is."""
        return Delta(
            {
                name: LowRank(factor * patch.left, patch.right)
                if isinstance(patch, LowRank)
                else Full(factor * patch.value)
                for name, patch in self.patches.items()
            }
        )

    def overlap(self, other: Delta) -> float:
        """Return how far two deltas respond to the same inputs, in [0, 1].

        Returns:
            The largest cosine of a principal angle between the row spaces of the
            two patches, over the tensors that both touch; 0 when there is none.
        """
        shared = self.patches.keys() & other.patches.keys()
        cosines = [
            _row_cosine(self.patches[name], other.patches[name]) for name in shared
        ]
        return max(cosines, default=0.0)

    def __eq__(self, other: object) -> bool:
        """Compare by digest."""
        if not isinstance(other, Delta):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        """Hash by digest."""
        return hash(self.digest)


def state_after(base: Weights, deltas: Iterable[Delta]) -> dict[str, torch.Tensor]:
    """Return the tensors after a replay of deltas over the base.

    Args:
        base: The base's tensors in its on-disk dtype; not changed.
        deltas: In replay order; read one at a time.

    Returns:
        The touched tensors only, in the base's dtype, on the CPU.

    Raises:
        ValueError: A delta touches a tensor the base does not have, or one of
            another shape, or the result is not finite in the base's dtype.
    """
    return rounded(base, change_after(deltas))


def change_after(
    deltas: Iterable[Delta], so_far: Weights = MappingProxyType({})
) -> dict[str, torch.Tensor]:
    """Return the exact sum of deltas, before any rounding.

    Args:
        deltas: In any order; a few are read at a time.
        so_far: An earlier sum to continue from; not changed.

    Returns:
        Float64 sums of all patches, by tensor.

    Raises:
        ValueError: Two patches of one tensor differ in shape, or their sum is too
            large.
    """
    change = {name: tensor.clone() for name, tensor in so_far.items()}
    add_deltas(change, deltas)
    return change


def merged(deltas: Sequence[Delta]) -> Delta:
    """Return one delta for the sum of several; full patches are rounded to float32.

    Raises:
        ValueError: Two deltas give one tensor different shapes.
    """
    found: dict[str, list[Patch]] = {}
    for delta in deltas:
        for name, patch in delta.patches.items():
            found.setdefault(name, []).append(patch)
    return Delta({name: _one_patch(patches) for name, patches in found.items()})


def _one_patch(patches: Sequence[Patch]) -> Patch:
    thin = [patch for patch in patches if isinstance(patch, LowRank)]
    if len(thin) == len(patches):
        lefts, rights = [p.left for p in thin], [p.right for p in thin]
        return LowRank(torch.cat(lefts, 1), torch.cat(rights))
    start = torch.zeros(patches[0].shape, dtype=torch.float64)
    return Full(add_to(start, patches).float())


def check_bounds(deltas: Iterable[Delta]) -> None:
    """Refuse deltas whose sum, in whatever order, float64 might have to round.

    Raises:
        ValueError: The bounds of one tensor's patches add up to too much.
    """
    bounds: dict[str, float] = {}
    for delta in deltas:
        for name, patch in delta.patches.items():
            bounds[name] = bounds.get(name, 0.0) + patch.bound
    for name, bound in bounds.items():
        check_bound(bound, name)


def add_deltas(change: dict[str, torch.Tensor], deltas: Iterable[Delta]) -> None:
    """Add deltas to a sum in place; otherwise like `change_after`."""
    coming = iter(deltas)
    while some := list(islice(coming, _AT_ONCE)):
        patches: dict[str, list[Patch]] = {}
        for delta in some:
            for name, patch in delta.patches.items():
                patches.setdefault(name, []).append(patch)
        for name, group in patches.items():
            if name not in change:
                change[name] = torch.zeros(group[0].shape, dtype=torch.float64)
            add_to(change[name], group)


def rounded(base: Weights, change: Weights) -> dict[str, torch.Tensor]:
    """Return the base plus an exact change: the one rounding of a replay.

    Returns:
        The tensors that change, in the base's dtype; those whose change is all zeros,
        as for a delta and its opposite, are left out.

    Raises:
        ValueError: The base lacks a tensor, has it in another shape or dtype, or a
            number is too large for its dtype.
    """
    state = {}
    for name, difference in change.items():
        if name not in base:
            message = f"the base has no tensor {name}, only {len(base)} others"
            raise ValueError(message)
        tensor = base[name].detach().cpu()
        if tensor.dtype not in _BASE_DTYPES:
            message = f"{name} is {tensor.dtype}, a base is one of {_BASE_DTYPES}"
            raise ValueError(message)
        if tensor.shape != difference.shape:
            shapes = f"{list(tensor.shape)}, its patch {list(difference.shape)}"
            message = f"{name} is {shapes}"
            raise ValueError(message)
        if not difference.any():
            continue
        state[name] = (difference + tensor).float().to(tensor.dtype)
        if not _is_finite(state[name]):
            message = f"{name} is not finite in {tensor.dtype} after the replay"
            raise ValueError(message)
    return state


def tensor_digest(tensor: torch.Tensor) -> Digest:
    """Return the digest of one tensor: dtype, shape and raw little-endian bytes."""
    return digest_of(plain_json(tensor_record(tensor).model_dump(mode="json")))


def tensor_record(tensor: torch.Tensor) -> TensorRecord:
    """Return the record of a tensor: dtype, shape, SHA-256 of little-endian bytes."""
    sha256 = hashlib.sha256(raw_bytes(tensor)).hexdigest()
    dtype = str(tensor.dtype).removeprefix("torch.")
    return TensorRecord(dtype=dtype, shape=tuple(tensor.shape), sha256=Digest(sha256))


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """Return a tensor's bytes, row-major, each number little-endian."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    octets = flat.view(torch.uint8)
    if sys.byteorder == "big":
        octets = octets.reshape(-1, flat.element_size()).flip(1).reshape(-1)
    return octets.contiguous().numpy().data


def state_digest(weights: Weights, base_root: Digest) -> Digest:
    """Return the digest of a state: its touched tensors and the root of the base.

    Args:
        weights: The touched tensors, as `state_after` returns them; empty for the
            base itself.
        base_root: Root of the base's manifest.
    """
    records = ((name, tensor_record(tensor)) for name, tensor in weights.items())
    return merkle_root(records, base_root)


def _is_finite(tensor: torch.Tensor) -> bool:
    """Return whether all numbers are finite; one sum shows it for usual weights."""
    total = tensor.sum(dtype=torch.float32)
    return bool(torch.isfinite(total)) or bool(torch.isfinite(tensor).all())


def _row_cosine(one: Patch, two: Patch) -> float:
    """Return the cosine of the smallest angle between row spaces; 0 if one is empty."""
    cosines = torch.linalg.svdvals(_row_basis(one) @ _row_basis(two).T)
    return min(float(cosines.max()), 1.0) if cosines.numel() else 0.0


def _row_basis(patch: Patch) -> torch.Tensor:
    """Return an orthonormal basis of a patch's row space, ``[k, d_in]``, in float32."""
    sizes: torch.Tensor
    rows: torch.Tensor
    _, sizes, rows = torch.linalg.svd(patch.rows(), full_matrices=False)
    if not sizes.numel():
        return rows
    noise = sizes.max() * max(rows.shape) * torch.finfo(torch.float32).eps
    return rows[sizes > noise]
