"""Metadata of exported files, by which user interfaces sort and show them.

Without ``ss_base_model_version`` and ``ss_v2``, A1111 takes every file with metadata
for one of Stable Diffusion 1, and hides it beside another model.

Source:
    github.com/kohya-ss/sd-scripts, ``library/train_util.py`` and
    ``library/model_util.py``; github.com/Stability-AI/ModelSpec; A1111's
    ``extensions-builtin/Lora/network.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.checkpoints.export_formats import CHECKPOINT, COMFYUI
from unlearnlog.checkpoints.lora_writer import DIFFUSERS

if TYPE_CHECKING:
    from unlearnlog.models.pipeline_folder import PipelineFolder

_STABILITY: Final = "https://github.com/Stability-AI/generative-models"
_SPECIFICATION: Final = "1.0.0"
_V: Final = "v_prediction"
_WIDTH_OF_2: Final = 1024
"""Width of the prompt's vectors in Stable Diffusion 2."""

_VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "stable-diffusion": ("sd_v1", "stable-diffusion-v1"),
    "stable-diffusion-xl": ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base"),
    "stable-diffusion-3": ("sd3", "stable-diffusion-3"),
    "flux": ("flux1", "flux-1"),
    "chroma": ("chroma", "chroma"),
    "lumina-2": ("lumina2", "lumina-2"),
}
"""Words for each family: kohya's, and the specification's."""

_MODULES: Final[Mapping[str, str]] = {
    "stable-diffusion-3": "networks.lora_sd3",
    "flux": "networks.lora_flux",
    "chroma": "networks.lora_flux",
    "lumina-2": "networks.lora_lumina",
}
"""kohya's module for the LoRAs of a family, where it is not that of a UNet."""


@dataclass(frozen=True)
class ModelKind:
    """The kind of a model, as files name it.

    Attributes:
        version: kohya's word for the base.
        architecture: The specification's word.
        is_v2: Whether it is a Stable Diffusion 2.
        predicts: ``epsilon`` or ``v``; empty for flow matching.
    """

    version: str
    architecture: str
    is_v2: bool = False
    predicts: str = ""

    @classmethod
    def of(cls, folder: PipelineFolder, predicts: str) -> ModelKind:
        """Return the kind of a model.

        Args:
            folder: Its folder.
            predicts: What its network predicts, in diffusers' words.
        """
        name = folder.family.name
        config = folder.config(folder.family.network)
        version, architecture = _VERSIONS.get(name, (name, name))
        if name == "flux":
            architecture += "-dev" if config.get("guidance_embeds") else "-schnell"
        if folder.family.network != "unet":
            return cls(version, architecture)
        is_v = predicts == _V
        is_v2 = name == "stable-diffusion" and _is_v2(config)
        if is_v2:
            version = "sd_v2_v" if is_v else "sd_v2"
            architecture = f"stable-diffusion-v2-{'768-v' if is_v else '512'}"
        return cls(version, architecture, is_v2, "v" if is_v else "epsilon")


@dataclass(frozen=True)
class ExportTitle:
    """The words about an exported file.

    Attributes:
        model: Name of the base, as it is shown to others.
        erased: Names of what is erased.
        side: Height and width of the model's pictures, in pixels.
    """

    model: str
    erased: tuple[str, ...]
    side: tuple[int, int]

    def __str__(self) -> str:
        first, n_more = self.erased[:3], len(self.erased) - 3
        more = f" and {n_more} more" if n_more > 0 else ""
        return f"{self.model} without {', '.join(first)}{more}"


def metadata_of(
    kind: ModelKind, folder: PipelineFolder, spelling: str, *, rank: int
) -> dict[str, str]:
    """Return the metadata of a file that say what it is.

    Args:
        kind: The model's kind.
        folder: The model's folder.
        spelling: The file's format.
        rank: Rank of its factors; 0 for a file without.
    """
    is_change = spelling != CHECKPOINT
    found = {
        "modelspec.sai_model_spec": _SPECIFICATION,
        "modelspec.architecture": kind.architecture + ("/lora" if is_change else ""),
        "modelspec.implementation": (
            "diffusers" if spelling == DIFFUSERS else _STABILITY
        ),
    }
    if kind.predicts:
        found["modelspec.prediction_type"] = kind.predicts
    if is_change:
        found["ss_base_model_version"] = kind.version
        found["ss_v2"] = str(kind.is_v2)
    if rank:
        found["ss_network_module"] = _MODULES.get(folder.family.name, "networks.lora")
        found |= {"ss_network_dim": str(rank), "ss_network_alpha": f"{float(rank)}"}
    elif spelling == COMFYUI:
        found["ss_network_module"] = "lycoris.kohya"
    return found


def titled(title: ExportTitle) -> dict[str, str]:
    """Return the metadata of a file for its readers."""
    height, width = title.side
    return {
        "modelspec.title": str(title),
        "modelspec.description": f"Erased: {', '.join(title.erased)}",
        "modelspec.resolution": f"{width}x{height}",
    }


def _is_v2(config: Mapping[str, Any]) -> bool:
    """Return whether a UNet is one of Stable Diffusion 2, by its configuration."""
    wide = config.get("cross_attention_dim") == _WIDTH_OF_2
    return wide or bool(config.get("use_linear_projection"))
