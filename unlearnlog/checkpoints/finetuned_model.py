"""Fine-tuned models, as weights that replace the base's.

A fine-tuned folder, a file or a LoRA is read as tensors by full name, which the model
takes as overrides.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.adapters.adapter_reading import (
    AdaptedModel,
    changes_of,
    whole,
)
from unlearnlog.checkpoints.added_tokens import (
    Added,
    added_tokens,
    is_table,
    nameless,
    old_rows,
    tokenizers_beside,
)
from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles
from unlearnlog.checkpoints.checkpoint_keys import fitted, full_name, is_no_weight
from unlearnlog.checkpoints.config_diff import unlike_network, unlike_noise
from unlearnlog.checkpoints.embedding_files import embedding_in
from unlearnlog.checkpoints.file_kinds import listed, resembling
from unlearnlog.checkpoints.float8_weights import dequantized
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.locating import brought
from unlearnlog.checkpoints.swapped_vae import VAE, parted, without_odd_vae
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import Digest, TensorRecord
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError, WrongBase
from unlearnlog.models.foreign_file import SafetensorsFile, checked, same_numbers, shown
from unlearnlog.models.overrides import older
from unlearnlog.models.pipeline_folder import json_of

if TYPE_CHECKING:
    from unlearnlog.models.diffusers_model import DiffusersModel

FARTHEST: Final = 0.5
"""Norm of a change, as a share of the weights' norm, above which it is another model.

Fine-tunes move a network by some hundredths; two networks from different seeds are 1.4
apart.
"""


@dataclass(frozen=True, eq=False)
class FinetunedModel:
    """A model that was fine-tuned from a state.

    Attributes:
        path: Path of the folder or file.
        form: ``pipeline``, ``component``, ``lora`` or ``embedding``.
        sha256: Digest of the files that were read.
        weights: Every tensor that differs from the base's, by full name, and all text
            projections of the state with its changes.
        moved: Change of each component from the state: the norm of the change as a
            share of the norm of the weights.
        n_tensors: Number of tensors that were read.
        notes: Remarks on the files, for the report.
        is_plain: Whether diffusers loads exactly these weights from the path.
        tokens: Vectors of each added token, by its name in prompts.
        own_vae: Tensors of a swapped autoencoder; they are not among ``weights``.
    """

    path: Path
    form: str
    sha256: Digest
    weights: Weights
    moved: Mapping[str, float]
    n_tensors: int
    notes: tuple[str, ...] = ()
    is_plain: bool = False
    tokens: Added = field(default_factory=dict)
    own_vae: Weights = field(default_factory=dict)

    @property
    def whole(self) -> Weights:
        """Every tensor that differs from the base's, those of its autoencoder too."""
        return {**self.weights, **self.own_vae}


@dataclass(frozen=True)
class FinetuneBase:
    """The state that a model was fine-tuned from.

    Attributes:
        model: The base.
        projections: Every text projection of the state, by full name.
    """

    model: DiffusersModel
    projections: Weights

    @cached_property
    def stored(self) -> Weights:
        """The base's tensors, each read on access."""
        return self.model.folder.stored(*self.model.folder.weighed)

    @property
    def records(self) -> Mapping[str, TensorRecord]:
        """Dtype, shape and digest of the base's tensors."""
        return self.model.manifest.tensors

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of every tensor that is a weight."""
        return {
            name: torch.Size(record.shape)
            for name, record in self.records.items()
            if not is_no_weight(name)
        }

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return a tensor of the state, in the base's dtype on disk."""
        projection = self.projections.get(name)
        return self.stored[name] if projection is None else projection


def derived(path: Path, state: FinetuneBase, *, ema: bool = False) -> FinetunedModel:
    """Load a model that was fine-tuned from a state.

    Args:
        path: A pipeline's folder, a trainer's checkpoint, a component's folder, a
            safetensors file of whole tensors, with names of diffusers or of the
            original format, a LoRA, or a file of textual inversion.
        state: The state that it was fine-tuned from.
        ema: Whether to read the averaged copy that trainers keep beside the weights.

    Raises:
        ModelError: It cannot be read, or does not have this model's shapes.
        DeltaError: It is a LoRA of another model, or has numbers that are not valid.
        WrongBase: It has the shapes, but was not fine-tuned from this model.
    """
    found = brought(path, state.model.folder, ema=ema)
    tokens: Added = {}
    if found.form == "lora":
        new, n_tensors = _products(found, state), len(_factors(found))
        found = replace(found, notes=(*found.notes, *_meant_for(found, state)))
    elif found.form == "embedding":
        new, tokens = {}, _learned(found, state)
        n_tensors = len(tokens) * len(state.model.folder.text_widths)
    else:
        ours = state.model.folder.config(VAE)
        found = without_odd_vae(found, state.shapes, ours, state.stored)
        _check_configs(path, found, state.model)
        new, n_tensors, grown = _whole(path, found, state)
        tokens = _tokens(path, found, grown, state)
    found = replace(found, notes=(*found.notes, *_named(tokens)))
    moved = _distances(new, state)
    if not _is_of_the_base(found, state):
        _check_descends(path, {n: each for n, each in moved.items() if n != VAE})
    new, own_vae, more = parted(new, moved, FARTHEST)
    return FinetunedModel(
        path=path,
        form=found.form,
        sha256=found.sha256,
        weights={**state.projections, **new},
        moved=moved,
        n_tensors=n_tensors,
        notes=(*found.notes, *more),
        is_plain=found.is_plain and _loads(found) and _named_plainly(found, state),
        tokens=tokens,
        own_vae=own_vae,
    )


