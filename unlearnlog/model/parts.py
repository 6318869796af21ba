"""The networks of a pipeline, loaded and frozen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)
from transformers.utils import logging

from unlearnlog.errors import ModelError
from unlearnlog.model.attention import Layer, RememberingAttention, is_simple
from unlearnlog.model.quick import quicken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unlearnlog.model.folder import PipelineFolder

_PREDICTIONS: Final = ("epsilon", "v_prediction")

Untyped: TypeAlias = Any
"""An object of diffusers or transformers; they leave most of their methods untyped."""


@dataclass(frozen=True)
class Parts:
    """The components of a pipeline, frozen, on one device.

    All compute in float32 but the UNet, which computes in ``dtype``.

    Attributes:
        unet: Predicts noise (or velocity); its convolutions are channels-last.
        attention: How each of its layers attends.
        vae: Decodes latents into pictures.
        encoders: Turn tokens into vectors, each with the tokenizer it reads; a pipeline
            with two puts their vectors side by side.
        scheduler: The pattern of the schedulers that paint; never stepped itself.
        device: Where the networks are.
        dtype: What the UNet computes in.
    """

    unet: Untyped
    attention: RememberingAttention
    vae: Untyped
    encoders: tuple[tuple[Untyped, Untyped], ...]
    scheduler: Untyped
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def load(
        cls, folder: PipelineFolder, device: torch.device, dtype: torch.dtype
    ) -> Parts:
        """Load every component.

        Raises:
            ModelError: A component's files do not fit each other, or its scheduler is
                not one of a Stable Diffusion model.
        """
        unet = _network(folder, "unet", UNet2DConditionModel, dtype)
        attention = RememberingAttention()
        unet.set_attn_processor(attention)
        vae = _network(folder, "vae", AutoencoderKL)
        encoders = [(_network(folder, "text_encoder", CLIPTextModel), "tokenizer")]
        if "text_encoder_2" in folder.family.components:
            second = _network(folder, "text_encoder_2", CLIPTextModelWithProjection)
            encoders.append((second, "tokenizer_2"))
        spoken = tuple((e, _tokenizer(folder, name)) for e, name in encoders)
        for encoder, tokenizer in spoken:
            _check_vocabulary(folder, encoder, tokenizer)
        for network in (unet, vae, *(encoder for encoder, _ in encoders)):
            network.eval().requires_grad_(False).to(device)
        for network in (unet, vae):
            network.to(memory_format=torch.channels_last)
            quicken(network)
        return cls(
            unet=unet,
            attention=attention,
            vae=vae,
            encoders=spoken,
            scheduler=_scheduler(folder),
            device=device,
            dtype=dtype,
        )

    @property
    def is_told_guidance(self) -> bool:
        """Whether guidance is built into the UNet, which is told its scale."""
        return self.unet.config.time_cond_proj_dim is not None

    @cached_property
    def listening(self) -> dict[str, Layer]:
        """The attention layers that hear the text, by name inside the UNet."""
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
        """Make a scheduler that has not stepped yet."""
        return type(self.scheduler).from_config(self.scheduler.config)


def _network(
    folder: PipelineFolder,
    component: str,
    kind: Untyped,
    dtype: torch.dtype = torch.float32,
) -> Untyped:
    with _told_in(folder, component), _no_progress_bar():
        network, report = kind.from_pretrained(
            folder.path / component,
            torch_dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"'{folder.path / component}' lacks {len(missing)} of its weights, the "
            f"first is {missing[0]}",
            fix="its config.json is another model's: copy or download both again",
        )
    return network


def _tokenizer(folder: PipelineFolder, component: str) -> Untyped:
    with _told_in(folder, component):
        return CLIPTokenizer.from_pretrained(
            folder.path / component, local_files_only=True
        )


def _check_vocabulary(
    folder: PipelineFolder, encoder: Untyped, tokenizer: Untyped
) -> None:
    """Refuse a tokenizer with tokens that its text encoder has no vector for.

    Raises:
        ModelError: It has some.
    """
    n_vectors = encoder.get_input_embeddings().num_embeddings
    if len(tokenizer) > n_vectors:
        last = tokenizer.convert_ids_to_tokens(len(tokenizer) - 1)
        raise ModelError(
            f"a tokenizer of '{folder.path}' knows {len(tokenizer)} tokens, the last "
            f"is '{last}', and its text encoder {n_vectors} vectors",
            fix="save the pipeline again after "
            "text_encoder.resize_token_embeddings(len(tokenizer))",
        )


def _scheduler(folder: PipelineFolder) -> Untyped:
    name = folder.index["scheduler"]
    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if kind is None:
        raise ModelError(
            f"the scheduler of '{folder.path}' is a {name}, which diffusers "
            f"{diffusers.__version__} does not have",
            fix="save the pipeline with a DPMSolverMultistepScheduler",
        )
    with _told_in(folder, "scheduler"):
        scheduler = kind.from_pretrained(
            folder.path / "scheduler", local_files_only=True
        )
    prediction = scheduler.config.get("prediction_type", "epsilon")
    if not hasattr(scheduler, "alphas_cumprod") or prediction not in _PREDICTIONS:
        raise ModelError(
            f"the scheduler of '{folder.path}', a {name} with prediction_type "
            f"'{prediction}', is not one of a Stable Diffusion model",
            fix="use a model that predicts 'epsilon' or 'v_prediction'",
        )
    return kind.from_config(_as_the_pipeline_reads(dict(scheduler.config)))


def _as_the_pipeline_reads(config: dict[str, Any]) -> dict[str, Any]:
    """Mend old scheduler files as ``StableDiffusionPipeline`` does when it loads."""
    if config.get("steps_offset", 1) != 1:
        config["steps_offset"] = 1
    if config.get("clip_sample") is True:
        config["clip_sample"] = False
    return config


@contextmanager
def _told_in(folder: PipelineFolder, component: str) -> Iterator[None]:
    """Turn whatever a library raises over a damaged component into one error."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"cannot load the {component} of '{folder.path}': {said}",
            fix=f"its files do not fit each other: copy '{component}' there again",
        ) from error


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar for a second's work."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
