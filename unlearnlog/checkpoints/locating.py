"""The files of a fine-tuned model in the layouts that trainers write.

A pipeline's folder, a trainer's checkpoint with one folder a component, the folder of
one component, an adapter of peft, a single safetensors file with names of diffusers or
of the original format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from unlearnlog.checkpoints.adapter_info import Adapter
from unlearnlog.checkpoints.adapters.adapter_remarks import remarks
from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles
from unlearnlog.checkpoints.finetune_file import no_average, owner_of, single_file
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError
from unlearnlog.models.foreign_file import SafetensorsFile
from unlearnlog.models.pipeline_folder import (
    PipelineFolder,
    json_of,
    no_weights,
    weights_in,
)
from unlearnlog.models.weight_file_names import SUFFIX

LORA_FILES: Final = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""File names of a LoRA that diffusers and peft save."""

EMBEDDING: Final = "learned_embeds.safetensors"
"""File name of diffusers' trainer of textual inversion."""

_AVERAGED: Final = ("{}_ema", "ema_{}", "ema")
"""Folders of an averaged copy of the denoising network."""

_NEXT_STATES: Final = f"model_*{SUFFIX}"
"""File names of accelerate for the second network of a trainer's state, and later ones.
"""


def brought(path: Path, base: PipelineFolder, *, ema: bool = False) -> CheckpointFiles:
    """Return the opened files of a fine-tuned model.

    Args:
        path: A folder or a file.
        base: The base model.
        ema: Whether to use the averaged copy of the UNet instead of the last one.

    Raises:
        ModelError: There are no files that can be read.
        DeltaError: A file is damaged, or no safetensors.
    """
    path, components = expanded(path).absolute(), base.weighed
    if path.is_file():
        return single_file(path, base, ema=ema)
    if not path.is_dir():
        raise ModelError(
            f"there is no folder or file '{path}'",
            fix="give the folder or the .safetensors file that the trainer wrote",
        )
    folders = {name: path / name for name in components if (path / name).is_dir()}
    adapters = {n: a for n, folder in folders.items() if (a := _only_lora_in(folder))}
    if adapters and len(adapters) == len(folders):
        return _of_adapters(adapters, notes=_unread(path))
    if folders or _averaged_in(path, base):
        _check_whole(path, base)
        return _of_components(path, folders, base, ema=ema)
    return _of_one_folder(path, base, ema=ema)


def _of_one_folder(path: Path, base: PipelineFolder, *, ema: bool) -> CheckpointFiles:
    """Return the files in a folder itself: a LoRA, a component, a trainer's state."""
    if lora := _lora_in(path):
        if weights_in(path) and _own_component(path, base):
            raise _beside_weights(lora)
        own = path.name if path.name in base.weighed else ""
        state = weights_in(path)[:1]  # a trainer's own, which no loader reads
        return _of_adapters({own: lora}, notes=tuple(map(_left_alone, state)))
    if (path / EMBEDDING).is_file():
        return single_file(path / EMBEDDING, base, ema=ema)
    if own := _own_component(path, base):
        files, notes = _weights(path, ema=ema)
        return CheckpointFiles.of(
            "component", {own: files}, notes=notes, folders={own: path}
        )
    if first := weights_in(path):
        if ema:
            raise no_average(f"in '{path}'")
        more = sorted(path.glob(_NEXT_STATES))
        return _of_states([first, *((each,) for each in more)], base)
    raise _nothing(path, base)


def _of_states(
    networks: Sequence[Sequence[Path]], base: PipelineFolder
) -> CheckpointFiles:
    """Return the networks of a trainer's state that accelerate saved, in any order.

    Raises:
        ModelError: One of several is none of the model's, or two are the same.
    """
    found: dict[str, tuple[SafetensorsFile, ...]] = {}
    for paths in networks:
        files = tuple(map(SafetensorsFile.open, paths))
        keys = [key for file in files for key in file]
        only = base.family.network if len(networks) == 1 else ""
        owner = owner_of(keys, base, found) or only
        if not owner:
            raise ModelError(
                f"'{paths[0]}' is of none of the model's networks",
                fix="give the folder or the file of the network that was trained",
            )
        found[owner] = files
    return CheckpointFiles.of("component", found)


def _lora_in(folder: Path) -> Path | None:
    """Return the file of a LoRA in a folder, as diffusers and peft call it.

    Raises:
        ModelError: There are two.
    """
    found = [folder / name for name in LORA_FILES if (folder / name).is_file()]
    if len(found) > 1:
        raise ModelError(
            f"'{folder}' holds two adapters, {found[0].name} and {found[1].name}",
            fix=f"audit each by itself: {found[0]}",
        )
    return found[0] if found else None


def _beside_weights(adapter: Path) -> ModelError:
    return ModelError(
        f"'{adapter.parent}' holds an adapter, '{adapter.name}', in a folder of whole "
        "weights, and a loader may add it to them",
        fix=f"take it out of there, and audit it by itself: {adapter}",
    )


def _unread(path: Path) -> tuple[str, ...]:
    """Return notes on a LoRA and on learned tokens that were not read."""
    beside = (_lora_in(path), path / EMBEDDING)
    return tuple(_left_alone(f) for f in beside if f is not None and f.is_file())


def _left_alone(file: Path) -> str:
    return f"'{file.name}' beside it was not read: audit it by itself"


