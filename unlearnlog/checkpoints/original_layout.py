"""The layout of a whole model in one file, with the names of the original code.

Source:
    The checkpoints of Stability AI and Black Forest Labs, and the names under which
    diffusers' ``loaders.single_file_utils`` and ComfyUI's ``comfy.supported_models``
    look for the networks in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.original_tensor import Kind, OriginalTensor
from unlearnlog.checkpoints.original_text import clip_layout, open_clip_layout
from unlearnlog.checkpoints.original_unet import unet_layout
from unlearnlog.checkpoints.original_vae import vae_layout
from unlearnlog.errors import UsageError
from unlearnlog.models.original_modules import ORIGINAL_NAMES, original_places

if TYPE_CHECKING:
    import torch

    from unlearnlog.models.model_family import ModelFamily

NETWORK: Final = "model.diffusion_model."
_OWN: Final = "transformer."
_CLIP_L: Final = "text_encoders.clip_l.transformer."
_CLIP_G: Final = "text_encoders.clip_g.transformer."
_T5: Final = "text_encoders.t5xxl.transformer."
_FIRST_STAGE: Final = "first_stage_model."
_SAME_NAMES: Final = frozenset({"qwen-image"})
"""Families whose original names are those of diffusers."""

_SCALES: Final = ("query_norm", "key_norm")
"""Original modules that call their weight a scale."""

_SHARED, _OF_TOKENS = "shared.weight", "encoder.embed_tokens.weight"
_POSITIONS: Final = "pos_embed.pos_embed"
_LOOSE: Final = {"aura-flow": "positional_encoding"}

Shapes = Mapping[str, "torch.Size"]
Layout = dict[str, OriginalTensor]


@dataclass(frozen=True)
class _Part:
    """The layout of one network, and the prefix of its keys."""

    prefix: str
    layout: Callable[[Shapes, str], Layout]


_PARTS: Final[Mapping[str, Mapping[str, _Part]]] = {
    "stable-diffusion-xl": {
        "vae": _Part(_FIRST_STAGE, vae_layout),
        "text_encoder": _Part("conditioner.embedders.0.transformer.", clip_layout),
        "text_encoder_2": _Part("conditioner.embedders.1.model.", open_clip_layout),
    },
    "stable-diffusion-3": {
        "vae": _Part(_FIRST_STAGE, vae_layout),
        "text_encoder": _Part(_CLIP_L, clip_layout),
        "text_encoder_2": _Part(_CLIP_G, clip_layout),
        "text_encoder_3": _Part(_T5, lambda shapes, name: _t5(shapes, name)),
    },
    "flux": {
        "vae": _Part("vae.", vae_layout),
        "text_encoder": _Part(_CLIP_L, clip_layout),
        "text_encoder_2": _Part(_T5, lambda shapes, name: _t5(shapes, name)),
    },
}
"""Networks beside the denoising one, by family; of others that one is written alone."""

_SD_1: Final = {
    "vae": _Part(_FIRST_STAGE, vae_layout),
    "text_encoder": _Part("cond_stage_model.transformer.", clip_layout),
}
_SD_2: Final = {
    "vae": _Part(_FIRST_STAGE, vae_layout),
    "text_encoder": _Part("cond_stage_model.model.", open_clip_layout),
}


def has_original_layout(family: ModelFamily) -> bool:
    """Return whether a family's models are given away in an original layout."""
    known = family.name in ORIGINAL_NAMES or family.name in _SAME_NAMES
    return family.network == "unet" or known


def layout_of(family: ModelFamily, shapes: Shapes, *, is_v2: bool = False) -> Layout:
    """Return every tensor of a single file, by its key.

    Args:
        family: The model's family.
        shapes: Shape of every tensor of the model, by full name.
        is_v2: Whether it is a Stable Diffusion 2, with OpenCLIP's text encoder.

    Raises:
        UsageError: A tensor has no name in the original code.
    """
    found = network_layout(family, shapes)
    usual = _SD_2 if is_v2 else _SD_1 if family.network == "unet" else {}
    for component, part in _PARTS.get(family.name, usual).items():
        inside = part.layout(_of(shapes, component), component)
        found |= {part.prefix + key: tensor for key, tensor in inside.items()}
    return found


def network_layout(family: ModelFamily, shapes: Shapes) -> Layout:
    """Return the tensors of the denoising network in a single file, by their keys.

    Args:
        family: The model's family.
        shapes: Shape of every tensor of the model, by full name.

    Raises:
        UsageError: A tensor has no name in the original code.
    """
    if family.network == "unet":
        inside = unet_layout(_of(shapes, "unet"), "unet")
    else:
        table = ORIGINAL_NAMES.get(family.name, {})
        fusing = Fusing(table, shapes)
        inside = dict(_transformer(fusing, _LOOSE.get(family.name, "pos_embed")))
    return {NETWORK + key: tensor for key, tensor in inside.items()}


def _of(shapes: Shapes, component: str) -> Shapes:
    return {n: s for n, s in shapes.items() if n.startswith(f"{component}.")}


def _same(shapes: Shapes, component: str) -> Layout:
    """Return the layout of a network that keeps its names."""
    return {n.removeprefix(f"{component}."): OriginalTensor((n,)) for n in shapes}


def _t5(shapes: Shapes, component: str) -> Layout:
    """Return the layout of a T5, its vectors of tokens under both of their names.

    Folders hold them once, and diffusers' loader of single files asks for both.
    """
    shared = f"{component}.{_SHARED}"
    again = {_OF_TOKENS: OriginalTensor((shared,))} if shared in shapes else {}
    return {**again, **_same(shapes, component)}


def _transformer(
    fusing: Fusing, positions: str
) -> Iterator[tuple[str, OriginalTensor]]:
    """Yield the tensors of a transformer with their original names.

    Raises:
        UsageError: A part of a fused module has no such tensor.
    """
    names = [name for name in fusing.shapes if name.startswith(_OWN)]
    inner = [name.removeprefix(_OWN) for name in names]
    places = original_places(fusing.table, {n.rpartition(".")[0] for n in inner})
    for name in inner:
        module, _, leaf = name.rpartition(".")
        if name == _POSITIONS:
            yield positions, OriginalTensor((_OWN + name,))
            continue
        if not module:  # a tensor of the transformer itself
            yield leaf, OriginalTensor((_OWN + name,))
            continue
        place = places[module]
        if place.parts[0] != module:
            continue  # the first part of a fused module stands for all
        parts = tuple(f"{_OWN}{part}.{leaf}" for part in place.parts)
        if missing := [part for part in parts if part not in fusing.shapes]:
            raise UsageError(
                f"'{missing[0]}' is missing, which the original format holds together "
                f"with '{parts[0]}'",
                fix="take the folder instead: unlearnlog checkout",
            )
        is_scale = place.module.endswith(_SCALES) and leaf == "weight"
        kind: Kind = "same" if len(parts) == 1 else "joined"
        if len(parts) == 1 and fusing.is_swapped(_OWN + name):
            kind = "swapped"
        yield (
            f"{place.module}.{'scale' if is_scale else leaf}",
            OriginalTensor(parts, kind),
        )
