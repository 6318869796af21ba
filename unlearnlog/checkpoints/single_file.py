"""A whole model in one safetensors file, as a base: read as a diffusers folder is.

The networks are those of the original Stable Diffusion code under diffusers' names. The
file has neither configurations nor tokenizers: see `ldm_configs` and `clip_vocabulary`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from unlearnlog.checkpoints.clip_vocabulary import ClipVocabulary, vocabulary_for
from unlearnlog.checkpoints.deferred_tensor import ConvertedPart, DeferredTensor
from unlearnlog.checkpoints.ldm_checkpoint import (
    has_averaged,
    is_single,
    networks_of,
    predicted_by,
    seems_velocity,
    too_many_blocks,
)
from unlearnlog.checkpoints.ldm_configs import (
    Generation,
    generation_of,
    latent_size,
    scheduler_config,
    text_config,
    unet_config,
    vae_config,
)
from unlearnlog.checkpoints.ldm_leftovers import unread
from unlearnlog.core.delta import tensor_record
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError, UnlearnlogError
from unlearnlog.models.compatibility import check_fit
from unlearnlog.models.families import family_of
from unlearnlog.models.pipeline_folder import PipelineFolder
from unlearnlog.models.stored_weights import StoredWeights, opened
from unlearnlog.models.weight_file_names import SUFFIX

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.models.tensor_file import TensorFile

_UNET: Final = "model.diffusion_model."
_VAE: Final = "first_stage_model."
_INDEX: Final = "model_index.json"
_NO_WEIGHT: Final = "position_ids"
"""A counter in old files, which no network has today."""

_PROJECTION: Final = "attn2.to_k.weight"

_MISSING: Final = (KeyError, IndexError, ValueError, StopIteration, TypeError)
"""Errors of a converter for a file without the tensors that it needs."""


@dataclass(frozen=True)
class SingleFile(PipelineFolder):
    """A checked file with a Stable Diffusion 1, 2 or XL.

    Attributes:
        names: The tensors of each network, by diffusers' names.
        tokenizer: The folder that was given for its tokenizers; None for none.
        notes: Remarks on the file.
    """

    names: Mapping[str, Mapping[str, DeferredTensor]] = field(
        default_factory=dict, repr=False, compare=False
    )
    tokenizer: Path | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path, tokenizer: Path | None = None) -> Self:
        """Return a file's description after all checks.

        Args:
            path: The file.
            tokenizer: A folder with CLIP's tokenizer; None to find one.

        Raises:
            ModelError: It is no whole model of a supported kind, or there is no
                tokenizer for it.
        """
        path = expanded(path).absolute()
        reader = _ModelReader(path, opened(path))
        names, configs = reader.names, reader.configs
        family = family_of(reader.generation.pipeline)
        words = vocabulary_for(path, tokenizer)
        _check_words(path, words, configs["text_encoder"]["vocab_size"], tokenizer)
        index = _index(reader.generation, names)
        made = {f"{name}/config.json": each for name, each in configs.items()}
        made["scheduler/scheduler_config.json"] = reader.scheduler
        small = {_INDEX: _as_bytes(index)}
        small |= {name: _as_bytes(each) for name, each in made.items()}
        spoken = [name for name in family.components if name.startswith("tokenizer")]
        for name, pads in zip(spoken, reader.generation.pads, strict=True):
            files = words.files(pads=pads)
            small |= {f"{name}/{file}": data for file, data in files.items()}
        check_fit(path, family, configs)
        return cls(
            path,
            family,
            {name: str(pair[-1]) for name, pair in index.items() if _is_kind(pair)},
            MappingProxyType(small),
            names=names,
            tokenizer=tokenizer,
            notes=reader.notes,
        )

    @property
    def is_folder(self) -> bool:
        """Whether its files can be copied as they are; those of a folder can."""
        return False

    def stored(self, *components: str) -> StoredWeights:
        """Return the tensors of some components, with the component's prefix.

        Raises:
            ModelError: The file is damaged, or was replaced by another one.
        """
        file = opened(self.path)
        wanted = {name: self.names[name] for name in components}
        keys = {each.key for names in wanted.values() for each in names.values()}
        if not keys <= file.places.keys():
            raise ModelError(
                f"'{self.path}' was changed after the model was loaded from it",
                fix="restore the file, or open the model again to use the changed one",
            )
        parts = {name: ConvertedPart(file, each) for name, each in wanted.items()}
        return StoredWeights(
            {
                f"{name}.{inner}": (part, inner)
                for name, part in parts.items()
                for inner in part
            },
            self.seen,
        )


@dataclass(frozen=True)
class _ModelReader:
    """An opened file, from which the parts of its description are read."""

    path: Path
    file: TensorFile

    @cached_property
    def generation(self) -> Generation:
        """The generation whose text encoders the file has.

        Raises:
            ModelError: It has none, or lacks a network.
        """
        keys = self.file.places.keys()
        if many := too_many_blocks(keys):
            raise self._unfit(f"it has {many}")
        found = generation_of(keys)
        has_unet = any(key.startswith(_UNET) for key in keys)
        has_vae = any(key.startswith(_VAE) for key in keys)
        missing = [
            *([] if has_unet else ["no UNet"]),
            *([] if found else ["no text encoder of Stable Diffusion 1, 2 or XL"]),
            *([] if has_vae else ["no autoencoder"]),
        ]
        if missing or found is None:
            raise self._unfit(f"it has {' and '.join(missing)}")
        return found

    @cached_property
    def tensors(self) -> dict[str, DeferredTensor]:
        """The tensors by key, none of them read."""
        return DeferredTensor.of(self.file.places)

    @cached_property
    def _of_networks(self) -> dict[str, dict[str, Any]]:
        """The configurations of UNet and autoencoder."""
        try:
            unet = unet_config(self._shapes(_UNET), self.generation)
            vae = vae_config(self._shapes(_VAE), self.generation)
        except _MISSING as error:
            raise self._unfit(f"it has {_lacking(error)}") from None
        size = latent_size(
            self.generation,
            self.file.notes.get("modelspec.resolution", ""),
            velocity=self.predicts == "v_prediction",
            n_levels=len(vae["block_out_channels"]),
        )
        unet["sample_size"] = size
        if self.generation.both_predict and self.predicts == "v_prediction":
            unet["upcast_attention"] = True
        return {"unet": unet, "vae": vae}

    @cached_property
    def names(self) -> dict[str, dict[str, DeferredTensor]]:
        """The tensors of each network by diffusers' names.

        Raises:
            ModelError: A network is not one of Stable Diffusion.
        """
        encoders = ["text_encoder", "text_encoder_2"][
            : len(self.generation.activations)
        ]
        width = {"hidden_size": self._width}
        configs = {**self._of_networks, **dict.fromkeys(encoders, width)}
        tensors = cast("Mapping[str, Tensor]", self.tensors)
        try:
            found = networks_of(tensors, configs, ema=False)
        except _MISSING as error:
            raise self._unfit(f"it has {_lacking(error)}") from None
        if missing := [name for name in configs if not found.get(name)]:
            raise self._unfit(f"it has no {' and no '.join(missing)}")
        known = cast("dict[str, dict[str, DeferredTensor]]", found)
        return {
            name: {
                inner: each
                for inner, each in known[name].items()
                if not inner.endswith(_NO_WEIGHT)
            }
            for name in configs
        }

    @cached_property
    def configs(self) -> dict[str, dict[str, Any]]:
        """The configuration of each network."""
        found = dict(self._of_networks)
        for place, name in enumerate(n for n in self.names if n not in found):
            shapes = {
                inner.removeprefix("text_model."): tuple(each.shape)
                for inner, each in self.names[name].items()
            }
            try:
                found[name] = text_config(shapes, self.generation, place)
            except _MISSING as error:
                raise self._unfit(f"its {name} has {_lacking(error)}") from None
        return found

    @property
    def scheduler(self) -> dict[str, Any]:
        """The configuration of the scheduler."""
        config = scheduler_config(self.generation, self.predicts)
        if self.predicts == "v_prediction" and "ztsnr" in self.file.places:
            config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        return config

    @cached_property
    def predicts(self) -> str:
        """What the UNet predicts, by diffusers' name."""
        return self._prediction[0]

    @cached_property
    def _prediction(self) -> tuple[str, str]:
        """What the UNet predicts, and how that is known."""
        if said := predicted_by(self.file.places, self.file.notes):
            return said, "as the file says"
        if self.generation.both_predict:
            guess = seems_velocity(self.file)
            return ("v_prediction" if guess else "epsilon"), "by its last norm"
        return "epsilon", "as usual"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the file for whoever makes a ledger of it."""
        predicts, why = self._prediction
        what = f"{self.generation.title}, which predicts {predicts} ({why})"
        notes = [f"its tensors are those of a {what}; its names were converted"]
        if has_averaged(self.file.places):
            notes.append("its averaged UNet was not read")
        read = {each.key for names in self.names.values() for each in names.values()}
        return (*notes, *unread(self.file.places, read))

    @property
    def _width(self) -> int:
        """Width of the last text encoder's vectors."""
        table = f"{self.generation.mark}token_embedding.weight"
        return self.file.places[table].shape[1] if table in self.file.places else 0

    def _shapes(self, prefix: str) -> dict[str, tuple[int, ...]]:
        return {
            key.removeprefix(prefix): place.shape
            for key, place in self.file.places.items()
            if key.startswith(prefix)
        }

    def _unfit(self, what: str) -> ModelError:
        return ModelError(
            f"'{self.path}' is no whole Stable Diffusion 1, 2 or XL: {what}",
            fix="give a file with UNet, autoencoder and text encoders, or the model's "
            "diffusers folder; what was fine-tuned is audited: unlearnlog audit "
            f"{self.path.name}",
        )


