"""The safetensors files of one component's folder, one or its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from unlearnlog.errors import ModelError
from unlearnlog.models.small_files import json_of

PICKLES: Final = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
"""Suffixes of weights whose loading can run code."""

_STEMS: Final = ("diffusion_pytorch_model", "model")
_INDEX: Final = ".index.json"


def weights_in(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of one component's folder: one, shards, or none.

    Raises:
        ModelError: The index of shards is damaged, or there are weights twice, of which
            diffusers and transformers load different ones.
    """
    found: list[Path] = []
    for stem in _STEMS:
        names = (f"{stem}.safetensors{end}" for end in ("", _INDEX))
        found = found or [folder / n for n in names if (folder / n).is_file()]
    if len(found) > 1:
        raise ModelError(
            f"'{folder}' holds its weights twice, in {found[0].name} and by "
            f"{found[1].name}",
            fix="remove one of them from the folder",
        )
    if not found:
        return ()
    (one,) = found
    return _shards(one) if one.name.endswith(_INDEX) else (one,)


def no_weights(pipeline: Path, folder: Path) -> ModelError:
    """Return the error for a folder without weights, with the other kinds in it."""
    save = f"save_pretrained('{pipeline.name}-safetensors')"
    load = f"{_class_of(pipeline)}.from_pretrained('{pipeline}'"
    variants = sorted(file.name for file in folder.glob("*.safetensors"))
    if variants:
        variant = variants[0].removesuffix(".safetensors").rpartition(".")[2]
        return ModelError(
            f"'{folder}' holds only the variant '{variants[0]}'",
            fix=f"save it without one: {load}, variant='{variant}').{save}",
        )
    pickles = sorted(f.name for f in folder.iterdir() if f.suffix in PICKLES)
    if pickles:
        return ModelError(
            f"'{folder}' holds its weights as a pickle, '{pickles[0]}', which can run "
            "code when it is loaded",
            fix=f"if you trust it, convert it with diffusers: {load}).{save}",
        )
    return ModelError(
        f"'{folder}' holds no weights",
        fix="copy or download the model again, with its .safetensors files",
    )


def _class_of(pipeline: Path) -> str:
    """Return the class in a pipeline's index, or the one that reads it from there."""
    index = pipeline / "model_index.json"
    named = json_of(index).get("_class_name") if index.is_file() else None
    return str(named or "DiffusionPipeline")


def _shards(index: Path) -> tuple[Path, ...]:
    places = json_of(index).get("weight_map")
    names = sorted(set(map(str, places.values()))) if isinstance(places, dict) else []
    files = tuple(index.parent / name for name in names)
    inside = all(Path(name).name == name for name in names)
    if not names or not inside or not all(file.is_file() for file in files):
        raise ModelError(
            f"'{index}' names shards that are missing",
            fix="copy or download the model again, with all its .safetensors files",
        )
    return files
