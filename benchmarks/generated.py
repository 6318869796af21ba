"""Generated tokens and weights of the size of Stable Diffusion 1.5, from a profile.

By the profile (`scale.toml`), the token of a name is a sum of a direction that all
share, one that its family shares, a part of its own with a decaying spectrum, and a
little white noise. Each part has its own random numbers, so the concepts of a small
problem are the first ones of a larger one.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import torch
from torch import Tensor

from unlearnlog.core.digest import digest_of
from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.tokens import TokenPairs, Tokens

PROFILE: Final = Path(__file__).parent / "scale.toml"

BLOCKS: Final = {
    "down_blocks.0": (320, 2),
    "down_blocks.1": (640, 2),
    "down_blocks.2": (1280, 2),
    "mid_block": (1280, 1),
    "up_blocks.1": (1280, 3),
    "up_blocks.2": (640, 3),
    "up_blocks.3": (320, 3),
}
"""Width and number of the cross-attentions in each block of the UNet."""


@dataclass(frozen=True)
class Profile:
    """The statistics of generated tokens; `scale.toml` has the source of each figure.

    Attributes:
        d_text: Width of a token.
        length: Tokens of a prompt.
        norm: Mean length of a token.
        norm_spread: Spread of the length, as a share of it.
        common: Share of a token's energy in the direction common to all.
        family: Share of its energy in the family's direction.
        decay: Own energy in the k-th direction is proportional to 1 / k^decay.
        family_size: Names in a family.
        noise: Share of a token's energy that is white.
        weight: Spread of a projection's entries.
    """

    d_text: int
    length: int
    norm: float
    norm_spread: float
    common: float
    family: float
    decay: float
    family_size: int
    noise: float
    weight: float

    @classmethod
    def read(cls, path: Path = PROFILE) -> Self:
        """Read a profile.

        Raises:
            ValueError: A figure is missing, or one is unknown.
        """
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        if data.keys() != {each.name for each in fields(cls)}:
            message = f"{path} has other figures than a profile: {sorted(data)}"
            raise ValueError(message)
        return cls(**data)


@dataclass(frozen=True)
class Generated:
    """Tokens of erased and of kept names, and weights, drawn by a profile.

    Attributes:
        profile: The statistics.
        n_concepts: Number of erased names.
        n_kept: Number of kept names.
    """

    profile: Profile
    n_concepts: int
    n_kept: int

    @cached_property
    def erased(self) -> Tensor:
        """Last tokens of erased names, float64 ``[n_concepts, d_text]``."""
        return self._names("erased", self._families_of_erased, self.n_concepts)

    @cached_property
    def goal(self) -> Tensor:
        """The anchor of each one's family, float64 ``[n_concepts, d_text]``."""
        families = self._families_of_erased
        n = int(families.max()) + 1
        return self._names("anchors", torch.arange(n), n)[families]

    @cached_property
    def kept(self) -> Tensor:
        """Last tokens of kept names, float64 ``[n_kept, d_text]``."""
        n_families = 2 * (int(self._families_of_erased.max()) + 1)
        families = torch.arange(self.n_kept) % n_families
        return self._names("kept", families, self.n_kept)

    def weights(self, ends: Sequence[str]) -> dict[str, Tensor]:
        """Return the projections whose names end so, float64, on float32's grid."""
        found = {}
        for block, (width, count) in BLOCKS.items():
            for i in range(count):
                for part in ("to_k", "to_v"):
                    name = (
                        f"unet.{block}.attentions.{i}.transformer_blocks.0.attn2."
                        f"{part}.weight"
                    )
                    if name.endswith(tuple(ends)):
                        drawn = _normal(name, width, self.profile.d_text)
                        found[name] = (self.profile.weight * drawn).float().double()
        return found

    def problem(self, ends: Sequence[str] = ("to_k.weight", "to_v.weight")) -> Problem:
        """Return the problem of a closed form: one token a concept, one a kept name."""
        ones = torch.ones(self.n_concepts).double()
        pairs = TokenPairs(self.erased, self.goal, ones, torch.arange(self.n_concepts))
        kept = Tokens(self.kept, torch.ones(self.n_kept).double())
        nothing = self._nothing
        stated = Problem(self.weights(ends), pairs, kept, nothing[0], nothing[1:])
        if "captions" not in {each.name for each in fields(Problem)}:
            return stated
        more: dict[str, Any] = {"captions": self._captions}
        return replace(stated, **more)

    @property
    def _captions(self) -> Tensor:
        """Mean outer product of tokens in prompts of two marks and a kept name."""
        marks = self._nothing[:2]
        found: Tensor = (self.kept.T @ self.kept / self.n_kept + marks.T @ marks) / 3
        return found

    @property
    def _families_of_erased(self) -> Tensor:
        return torch.arange(self.n_concepts) // self.profile.family_size

    @property
    def _spectrum(self) -> Tensor:
        """Root of the share of own energy in each direction, ``[d_text]``."""
        order = torch.arange(1, self.profile.d_text + 1).double()
        energy = order**-self.profile.decay
        share: Tensor = energy / energy.sum()
        return share.sqrt()

    @property
    def _axes(self) -> Tensor:
        """Orthonormal basis of text space; the first is common to all tokens."""
        d_text = self.profile.d_text
        axes: Tensor = torch.linalg.qr(_normal("axes", d_text, d_text))[0].T
        return axes

    def _names(self, use: str, families: Tensor, n: int) -> Tensor:
        """Return drawn tokens of names in these families."""
        profile, axes = self.profile, self._axes
        n_families = int(families.max()) + 1
        shared = self._spectrum * _normal("families", n_families, profile.d_text)
        own = self._spectrum * _normal(f"{use} own", n, profile.d_text)
        white = _normal(f"{use} noise", n, profile.d_text)
        rest = 1 - profile.common - profile.family - profile.noise
        parts = (
            (profile.common, axes[0].expand(n, -1)),
            (profile.family, (_across(shared) @ axes)[families]),
            (rest, _across(own) @ axes),
            (profile.noise, _unit(white)),
        )
        direction = sum(math.sqrt(share) * part for share, part in parts)
        assert isinstance(direction, Tensor)
        length = 1 + profile.norm_spread * _normal(f"{use} norm", n, 16)[:, :1]
        return (profile.norm * length * _unit(direction)).float().double()

    @cached_property
    def _nothing(self) -> Tensor:
        """The empty prompt: a mark of its own, then nearly constant padding."""
        profile = self.profile
        drawn = _normal("nothing", profile.length, profile.d_text)
        drift = 0.1 * drawn[1:].cumsum(0) / math.sqrt(profile.length)
        rows = torch.cat([drawn[:1], drawn[1:2] + drift])
        return profile.norm * _unit(rows)


def _across(rows: Tensor) -> Tensor:
    """Return unit rows orthogonal to the first direction, the common one."""
    rows = rows.clone()
    rows[:, 0] = 0
    return _unit(rows)


def _unit(rows: Tensor) -> Tensor:
    """Return rows of length 1."""
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return unit


def _normal(use: str, *shape: int) -> Tensor:
    """Return normal numbers that depend only on their purpose, float64."""
    source = torch.Generator().manual_seed(int(digest_of(use.encode())[:12], 16))
    return torch.randn(*shape, generator=source, dtype=torch.float64)
