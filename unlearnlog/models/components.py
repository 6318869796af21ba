"""The networks of a pipeline, loaded and frozen."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import torch

from unlearnlog.errors import ModelError
from unlearnlog.models.base_identity import scheduler_kind
from unlearnlog.models.fastcpu.fast_layers import quicken
from unlearnlog.models.network_building import BuiltNetwork, Untyped, built, told_in
from unlearnlog.models.plain_configs import cleaned, taken_by
from unlearnlog.models.stored_weights import LoadedTensors
from unlearnlog.models.text_kv_cache import (
    AttentionLayer,
    CachedTextAttention,
    is_simple,
)
from unlearnlog.models.tokenizer_files import tokenizer_of

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.model_family import ModelFamily
    from unlearnlog.models.pipeline_folder import PipelineFolder

__all__ = ["Components", "Untyped"]

_N_TRIED: Final = 5
_PREDICTIONS: Final = ("epsilon", "v_prediction")
_FLOW: Final = "flow_prediction"
_FLOW_SCHEDULERS: Final = "FlowMatch"
_ENCODER: Final = "text_encoder"


@dataclass(frozen=True)
class Components:
    """The components of a pipeline, frozen, on one device.

    The autoencoder computes in float32, and so do the text encoders of a UNet, which
    are small. Those of a transformer are as large as it is, and compute in ``dtype``
    like it, as in the stock pipeline.

    Attributes:
        family: The row of the table of families.
        network: The network that predicts noise or velocity.
        attention: The attention processor of a UNet; None for a transformer.
        vae: The autoencoder.
        speakers: The text encoders by component.
        tokenizers: The tokenizer of each text encoder, by the encoder's name.
        scheduler: The template of schedulers; never stepped itself.
        settings: The pipeline's own settings in its index.
        device: The device of the networks.
        dtype: Dtype that the network computes in.
        side: Width and height of pictures in pixels; None for the family's own.
    """

    family: ModelFamily
    network: Untyped
    attention: CachedTextAttention | None
    vae: Untyped
    speakers: Mapping[str, Untyped]
    tokenizers: Mapping[str, Untyped]
    scheduler: Untyped
    settings: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype
    side: int | None = None

    @classmethod
    def load(
        cls, folder: PipelineFolder, device: torch.device, dtype: torch.dtype
    ) -> tuple[Self, LoadedTensors, Weights]:
        """Load every component, each byte read once.

        Returns:
            The components, the records of their files, and the text projections as they
            are on disk.

        Raises:
            ModelError: A component's files do not fit each other, or its scheduler is
                not one of the family.
        """
        family, scheduler = folder.family, _scheduler(folder)
        tokenizers = {
            name: _tokenizer(folder, name.replace(_ENCODER, "tokenizer"))
            for name in folder.weighed
            if name.startswith(_ENCODER)
        }
        found = {
            name: built(
                folder,
                name,
                dtype=dtype if _is_large(family, name) else torch.float32,
                keep=re.compile(family.pattern).fullmatch,
            )
            for name in folder.weighed
        }
        networks = {name: each.network for name, each in found.items()}
        for name, tokenizer in tokenizers.items():
            _check_vocabulary(folder, networks[name], tokenizer)
        for network in networks.values():
            network.eval().requires_grad_(False).to(device)
        parts = cls(
            family=family,
            network=networks[family.network],
            attention=_quickened(networks, device) if "unet" in networks else None,
            vae=networks["vae"],
            speakers={name: networks[name] for name in tokenizers},
            tokenizers=tokenizers,
            scheduler=scheduler,
            settings=folder.settings,
            device=device,
            dtype=dtype,
        )
        return parts, _seen(found.values()), _kept(found.values())

    @property
    def encoders(self) -> tuple[tuple[Untyped, Untyped], ...]:
        """The text encoders in the order of the pipeline, each with its tokenizer."""
        return tuple((self.speakers[n], words) for n, words in self.tokenizers.items())

    def encoder(self, name: str) -> Untyped:
        """Return a text encoder by its component's name."""
        return self.speakers[name]

    def has(self, name: str) -> bool:
        """Return whether there is a text encoder of this name."""
        return name in self.speakers

    @property
    def is_told_guidance(self) -> bool:
        """Whether guidance is built into the UNet, which takes its scale."""
        return self.network.config.get("time_cond_proj_dim") is not None

    @cached_property
    def listening(self) -> dict[str, AttentionLayer]:
        """The attention layers that read the text, by name inside the UNet."""
        return {
            name: layer
            for name, layer in self.network.named_modules()
            if name.endswith(".attn2") and is_simple(layer)
        }

    @cached_property
    def shapes(self) -> dict[str, dict[str, torch.Size]]:
        """Shape of every weight, by component and by name inside of it."""
        networks = {self.family.network: self.network, "vae": self.vae, **self.speakers}
        return {
            component: {name: p.shape for name, p in network.named_parameters()}
            for component, network in networks.items()
        }

    def new_scheduler(self) -> Untyped:
        """Return a scheduler that has not stepped yet."""
        return type(self.scheduler).from_config(self.scheduler.config)


