"""The files of what somebody made of a model: where trainers put them.

A pipeline's folder, a trainer's checkpoint with one folder a component, the folder of
one component, an adapter of peft, a single safetensors file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from unlearnlog.digest import Digest, canonical_json, digest_of
from unlearnlog.errors import ModelError
from unlearnlog.model.folder import json_of, no_weights, weights_in
from unlearnlog.model.foreign import SUFFIX, ForeignFile

LORA_FILES: Final = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""What diffusers and peft call the file of a LoRA that they save."""

_AVERAGED: Final = ("unet_ema", "ema_unet", "ema")
_CLASSES: Final = {
    "UNet2DConditionModel": "unet",
    "AutoencoderKL": "vae",
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "text_encoder_2",
}
_ACCELERATE: Final = "model.safetensors"
_NOTED: Final = "lora_adapter_metadata"
_SINGLE_FILE: Final = "model.diffusion_model."
"""How keys of a single-file checkpoint of the original authors begin."""


@dataclass(frozen=True, eq=False)
class Brought:
    """Files that were found to hold weights, opened.

    Attributes:
        form: ``pipeline``, ``component`` or ``lora``.
        files: The files of each component; the component is empty where only the keys
            tell.
        adapter: What is known of a LoRA beside its tensors: ``r``, ``lora_alpha``, ...
        notes: What whoever reads the result should know.
    """

    form: str
    files: Mapping[str, Sequence[ForeignFile]]
    adapter: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> Digest:
        """Digest of all files, whatever they are called."""
        digests = sorted(f.digest() for files in self.files.values() for f in files)
        return digest_of(canonical_json(digests))

    def scale(self, name: str, rank: int) -> float:
        """Return what a LoRA's product is scaled by where its tensors do not say.

        Args:
            name: Full name of the weight, ``unet.<module>.weight``.
            rank: Of its factors.

        Source:
            peft's ``LoraConfig``: alpha over rank, with ``use_rslora`` over its root;
            without a config diffusers takes alpha for the rank.
        """
        component, _, module = name.removesuffix(".weight").partition(".")
        said = {
            key.removeprefix(f"{component}."): value
            for key, value in self.adapter.items()
            if "." not in key or key.startswith(f"{component}.")
        }
        alpha = _for_module(said.get("alpha_pattern"), module, said.get("lora_alpha"))
        if not isinstance(alpha, int | float):
            return 1.0
        return float(alpha) / (math.sqrt(rank) if said.get("use_rslora") else rank)


def brought(path: Path, components: Sequence[str], *, ema: bool = False) -> Brought:
    """Find the files of what somebody made of a model.

    Args:
        path: A folder or a file.
        components: Names of the model's components that have weights.
        ema: Whether to take the averaged copy of the UNet instead of the last one.

    Raises:
        ModelError: There is nothing that can be read.
        DeltaError: A file is damaged, or no safetensors.
    """
    path = path.expanduser().absolute()
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        raise ModelError(
            f"there is no folder or file '{path}'",
            fix="give the folder or the .safetensors file that the trainer wrote",
        )
    folders = {name: path / name for name in components if (path / name).is_dir()}
    if folders:
        return _of_components(path, folders, ema=ema)
    if lora := next((path / n for n in LORA_FILES if (path / n).is_file()), None):
        return _of_file(lora)
    if own := _own_component(path):
        files, notes = _weights(path, ema=ema)
        return Brought("component", {own: files}, notes=notes)
    raise _nothing(path)


def _of_file(path: Path) -> Brought:
    """Tell a LoRA from whole tensors by its keys."""
    file = ForeignFile.open(path)
    if any(key.startswith(_SINGLE_FILE) for key in file):
        raise ModelError(
            f"'{path}' is a single-file checkpoint of the original format",
            fix="convert it with diffusers: StableDiffusionPipeline"
            f".from_single_file('{path.name}').save_pretrained('NEW_FOLDER')",
        )
    if not any("lora" in key.lower() for key in file):
        return Brought("component", {"": (file,)})
    config = path.parent / "adapter_config.json"
    beside = config.is_file() and path.name == LORA_FILES[1]
    adapter = json_of(config) if beside else _noted(file)
    if adapter.get("use_dora"):
        raise ModelError(
            f"'{path}' is a DoRA, whose magnitudes are no product of two factors",
            fix="merge it into the model, save the folder, and audit that",
        )
    return Brought("lora", {"": (file,)}, adapter)


