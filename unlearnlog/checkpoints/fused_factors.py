"""Factors of modules that are fused in the original format: joined and split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import torch

from unlearnlog.models.original_modules import (
    ORIGINAL_NAMES,
    Names,
    OriginalPlace,
    original_places,
)

if TYPE_CHECKING:
    from unlearnlog.core.digest import TensorRecord
    from unlearnlog.core.low_rank import Factors

_MODULATIONS: Final = ("norm_out.linear", "norm1_context.linear")
"""Modules that return a scale and a shift; in the original the shift stands first."""


@dataclass(frozen=True)
class Fusing:
    """The original modules of a transformer, and the sizes of its weights.

    Attributes:
        table: Original names, see `original_modules.ORIGINAL_NAMES`.
        shapes: Shape of every weight, by full name.
    """

    table: Names = field(default_factory=dict)
    shapes: Mapping[str, torch.Size] = field(default_factory=dict)

    @classmethod
    def of(cls, family: str, records: Mapping[str, TensorRecord]) -> Self:
        """Return the original modules of a family's transformer.

        Args:
            family: Name of the family.
            records: Shape of every tensor of the model, by full name.
        """
        shapes = {name: torch.Size(record.shape) for name, record in records.items()}
        return cls(ORIGINAL_NAMES.get(family, {}), shapes)

    def joined(self, factors: Mapping[str, Factors]) -> dict[str, Factors]:
        """Return the factors of original modules, all of one rank.

        The product is the same: row factors stand below each other, column factors in
        blocks, with zeros for parts that do not change.

        Args:
            factors: Left and right by path of diffusers' modules.
        """
        groups: dict[str, list[str]] = {}
        places = original_places(self.table, factors)
        for module, place in places.items():
            groups.setdefault(place.module, []).append(module)
        found = {
            old: self._one({m: factors[m] for m in inside}, places[inside[0]])
            for old, inside in groups.items()
        }
        rank = max((len(right) for _, right in found.values()), default=0)
        return {old: _of_rank(pair, rank) for old, pair in found.items()}

    def rows(
        self, place: OriginalPlace, name: str, whole: torch.Tensor
    ) -> torch.Tensor:
        """Return the rows of one weight from those of its original module.

        Args:
            place: The place of the weight's module.
            name: Full name of the weight, or of its bias.
            whole: Column factor or tensor of the original module, ``[d_out, ...]``.

        Raises:
            ValueError: It has another number of rows than a fused module.
        """
        if len(place.parts) == 1:
            return _swapped(whole) if self.is_swapped(name) else whole
        component, _, inside = name.partition(".")
        module = inside.rpartition(".")[0]
        begins, end = self._begins(place, component)
        if len(whole) != end:
            message = f"{len(whole)} rows, and {', '.join(place.parts)} have {end}"
            raise ValueError(message)
        begin = begins[module]
        return whole[begin : begin + self._d_out(f"{component}.{module}.weight")]

    def _one(self, inside: Mapping[str, Factors], place: OriginalPlace) -> Factors:
        """Return the factors of one original module."""
        if len(place.parts) == 1:
            left, right = inside[place.parts[0]]
            swaps = self.is_swapped(f"transformer.{place.parts[0]}.weight")
            return (_swapped(left) if swaps else left), right
        begins, end = self._begins(place, "transformer")
        width = sum(len(right) for _, right in inside.values())
        column = next(iter(inside.values()))[0].new_zeros(end, width)
        begun = 0
        for module, (left, right) in inside.items():
            here = slice(begins[module], begins[module] + len(left))
            column[here, begun : begun + len(right)] = left
            begun += len(right)
        return column, torch.cat([right for _, right in inside.values()])

    def _begins(
        self, place: OriginalPlace, component: str
    ) -> tuple[dict[str, int], int]:
        """Return the first row of each part of an original module, and their number."""
        begins, end = {}, 0
        for part in place.parts:
            begins[part] = end
            end += self._d_out(f"{component}.{part}.weight")
        return begins, end

    def is_swapped(self, name: str) -> bool:
        """Return whether a module's scale and shift are in the other order there.

        Args:
            name: Full name of the weight, or of its bias.
        """
        module = name.rpartition(".")[0]
        if not module.endswith(_MODULATIONS):
            return False
        d_out, d_in = self.shapes[f"{module}.weight"]
        return d_out == 2 * d_in

    def _d_out(self, name: str) -> int:
        return self.shapes[name][0]


def _of_rank(pair: Factors, rank: int) -> Factors:
    """Return factors with zeros up to a rank."""
    left, right = pair
    more = rank - len(right)
    return (
        torch.cat([left, left.new_zeros(len(left), more)], 1),
        torch.cat([right, right.new_zeros(more, right.shape[1])]),
    )


def _swapped(rows: torch.Tensor) -> torch.Tensor:
    """Return rows with their second half first."""
    half = len(rows) // 2
    return torch.cat([rows[half:], rows[:half]])