def _is_large(family: ModelFamily, component: str) -> bool:
    """Return whether a component computes in the network's dtype."""
    is_words = component.startswith(_ENCODER) and family.network != "unet"
    return component == family.network or is_words


def _quickened(
    networks: Mapping[str, Untyped], device: torch.device
) -> CachedTextAttention:
    """Return the attention processor of a UNet, in which it is put."""
    attention = CachedTextAttention()
    networks["unet"].set_attn_processor(attention)
    for name in ("unet", "vae"):
        networks[name].to(memory_format=torch.channels_last)
        if device.type == "cpu":
            quicken(networks[name])
    return attention


def _tokenizer(folder: PipelineFolder, component: str) -> Untyped:
    prefix = f"{component}/"
    files = {
        name.removeprefix(prefix): data
        for name, data in folder.small.items()
        if name.startswith(prefix)
    }
    return tokenizer_of(files, folder.path / component, folder.index[component])


def _seen(found: Iterable[BuiltNetwork]) -> LoadedTensors:
    records = {name: record for each in found for name, record in each.records.items()}
    stamps = {path: stamp for each in found for path, stamp in each.stamps.items()}
    return LoadedTensors(records, stamps)


def _kept(found: Iterable[BuiltNetwork]) -> Weights:
    kept = {name: tensor for each in found for name, tensor in each.kept.items()}
    return {name: kept[name] for name in sorted(kept)}


def _check_vocabulary(
    folder: PipelineFolder, encoder: Untyped, tokenizer: Untyped
) -> None:
    """Refuse a tokenizer with tokens that its text encoder has no vector for.

    Raises:
        ModelError: A token has no vector.
    """
    n_vectors = encoder.get_input_embeddings().num_embeddings
    numbers = tokenizer.get_vocab().values()
    if max(numbers) >= n_vectors >= len(tokenizer) or min(numbers) < 0:
        raise ModelError(
            f"a tokenizer of '{folder.path}' numbers a token {max(numbers)}, and its "
            f"text encoder has {n_vectors} vectors",
            fix="copy the tokenizer's folder there again, with all its files",
        )
    if len(tokenizer) > n_vectors:
        last = tokenizer.convert_ids_to_tokens(len(tokenizer) - 1)
        raise ModelError(
            f"a tokenizer of '{folder.path}' has {len(tokenizer)} tokens, the last is "
            f"'{last}', and its text encoder {n_vectors} vectors",
            fix="save the pipeline again after "
            "text_encoder.resize_token_embeddings(len(tokenizer))",
        )


def _scheduler(folder: PipelineFolder) -> Untyped:
    name = folder.index["scheduler"]
    kind = scheduler_kind(folder)
    file = folder.path / "scheduler" / "scheduler_config.json"
    if not folder.config("scheduler"):
        raise ModelError(
            f"the scheduler of '{folder.path}' has no {file.name}",
            fix="copy 'scheduler' there again, with all its files",
        )
    with told_in(folder, "scheduler"):
        config = cleaned(folder.config("scheduler"), taken_by(kind), file=file)
        scheduler = kind.from_config(config)
        prediction = scheduler.config.get("prediction_type", "epsilon")
    if folder.family.predicts == "velocity":
        if not (name.startswith(_FLOW_SCHEDULERS) or prediction == _FLOW):
            raise ModelError(
                f"the scheduler of '{folder.path}', a {name} with prediction_type "
                f"'{prediction}', is none of flow matching",
                fix="save the pipeline with a FlowMatchEulerDiscreteScheduler",
            )
        return scheduler
    if not hasattr(scheduler, "alphas_cumprod") or prediction not in _PREDICTIONS:
        raise ModelError(
            f"the scheduler of '{folder.path}', a {name} with prediction_type "
            f"'{prediction}', is not one of a {_kind_named(folder)}",
            fix="use a model that predicts 'epsilon' or 'v_prediction'",
        )
    with told_in(folder, "scheduler"):
        if folder.family.network == "unet":
            scheduler = kind.from_config(_updated(dict(scheduler.config)))
        _try(kind.from_config(scheduler.config))
    return scheduler


def _kind_named(folder: PipelineFolder) -> str:
    """Return the model's kind for a message."""
    family = folder.family
    return "Stable Diffusion model" if family.network == "unet" else family.title


def _try(scheduler: Untyped) -> None:
    """Step a scheduler with zeros: it reads some of its settings only then."""
    x = torch.zeros(1, 1, 1, 1)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same warnings come when it paints
        scheduler.set_timesteps(_N_TRIED)
        for t in scheduler.timesteps:
            x = scheduler.step(scheduler.scale_model_input(x, t), t, x).prev_sample


def _updated(config: dict[str, Any]) -> dict[str, Any]:
    """Update old scheduler settings as ``StableDiffusionPipeline`` does on loading."""
    if config.get("steps_offset", 1) != 1:
        config["steps_offset"] = 1
    if config.get("clip_sample") is True:
        config["clip_sample"] = False
    return config
