"""What is checked of every family with a transformer, beside its stock pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tests.family_parts import PipelineParts, heard, noise, ours, row_of, stock
from tests.family_table import FAMILY

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.models.family_rules.protocol import FamilyRules
    from unlearnlog.models.model_family import ModelFamily


@dataclass(frozen=True)
class FamilyCase:
    """A family with its tiny pipeline.

    Attributes:
        name: The family's name.
        side: Side of its pictures in pixels.
        scales: Guidance scales to paint with.
        slow_scales: Those that the slow tests paint with.
        strong: A scale that changes pictures; 0 for the largest of ``scales``.
        own: The fields of its row whose patterns match what reads the prompt alone.
        n_own: How many weights these match.
        behind: A pattern of the weights behind them, which read nothing else either.
        blocks: Its list of blocks with joint attention.
    """

    name: str
    side: int
    scales: tuple[float, ...] = ()
    slow_scales: tuple[float, ...] = ()
    strong: float = 0.0
    own: tuple[str, ...] = ("entry",)
    n_own: int = 1
    behind: str = ""
    blocks: str = "transformer_blocks"
    row: ModelFamily = field(init=False, repr=False)
    rules: FamilyRules = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look the family up in the table."""
        row, rules = row_of(self.name)
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "rules", rules)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def parts(self) -> PipelineParts:
        """The parts of the tiny pipeline, built once."""
        return self.parts_of(FAMILY[self.name].build())

    def parts_of(self, pipeline: Any) -> PipelineParts:
        """Return the parts of another pipeline of the family, at the same size."""
        return PipelineParts(pipeline, side=self.side)

    @cached_property
    def hearing(self) -> dict[str, frozenset[str]]:
        """What each linear layer hears; see `heard`."""
        return heard(self.parts, self.rules)

    @property
    def guidance(self) -> float:
        """The scale for pictures that guidance changes."""
        return self.strong or max((*self.scales, *self.slow_scales))

    def ours(self, guidance: float, parts: PipelineParts | None = None) -> Tensor:
        """Paint by our rules."""
        return ours(parts or self.parts, self.rules, guidance)

    def stock(
        self, guidance: float, parts: PipelineParts | None = None, **more: Any
    ) -> Tensor:
        """Paint by the pipeline itself."""
        here, tiny = parts or self.parts, FAMILY[self.name]
        latents = tiny.given(noise(here, self.rules))
        options = {tiny.scale: guidance, **tiny.more, **more}
        return stock(here, latents, **options)


_TIME_TEXT: Final = r"transformer\.time_text_embed\.text_embedder\.linear_2\.weight"
_TIME_EXTRA: Final = r"transformer\.time_extra_emb\.extra_embedder\.linear_2\.weight"
_REFINER: Final = r"transformer\.context_refiner\.\d+\..*\.weight"
_POOLED: Final = ("entry", "pooled")
_CROSS: Final = ("entry", "attention")

CASES: Final = {
    case.name: case
    for case in (
        FamilyCase("aura-flow", 32, (1.0, 5.0), blocks="joint_transformer_blocks"),
        FamilyCase("chroma", 32, (1.0, 5.0)),
        FamilyCase("qwen-image", 32, (1.0, 5.0)),
        FamilyCase("flux-2-klein", 32, (), (1.0, 5.0)),
        FamilyCase("flux-2", 32, (), (1.0, 4.0), strong=30.0),
        FamilyCase(
            "flux",
            32,
            (1.0, 3.5),
            strong=30.0,
            own=_POOLED,
            n_own=2,
            behind=_TIME_TEXT,
        ),
        FamilyCase(
            "stable-diffusion-3",
            32,
            (1.0, 5.0),
            own=_POOLED,
            n_own=2,
            behind=_TIME_TEXT,
        ),
        FamilyCase(
            "hunyuan-dit",
            64,
            (5.0,),
            (1.0,),
            own=(*_CROSS, "pooled"),
            n_own=7,
            behind=_TIME_EXTRA,
        ),
        FamilyCase("pixart-sigma", 16, (1.0, 4.5), own=_CROSS, n_own=6),
        FamilyCase("sana", 32, (4.5,), (1.0,), own=_CROSS, n_own=6),
        FamilyCase("lumina-2", 64, (4.0,), (1.0,), behind=_REFINER),
        FamilyCase("z-image", 16, (0.0, 4.0), (1.0,), behind=_REFINER),
    )
}
"""The cases by family; PixArt-Alpha computes as PixArt-Sigma does."""