def _only_lora_in(folder: Path) -> Path | None:
    """Return the file of a LoRA in a component's folder that holds no weights."""
    return None if weights_in(folder) else _lora_in(folder)


def _averaged_in(path: Path, base: PipelineFolder) -> Path | None:
    """Return the folder of an averaged copy of the denoising network, or None."""
    names = (name.format(base.family.network) for name in _AVERAGED)
    return next((path / name for name in names if (path / name).is_dir()), None)


def _of_adapters(
    paths: Mapping[str, Path], *, notes: tuple[str, ...] = ()
) -> CheckpointFiles:
    """Return the opened LoRA of each component."""
    files = {name: SafetensorsFile.open(path) for name, path in paths.items()}
    adapter = Adapter()
    for name, file in files.items():
        adapter |= Adapter.of(file, component=name)
    notes += tuple(note for file in files.values() for note in remarks(file))
    opened = {name: (file,) for name, file in files.items()}
    return CheckpointFiles.of("lora", opened, adapter=adapter, notes=notes)


def _check_whole(path: Path, base: PipelineFolder) -> None:
    """Refuse a pipeline without the folder of a component of its index.

    Raises:
        ModelError: A folder is missing.
    """
    index = path / "model_index.json"
    named = json_of(index) if index.is_file() else {}
    network = base.family.network
    for name in base.weighed:
        is_there = (path / name).is_dir() or (
            name == network and _averaged_in(path, base)
        )
        entry = named.get(name)
        if isinstance(entry, list) and any(entry) and not is_there:
            raise ModelError(
                f"'{path}' names '{name}' in its model_index.json and has no folder "
                "of it",
                fix="give the folder whole, as the trainer wrote it",
            )


def _of_components(
    path: Path, folders: Mapping[str, Path], base: PipelineFolder, *, ema: bool
) -> CheckpointFiles:
    """Return the opened weights of every component."""
    averaged, network = _averaged_in(path, base), base.family.network
    title = "UNet" if network == "unet" else network
    chosen, notes, is_plain = dict(folders), list[str](), True
    if averaged is not None and (ema or network not in folders):
        chosen[network], is_plain = averaged, False
        notes.append(f"the averaged {title} in '{averaged.name}' was read")
    elif averaged is not None:
        notes.append(
            f"there is an averaged {title} in '{averaged.name}': --ema audits it"
        )
    files = {}
    for name, folder in chosen.items():
        if adapter := _lora_in(folder):
            raise _beside_weights(adapter)
        of_ema = ema and name == network and averaged is None
        files[name], more = _weights(folder, ema=of_ema)
        notes += more
        is_plain = is_plain and not more
    notes += _unread(path)
    pipeline = (path / "model_index.json").is_file()
    form = "pipeline" if pipeline else "component"
    return CheckpointFiles.of(
        form,
        files,
        notes=tuple(notes),
        is_plain=is_plain and form == "pipeline",
        folders=chosen,
    )


def _weights(
    folder: Path, *, ema: bool
) -> tuple[tuple[SafetensorsFile, ...], tuple[str, ...]]:
    """Return a component's opened files: the plain ones, or else a variant's."""
    plain = weights_in(folder)
    variants = sorted({_variant(f) for f in folder.glob(f"*{SUFFIX}")} - {""})
    averaged = [v for v in variants if "ema" in v and "non" not in v]
    if ema and not averaged:
        raise no_average(f"in or beside '{folder}'")
    if plain and not ema:
        return tuple(map(SafetensorsFile.open, plain)), ()
    if not variants:
        raise no_weights(folder.parent, folder)
    latest = [v for v in variants if v not in averaged] or variants
    variant = (averaged if ema else latest)[0]
    names = sorted(f for f in folder.glob(f"*{SUFFIX}") if _variant(f) == variant)
    note = f"the variant '{variant}' of '{folder.name}' was read"
    return tuple(map(SafetensorsFile.open, names)), (note,)


def _variant(file: Path) -> str:
    """Return the variant in a file's name, ``model.fp16.safetensors``; empty for none.

    Shards carry it before or behind their number.
    """
    _, *words = file.name.removesuffix(SUFFIX).split(".")
    return ".".join(word.split("-0")[0] for word in words if word)


def _own_component(path: Path, base: PipelineFolder) -> str:
    """Return the component of a folder, from its configuration; empty for none."""
    if (path / "config.json").is_file():
        config = json_of(path / "config.json")
        several = config.get("architectures")
        named = [config.get("_class_name")]
        named += several if isinstance(several, list) else []
        named = [each for each in named if isinstance(each, str)]
        return next(
            (name for name in base.weighed if base.index.get(name) in named), ""
        )
    return ""


def _nothing(path: Path, base: PipelineFolder) -> ModelError:
    inside = [f.name for f in path.iterdir() if f.is_dir()]
    begun = [name for name in inside if name.startswith("checkpoint-")]
    steps = sorted(begun, key=lambda name: (len(name), name))
    if steps:
        return ModelError(
            f"'{path}' holds no weights itself, but {len(steps)} checkpoints",
            fix=f"audit one of them: {path / steps[-1]}",
        )
    return ModelError(
        f"'{path}' holds neither a pipeline, nor a network of one, nor a LoRA",
        fix=f"give the folder that holds '{base.family.network}', or the trainer's "
        ".safetensors file",
    )