def opened_base(path: Path, tokenizer: Path | None = None) -> PipelineFolder:
    """Return the description of a base: a diffusers folder or a single file.

    Args:
        path: The folder or the file.
        tokenizer: A folder with CLIP's tokenizer, for a single file; None to find one.

    Raises:
        ModelError: It is no model of a supported family.
    """
    if is_single_file(path):
        return SingleFile.open(path, tokenizer)
    return PipelineFolder.read(path)


def is_single_file(path: Path) -> bool:
    """Return whether a path is a file with a network of the first Stable Diffusion.

    Other files are refused where a folder is read, with their conversion.
    """
    place = expanded(path)
    if not place.is_file() or place.suffix.lower() != SUFFIX:
        return False
    keys = opened(place).places.keys()
    return is_single(keys) or generation_of(keys) is not None


def holds_base(path: Path, manifest: BaseManifest) -> bool:
    """Return whether a file seems to be a base, by its shapes and one digest.

    Every other digest is compared when it is loaded.
    """
    try:
        file = opened(path)
        if generation_of(file.places) is None:
            return False
        names = _ModelReader(path, file).names
    except UnlearnlogError:
        return False
    shapes = {
        f"{network}.{inner}": tuple(each.shape)
        for network, part in names.items()
        for inner, each in part.items()
    }
    if shapes != {name: record.shape for name, record in manifest.tensors.items()}:
        return False
    smallest = min(
        (name for name in shapes if name.endswith(_PROJECTION)),
        key=lambda name: math.prod(shapes[name]),
    )
    network, _, inner = smallest.partition(".")
    tensor = names[network][inner].read_from(file)
    return tensor_record(tensor) == manifest.tensors[smallest]


