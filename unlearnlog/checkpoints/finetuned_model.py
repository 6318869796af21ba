"""Fine-tuned models, as weights that replace the base's.

A fine-tuned folder, a file or a LoRA is read as tensors by full name, which the model
takes as overrides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from unlearnlog.checkpoints.embedding_files import embedding_in
from unlearnlog.checkpoints.finetune_base import (
    FARTHEST,
    FinetuneBase,
    check_complete,
    check_configs,
    check_descends,
    distances,
    unlike,
)
from unlearnlog.checkpoints.float8_weights import dequantized
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.locating import brought
from unlearnlog.checkpoints.swapped_vae import VAE, parted, without_odd_vae
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import Digest
from unlearnlog.models.foreign_file import SafetensorsFile, checked, same_numbers, shown
from unlearnlog.models.overrides import older


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
        check_configs(path, found, state.model)
        new, n_tensors, grown = _whole(path, found, state)
        tokens = _tokens(path, found, grown, state)
    found = replace(found, notes=(*found.notes, *_named(tokens)))
    moved = distances(new, state)
    if not _is_of_the_base(found, state):
        check_descends(path, {n: each for n, each in moved.items() if n != VAE})
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
            raise unlike(path, f"{shown(key)} and {shown(keys[name])} are the same")
        keys[name] = key
        fits = fitted(tensor, state.shapes[name])
        if is_table(name) and (old := old_rows(tensor, state.shapes[name])) is not None:
            fits, grown[name.partition(".")[0]] = old, checked(key, tensor)
        if fits is None:
            shapes = f"{list(tensor.shape)}, the base's is {list(state.shapes[name])}"
            raise unlike(path, f"{shown(key)} is {shapes}")
        if not _same(fits, state[name]):
            new[name] = checked(key, fits)
    check_complete(path, keys, unknown, state)
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


def _same(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """Return whether a tensor equals the state's, rounded to the narrower dtype."""
    if own.element_size() < tensor.element_size():
        return torch.equal(tensor.to(own.dtype), own) or same_numbers(tensor, own)
    return same_numbers(tensor, own)
