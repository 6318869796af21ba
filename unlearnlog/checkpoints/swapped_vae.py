"""Autoencoders that a model's author put in the place of the base's.

Web UIs and merges do it often: it changes the colours of pictures and nothing that was
erased. So it says nothing about where a model comes from, and does not refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.checkpoints.checkpoint_keys import fitted, full_name, is_no_weight
from unlearnlog.checkpoints.config_diff import unlike_network
from unlearnlog.models.foreign_file import shown
from unlearnlog.models.pipeline_folder import json_of

if TYPE_CHECKING:
    import torch

    from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles
    from unlearnlog.core.delta import Weights

VAE: Final = "vae"
OWN: Final = "its own autoencoder"
BASES: Final = "the base's autoencoder"
"""The two that a model with a swapped one is audited with, for the report."""


def without_odd_vae(
    found: CheckpointFiles,
    shapes: Mapping[str, torch.Size],
    config: Mapping[str, Any],
    stored: Mapping[str, torch.Tensor],
) -> CheckpointFiles:
    """Return the files without an autoencoder that the base's latents do not fit.

    A note says so. An autoencoder that came alone is not left out.

    Args:
        found: The files of a fine-tuned model.
        shapes: Shape of each tensor of the base.
        config: Configuration of the base's autoencoder.
        stored: The base's tensors.
    """
    if len(found.files) < len(("unet", VAE)) or VAE not in found.files:
        return found
    fault = _misfit(found.files[VAE], shapes) or _other_scale(found, config, stored)
    if not fault:
        return found
    note = (
        f"its autoencoder is none for the base's latents ({fault}): the base's is used"
    )
    return replace(
        found,
        files={name: each for name, each in found.files.items() if name != VAE},
        folders={name: each for name, each in found.folders.items() if name != VAE},
        notes=(*found.notes, note),
        is_plain=False,
    )


def parted(
    weights: Weights, moved: Mapping[str, float], farthest: float
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], tuple[str, ...]]:
    """Part a swapped autoencoder from a model's weights.

    Args:
        weights: Every tensor that differs from the base's, by full name.
        moved: Change of each component, as a share of its weights' norm.
        farthest: The share above which it is another network.

    Returns:
        The weights without it, its own, and a note; nothing of it where the autoencoder
        is the base's or a fine-tune of it.
    """
    share = moved.get(VAE, 0.0)
    if not share > farthest:
        return dict(weights), {}, ()
    own = {name: each for name, each in weights.items() if name.startswith(f"{VAE}.")}
    kept = {name: each for name, each in weights.items() if name not in own}
    note = (
        f"its autoencoder is another one, {share:.2f} of the base's norm away: "
        f"it is audited with {BASES}, and by judges of pictures with its own, too"
    )
    return kept, own, (note,)


def _misfit(
    files: Iterable[Mapping[str, torch.Tensor]], shapes: Mapping[str, torch.Size]
) -> str:
    """Return which tensor is missing, unknown or of another shape; empty for none."""
    missing = {name for name in shapes if name.startswith(f"{VAE}.")}
    for file in files:
        for key in file:
            if is_no_weight(key):
                continue
            name = full_name(key, VAE, shapes)
            if name is None:
                return f"the base's has no {shown(key)}"
            if fitted(file[key], shapes[name]) is None:
                ours, theirs = list(shapes[name]), list(file[key].shape)
                return f"{shown(key)} is {theirs}, the base's is {ours}"
            missing.discard(name)
    return f"{len(missing)} tensors are missing: {min(missing)}" if missing else ""


def _other_scale(
    found: CheckpointFiles,
    config: Mapping[str, Any],
    stored: Mapping[str, torch.Tensor],
) -> str:
    """Return what its configuration says otherwise; empty if its tensors are the same.

    The same weights under another scale are no swap but another model.
    """
    folder = found.folders.get(VAE)
    if folder is None or not (folder / "config.json").is_file():
        return ""
    fault = unlike_network(json_of(folder / "config.json"), config)
    if not fault:
        return ""
    same = all(
        (name := full_name(key, VAE, stored)) is None
        or bool(
            (file[key].float() == stored[name].float().reshape(file[key].shape)).all()
        )
        for file in found.files[VAE]
        for key in file
    )
    return "" if same else fault