def _noted(file: ForeignFile) -> dict[str, Any]:
    """Return what diffusers wrote of the adapter into the file's own notes."""
    try:
        noted = json.loads(file.metadata.get(_NOTED, "{}"))
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _of_components(path: Path, folders: Mapping[str, Path], *, ema: bool) -> Brought:
    """Open the weights of every component that is there."""
    averaged = next((path / n for n in _AVERAGED if (path / n).is_dir()), None)
    chosen, notes = dict(folders), list[str]()
    if ema and averaged is not None:
        chosen["unet"] = averaged
        notes.append(f"the averaged UNet in '{averaged.name}' was read")
    elif averaged is not None:
        notes.append(f"an averaged UNet lies in '{averaged.name}': --ema audits it")
    files = {}
    for name, folder in chosen.items():
        wants = ema and name == "unet" and averaged is None
        files[name], more = _weights(folder, ema=wants)
        notes += more
    lora = next((path / n for n in LORA_FILES if (path / n).is_file()), None)
    if lora is not None:
        notes.append(f"'{lora.name}' beside it was not read: audit it by itself")
    pipeline = (path / "model_index.json").is_file()
    return Brought("pipeline" if pipeline else "component", files, notes=tuple(notes))


def _weights(
    folder: Path, *, ema: bool
) -> tuple[tuple[ForeignFile, ...], tuple[str, ...]]:
    """Open a component's files: the plain ones, or else a variant's."""
    plain = weights_in(folder)
    variants = sorted({_variant(f) for f in folder.glob(f"*{SUFFIX}")} - {""})
    averaged = [v for v in variants if "ema" in v and "non" not in v]
    if ema and not averaged:
        raise ModelError(
            f"there is no averaged copy of the weights in or beside '{folder}'",
            fix="leave --ema out",
        )
    if plain and not ema:
        return tuple(map(ForeignFile.open, plain)), ()
    if not variants:
        raise no_weights(folder.parent, folder)
    variant = (averaged if ema else variants)[0]
    names = sorted(f for f in folder.glob(f"*{SUFFIX}") if _variant(f) == variant)
    note = f"the variant '{variant}' of '{folder.name}' was read"
    return tuple(map(ForeignFile.open, names)), (note,)


def _variant(file: Path) -> str:
    """Return the variant in a file's name, ``model.fp16.safetensors``; empty for none.

    Shards carry it before or behind their number.
    """
    _, *words = file.name.removesuffix(SUFFIX).split(".")
    return ".".join(word.split("-0")[0] for word in words if word)


def _own_component(path: Path) -> str:
    """Return which component's folder it is; empty for none."""
    if (path / "config.json").is_file():
        config = json_of(path / "config.json")
        named = [config.get("_class_name"), *(config.get("architectures") or ())]
        found = [_CLASSES[name] for name in named if name in _CLASSES]
        return found[0] if found else ""
    return "unet" if (path / _ACCELERATE).is_file() else ""


def _nothing(path: Path) -> ModelError:
    inside = [f.name for f in path.iterdir() if f.is_dir()]
    steps = sorted(name for name in inside if name.startswith("checkpoint-"))
    if steps:
        return ModelError(
            f"'{path}' holds no weights itself, but {len(steps)} checkpoints",
            fix=f"audit one of them: {path / steps[-1]}",
        )
    return ModelError(
        f"'{path}' holds neither a pipeline, nor a UNet, nor a LoRA",
        fix="give the folder that holds 'unet', or the trainer's .safetensors file",
    )


def _for_module(pattern: object, module: str, otherwise: object) -> object:
    """Return what a pattern of peft says of a module: its name, or the end of it."""
    known = pattern if isinstance(pattern, dict) else {}
    ends = (key for key in known if module == key or module.endswith(f".{key}"))
    return next((known[key] for key in ends), otherwise)