def _lacking(error: Exception) -> str:
    """Return what a converter did not find."""
    return f"no {error}" if isinstance(error, KeyError) else "parts of another model"


def _check_words(
    path: Path, words: ClipVocabulary, n_vectors: int, given: Path | None
) -> None:
    """Refuse a vocabulary that is not as long as the text encoder's table.

    Raises:
        ModelError: It has another length.
    """
    if len(words.numbers) != n_vectors:
        where = f"'{given}'" if given else "the one that was found for it"
        raise ModelError(
            f"the text encoder of '{path}' has {n_vectors} tokens, and the tokenizer "
            f"in {where} {len(words.numbers)}",
            fix="give the folder with the tokenizer of this model: --tokenizer FOLDER",
        )


def _index(generation: Generation, names: Mapping[str, object]) -> dict[str, Any]:
    """Return the ``model_index.json`` of the folder that the file would be."""
    kinds = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
    found: dict[str, Any] = {
        "_class_name": generation.pipeline,
        "scheduler": ["diffusers", generation.scheduler],
    }
    for name in names:
        if name in kinds:
            found[name] = ["diffusers", kinds[name]]
            continue
        pooled = "WithProjection" if name.endswith("_2") else ""
        found[name] = ["transformers", f"CLIPTextModel{pooled}"]
        words = name.replace("text_encoder", "tokenizer")
        found[words] = ["transformers", "CLIPTokenizer"]
    if "text_encoder_2" in names:
        return found | {"force_zeros_for_empty_prompt": True}
    absent = {each: [None, None] for each in ("safety_checker", "feature_extractor")}
    return found | absent | {"requires_safety_checker": False}


def _is_kind(entry: object) -> bool:
    return isinstance(entry, list) and entry[-1] is not None


def _as_bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
