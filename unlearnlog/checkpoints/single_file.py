"""A whole model in one safetensors file, as a base: read as a diffusers folder is.

The networks are those of the original Stable Diffusion code under diffusers' names. The
file has neither configurations nor tokenizers: see `ldm_configs` and `clip_vocabulary`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from unlearnlog.checkpoints.clip_vocabulary import ClipVocabulary, vocabulary_for
from unlearnlog.checkpoints.deferred_tensor import ConvertedPart, DeferredTensor
from unlearnlog.checkpoints.ldm_checkpoint import is_single
from unlearnlog.checkpoints.ldm_configs import Generation, generation_of
from unlearnlog.checkpoints.single_file_reader import SingleFileReader
from unlearnlog.core.delta import tensor_record
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError, UnlearnlogError
from unlearnlog.models.compatibility import check_fit
from unlearnlog.models.families import family_of
from unlearnlog.models.pipeline_folder import PipelineFolder
from unlearnlog.models.stored_weights import StoredWeights, opened
from unlearnlog.models.weight_file_names import SUFFIX

if TYPE_CHECKING:
    from unlearnlog.ledger.base_manifest import BaseManifest

_INDEX: Final = "model_index.json"
_PROJECTION: Final = "attn2.to_k.weight"


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
        reader = SingleFileReader(path, opened(path))
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
        names = SingleFileReader(path, file).names
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
