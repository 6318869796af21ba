"""The networks of a pipeline, loaded and frozen."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import torch

from unlearnlog.errors import ModelError
from unlearnlog.models.base_identity import KINDS, scheduler_kind
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
    from unlearnlog.models.pipeline_folder import PipelineFolder

__all__ = ["Components", "Untyped"]

_N_TRIED: Final = 5
_PREDICTIONS: Final = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class Components:
    """The components of a pipeline, frozen, on one device.

    All compute in float32 but the UNet, which computes in ``dtype``.

    Attributes:
        unet: The network that predicts noise or velocity; channels-last.
        attention: The attention processor of its layers.
        vae: The autoencoder.
        encoders: The text encoders, each with its tokenizer; the vectors of two are
            concatenated.
        scheduler: The template of schedulers; never stepped itself.
        device: The device of the networks.
        dtype: Dtype that the UNet computes in.
    """

    unet: Untyped
    attention: CachedTextAttention
    vae: Untyped
    encoders: tuple[tuple[Untyped, Untyped], ...]
    scheduler: Untyped
    device: torch.device
    dtype: torch.dtype

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
                not one of a Stable Diffusion model.
        """
        found = {
            name: built(
                folder,
                name,
                KINDS[name],
                dtype=dtype if name == "unet" else torch.float32,
                keep=re.compile(folder.family.pattern).fullmatch,
            )
            for name in folder.weighed
        }
        networks = {name: each.network for name, each in found.items()}
        attention = CachedTextAttention()
        networks["unet"].set_attn_processor(attention)
        spoken = tuple(
            (network, _tokenizer(folder, name.replace("text_encoder", "tokenizer")))
            for name, network in networks.items()
            if name.startswith("text_encoder")
        )
        for encoder, tokenizer in spoken:
            _check_vocabulary(folder, encoder, tokenizer)
        for network in networks.values():
            network.eval().requires_grad_(False).to(device)
        for name in ("unet", "vae"):
            networks[name].to(memory_format=torch.channels_last)
            if device.type == "cpu":
                quicken(networks[name])
        parts = cls(
            unet=networks["unet"],
            attention=attention,
            vae=networks["vae"],
            encoders=spoken,
            scheduler=_scheduler(folder),
            device=device,
            dtype=dtype,
        )
        return parts, _seen(found.values()), _kept(found.values())

    @property
    def is_told_guidance(self) -> bool:
        """Whether guidance is built into the UNet, which takes its scale."""
        return self.unet.config.time_cond_proj_dim is not None

    @cached_property
    def listening(self) -> dict[str, AttentionLayer]:
        """The attention layers that read the text, by name inside the UNet."""
        return {
            name: layer
            for name, layer in self.unet.named_modules()
            if name.endswith(".attn2") and is_simple(layer)
        }

    @cached_property
    def shapes(self) -> dict[str, dict[str, torch.Size]]:
        """Shape of every weight, by component and by name inside of it."""
        networks = {"unet": self.unet, "vae": self.vae}
        for i, (encoder, _) in enumerate(self.encoders, start=1):
            networks["text_encoder" if i == 1 else f"text_encoder_{i}"] = encoder
        return {
            component: {name: p.shape for name, p in network.named_parameters()}
            for component, network in networks.items()
        }

    def new_scheduler(self) -> Untyped:
        """Return a scheduler that has not stepped yet."""
        return type(self.scheduler).from_config(self.scheduler.config)


def _tokenizer(folder: PipelineFolder, component: str) -> Untyped:
    prefix = f"{component}/"
    files = {
        name.removeprefix(prefix): data
        for name, data in folder.small.items()
        if name.startswith(prefix)
    }
    return tokenizer_of(files, folder.path / component)


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
    if not hasattr(scheduler, "alphas_cumprod") or prediction not in _PREDICTIONS:
        raise ModelError(
            f"the scheduler of '{folder.path}', a {name} with prediction_type "
            f"'{prediction}', is not one of a Stable Diffusion model",
            fix="use a model that predicts 'epsilon' or 'v_prediction'",
        )
    with told_in(folder, "scheduler"):
        scheduler = kind.from_config(_updated(dict(scheduler.config)))
        _try(kind.from_config(scheduler.config))
    return scheduler


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
