"""The tiny pipelines of all families with a transformer, by the family's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests import tiny_families, tiny_families_p


@dataclass(frozen=True)
class Tiny:
    """A family's tiny pipeline.

    Attributes:
        build: Its builder.
        scale: The argument of the stock pipeline that is the guidance scale.
        more: Further arguments of the stock pipeline.
        side: Side of its pictures in pixels, where its own would take long.
    """

    build: Callable[[], Any]
    scale: str = "guidance_scale"
    more: Mapping[str, Any] = field(default_factory=dict)
    side: int | None = None

    def saved(self, folder: Path) -> Path:
        """Write the pipeline as diffusers does; return its folder."""
        self.build().save_pretrained(folder)
        return folder


_SCALES: Final = {"qwen-image": "true_cfg_scale"}
_NO_BINS: Final = {"use_resolution_binning": False}
_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    **dict.fromkeys(("pixart-alpha", "pixart-sigma", "sana", "hunyuan-dit"), _NO_BINS),
}


def _p(name: str) -> Callable[[], Any]:
    return lambda: tiny_families_p.tiny_p(name)


_BUILDERS: Final[Mapping[str, Callable[[], Any]]] = {
    **tiny_families.TINY,
    **{name: _p(name) for name in tiny_families_p.PIPELINES},
}

_SIDES: Final = {
    **dict.fromkeys(("flux", "flux-2", "flux-2-klein", "qwen-image", "chroma"), 32),
    **dict.fromkeys(("aura-flow", "sana"), 32),
    "z-image": 16,
}


def _tiny(name: str) -> Tiny:
    return Tiny(
        _BUILDERS[name],
        scale=_SCALES.get(name, "guidance_scale"),
        more=_MORE.get(name, {}),
        side=_SIDES.get(name),
    )


FAMILY: Final[Mapping[str, Tiny]] = MappingProxyType(
    {name: _tiny(name) for name in _BUILDERS}
)