def _products(found: CheckpointFiles, state: FinetuneBase) -> dict[str, torch.Tensor]:
    """Return the weights that a LoRA changes, float32.

    A file of `unlearnlog export` is a change of the base and not of a state: it is
    applied to the base, and all other weights are the base's.
    """
    own = _is_of_the_base(found, state)
    start: Weights = state.model.base if own else {}

    def before(name: str) -> torch.Tensor:
        return start[name] if name in start else state[name]

    model = AdaptedModel(
        {n: shape for n, shape in state.shapes.items() if not n.startswith("vae.")},
        before,
        scale=found.adapter.scale,
        settings=found.adapter.settings,
        fusing=Fusing.of(state.model.folder.family.name, state.records),
    )
    made = {
        name: before(name).float() + whole(change, state.shapes[name])
        for name, change in changes_of(_factors(found), model).items()
    }
    return {**{name: weight.float() for name, weight in start.items()}, **made}


def _is_of_the_base(found: CheckpointFiles, state: FinetuneBase) -> bool:
    """Return whether the files are an export of `unlearnlog` for this base."""
    return found.adapter.made_for == state.model.manifest.root


def _meant_for(found: CheckpointFiles, state: FinetuneBase) -> tuple[str, ...]:
    if not _is_of_the_base(found, state):
        return ()
    return ("unlearnlog exported it for this base: it was applied to the base",)


def _loads(found: CheckpointFiles) -> bool:
    """Return whether each component has the configuration that diffusers needs."""
    return all((path / "config.json").is_file() for path in found.folders.values())


def _factors(found: CheckpointFiles) -> dict[str, torch.Tensor]:
    """Return a LoRA's tensors by key, with the component where it is known."""
    return {
        f"{component}.{key}" if component else key: tensor
        for component, key, tensor in _tensors(found)
    }


def _whole(
    path: Path, found: CheckpointFiles, state: FinetuneBase
) -> tuple[dict[str, torch.Tensor], int, dict[str, torch.Tensor]]:
    """Return the tensors that differ from the state's, float32, and the number of all.

    Last come tables of tokens with more rows than the state's, by text encoder; the
    first rows of them are compared with the state's.
    """
    new: dict[str, torch.Tensor] = {}
    grown: dict[str, torch.Tensor] = {}
    keys: dict[str, str] = {}
    unknown: list[str] = []
    for component, key, tensor in _tensors(found):
        name = full_name(key, component, state.shapes)
        if name is None:
            unknown += [] if is_no_weight(key) else [key]
            continue
        if name in keys:
            raise _unlike(path, f"{shown(key)} and {shown(keys[name])} are the same")
        keys[name] = key
        fits = fitted(tensor, state.shapes[name])
        if is_table(name) and (old := old_rows(tensor, state.shapes[name])) is not None:
            fits, grown[name.partition(".")[0]] = old, checked(key, tensor)
        if fits is None:
            shapes = f"{list(tensor.shape)}, the base's is {list(state.shapes[name])}"
            raise _unlike(path, f"{shown(key)} is {shapes}")
        if not _same(fits, state[name]):
            new[name] = checked(key, fits)
    _check_complete(path, keys, unknown, state)
    return new, len(keys), grown


def _learned(found: CheckpointFiles, state: FinetuneBase) -> Added:
    """Return the tokens of a file of textual inversion, float32."""
    ((file,),) = found.files.values()
    assert isinstance(file, SafetensorsFile)
    tensors = {key: checked(key, tensor) for key, tensor in file.items()}
    return embedding_in(tensors, file.path.stem, state.model.folder.text_widths)


def _tokens(
    path: Path,
    found: CheckpointFiles,
    grown: Mapping[str, torch.Tensor],
    state: FinetuneBase,
) -> Added:
    """Return the tokens that were added to the state's, with their vectors."""
    theirs = tokenizers_beside(found.folders, state.model.folder.index)
    own = {name.partition(".")[0]: name for name in state.shapes if is_table(name)}
    for component, table in grown.items():
        if component not in theirs:
            raise nameless(path, len(table) - state.shapes[own[component]][0])
    if not theirs:
        return {}
    ours = state.model.tokenizers
    tables = {
        component: grown[component] if component in grown else state[name]
        for component, name in own.items()
    }
    return added_tokens(path, ours, {**ours, **theirs}, tables)


