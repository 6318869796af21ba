"""Single files with weights: adapters, learned tokens, networks, whole checkpoints."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from unlearnlog.checkpoints.adapter_info import Adapter, is_adapter
from unlearnlog.checkpoints.adapters.adapter_remarks import remarks
from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles, digest_of_files
from unlearnlog.checkpoints.checkpoint_keys import full_name, is_no_weight
from unlearnlog.checkpoints.embedding_files import embedding_in
from unlearnlog.checkpoints.file_kinds import listed
from unlearnlog.checkpoints.float8_weights import dequantized
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.ldm_checkpoint import (
    UNET,
    has_averaged,
    is_single,
    networks_of,
    predicted_by,
    too_many_blocks,
)
from unlearnlog.checkpoints.ldm_leftovers import unread_beside
from unlearnlog.checkpoints.original_transformer import (
    is_of_another,
    prefix_of,
    transformer_of,
)
from unlearnlog.errors import ModelError
from unlearnlog.models.foreign_file import SafetensorsFile
from unlearnlog.models.pipeline_folder import PipelineFolder


def single_file(path: Path, base: PipelineFolder, *, ema: bool) -> CheckpointFiles:
    """Return the files for a single file; its keys show the kind."""
    file = SafetensorsFile.open(path)
    of_unet = base.family.network == "unet"
    if of_unet and is_single(file):
        return _of_single(file, base, ema=ema)
    if not is_adapter(file):
        if of_unet and (prefix := _before_unet(file)) is not None:
            return _of_bare_unet(file, prefix, base)
        if not of_unet and (found := _of_original(file, base)):
            return found
        owner = owner_of(file, base)
        if not owner and _is_embedding(file, base):
            return CheckpointFiles.of("embedding", {"": (file,)})
        return CheckpointFiles.of("component", {owner: (file,)})
    return CheckpointFiles.of(
        "lora", {"": (file,)}, adapter=Adapter.of(file), notes=remarks(file)
    )


def _before_unet(keys: Iterable[str]) -> str | None:
    """Return what stands before original names of a UNet alone; None for others."""
    begun = ("diffusion_model.", "")
    keys = list(keys)
    return next(
        (b for b in begun if any(key.startswith(f"{b}input_blocks.") for key in keys)),
        None,
    )


def _of_bare_unet(
    file: SafetensorsFile, prefix: str, base: PipelineFolder
) -> CheckpointFiles:
    """Return the UNet of a file with nothing else, in the original format."""
    weights = dequantized(file)
    own = [key for key in weights if key.startswith(prefix)]
    if many := too_many_blocks(own):
        raise _of_another_model(file, many)
    renamed = {f"{UNET}{key.removeprefix(prefix)}": weights[key] for key in own}
    try:
        networks = networks_of(renamed, {"unet": base.configs["unet"]}, ema=False)
    except (KeyError, IndexError) as error:
        raise _of_another_model(file, f"no {error}") from None
    notes = ["its names, of the original format, were converted"]
    if rest := sorted(set(weights) - set(own)):
        notes.append(f"{len(rest)} of its tensors were not read: {listed(rest)}")
    return CheckpointFiles(
        form="component",
        files={"unet": (networks["unet"],)},
        sha256=digest_of_files([file]),
        notes=tuple(notes),
        predicts=predicted_by(file, file.metadata),
    )


def _is_embedding(file: SafetensorsFile, base: PipelineFolder) -> bool:
    """Return whether a file holds vectors of textual inversion for this model."""
    known = base.stored(*base.weighed)
    if any(full_name(key, "", known) for key in file):
        return False
    return bool(embedding_in(file, file.path.stem, base.text_widths))


def _of_single(
    file: SafetensorsFile, base: PipelineFolder, *, ema: bool
) -> CheckpointFiles:
    """Return the networks of a single file in the original format."""
    averaged = has_averaged(file)
    if ema and not averaged:
        raise no_average(f"in '{file.path}'")
    if many := too_many_blocks(file):
        raise _of_another_model(file, many)
    try:
        networks = networks_of(dequantized(file), base.configs, ema=ema)
        left = unread_beside(file.places, base.configs)
    except (KeyError, IndexError) as error:
        raise _of_another_model(file, f"no {error}") from None
    notes = ["its names, of the original format, were converted"]
    missing = [name for name in base.weighed if name not in networks]
    if missing:
        notes.append(f"it has no {' and no '.join(missing)}: the base's is used")
    if averaged and not ema:
        notes.append("it holds an averaged UNet: --ema audits it")
    notes += left
    return CheckpointFiles(
        form="component" if missing else "pipeline",
        files={name: (tensors,) for name, tensors in networks.items()},
        sha256=digest_of_files([file]),
        notes=tuple(notes),
        predicts=predicted_by(file, file.metadata),
    )


def _of_original(file: SafetensorsFile, base: PipelineFolder) -> CheckpointFiles | None:
    """Return the transformer of a file in the original format; None for another one."""
    records = base.seen.records if base.seen else {}
    fusing = Fusing.of(base.family.name, records)
    prefix = prefix_of(file, fusing)
    if prefix is None:
        return None
    try:
        tensors = transformer_of(dequantized(file), prefix, fusing)
    except ValueError as error:
        raise _of_another_model(file, str(error)) from None
    notes = ["its names, of the original format, were converted"]
    if any(is_of_another(key) for key in file):
        notes.append("its autoencoder and text encoders were not read")
    return CheckpointFiles(
        form="component",
        files={base.family.network: (tensors,)},
        sha256=digest_of_files([file]),
        notes=tuple(notes),
    )


def _of_another_model(file: SafetensorsFile, what: str) -> ModelError:
    return ModelError(
        f"'{file.path}' is not of the ledger's model: it has {what}",
        fix="audit it with the ledger of the model that it was made of",
    )


def owner_of(
    keys: Iterable[str], base: PipelineFolder, others: Container[str] = ()
) -> str:
    """Return the network of some keys, other than ``others``; empty for none."""
    known, keys = base.stored(*base.weighed), [k for k in keys if not is_no_weight(k)]
    for component in base.weighed:
        names = (full_name(key, component, known) for key in keys)
        if component not in others and all(
            name is not None and name.startswith(f"{component}.") for name in names
        ):
            return component
    return ""


def no_average(where: str) -> ModelError:
    """Return the error for an averaged copy that is not there."""
    return ModelError(
        f"there is no averaged copy of the weights {where}", fix="leave --ema out"
    )