def _named(tokens: Added) -> tuple[str, ...]:
    """Return a note on added tokens, if there are any."""
    if not tokens:
        return ()
    names = ", ".join(
        f"'{token}'" + (f" ({len(vectors[0])} vectors)" if len(vectors[0]) > 1 else "")
        for token, vectors in tokens.items()
    )
    return (f"tokens were added that the base does not have: {names}",)


def _named_plainly(found: CheckpointFiles, state: FinetuneBase) -> bool:
    """Return whether every tensor has the model's name for it, or that of diffusers."""
    return all(
        f"{component}.{key}" in state.shapes
        or f"{component}.{older(key)}" in state.shapes
        or is_no_weight(key)
        for component, files in found.files.items()
        for file in files
        for key in file
    )


def _tensors(found: CheckpointFiles) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Yield component, key and tensor of all files."""
    for component, files in found.files.items():
        for file in map(dequantized, files):
            for key in file:
                yield component, key, file[key]


def _check_complete(
    path: Path, keys: Mapping[str, str], unknown: Sequence[str], state: FinetuneBase
) -> None:
    """Refuse a component with missing or unknown tensors."""
    if unknown:
        like = "" if keys else resembling(unknown)
        what = f"{len(unknown)} of its tensors are none of the base's"
        raise _unlike(path, f"{what}: {listed(unknown)}{like and f'; this is {like}'}")
    owners = {name.partition(".")[0] for name in keys}
    missing = [
        name
        for name in state.shapes
        if name.partition(".")[0] in owners and name not in keys
    ]
    if missing or not keys:
        n = sum(name.partition(".")[0] in owners for name in state.shapes)
        what = f"{len(missing)} of {n} tensors are missing: {listed(missing)}"
        if not keys:
            what = "no tensor in it is the base's"
        raise _unlike(path, what)


def _same(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """Return whether a tensor equals the state's, rounded to the narrower dtype."""
    if own.element_size() < tensor.element_size():
        return torch.equal(tensor.to(own.dtype), own) or same_numbers(tensor, own)
    return same_numbers(tensor, own)


def _distances(new: Weights, state: FinetuneBase) -> dict[str, float]:
    """Return each component's change as a share of the norm of all its weights."""
    squares: dict[str, float] = defaultdict(float)
    for name, tensor in new.items():
        change = tensor.double() - state[name].double()
        squares[name.partition(".")[0]] += float(change.square().sum())
    return {
        component: math.sqrt(square / max(_square(component, state), 1e-300))
        for component, square in sorted(squares.items())
    }


def _square(component: str, state: FinetuneBase) -> float:
    """Return the squared norm of all weights of a component."""
    own = (name for name in state.shapes if name.partition(".")[0] == component)
    return sum(float(state[name].double().square().sum()) for name in own)


def _check_descends(path: Path, moved: Mapping[str, float]) -> None:
    far = {name: share for name, share in moved.items() if not share <= FARTHEST}
    if far:
        shares = ", ".join(f"its {name} is {share:.2f}" for name, share in far.items())
        raise WrongBase(
            f"'{path}' was not made of this model: {shares} of the weights' own norm "
            f"away; a fine-tune is below {FARTHEST:g}",
            fix="audit it with the ledger of the model that it was made of",
        )


def _check_configs(path: Path, found: CheckpointFiles, model: DiffusersModel) -> None:
    """Refuse a model with settings that change the pictures of equal weights."""
    if found.predicts and found.predicts != model.predicts:
        raise _unlike(
            path, f"it predicts '{found.predicts}', the base '{model.predicts}'"
        )
    ours = {**model.folder.configs, "scheduler": model.folder.scheduler}
    scheduler = expanded(path) / "scheduler"
    for name, folder in {**found.folders, "scheduler": scheduler}.items():
        of_noise = name == "scheduler"
        config = folder / ("scheduler_config.json" if of_noise else "config.json")
        if config.is_file():
            compared = unlike_noise if of_noise else unlike_network
            if differs := compared(json_of(config), ours.get(name, {})):
                raise ModelError(
                    f"'{path}' is not of the ledger's model: in its {name}'s "
                    f"{config.name} {differs}",
                    fix="audit it with a ledger of a model that is built like it; if "
                    "it makes no difference, remove that file",
                )


def _unlike(path: Path, what: str) -> ModelError:
    return ModelError(
        f"'{path}' is not of the ledger's model: {what}",
        fix="give a complete fine-tune of this model: a folder that holds all of its "
        "denoising network, or a LoRA",
    )
