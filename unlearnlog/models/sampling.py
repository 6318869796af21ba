"""The sampling loop of ``StableDiffusionPipeline``, for batches of pictures.

The results are those of the pipeline. Each distinct prompt is encoded once, its keys
and values are computed once, and other weights apply to one call without a change of
the model.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch.func import functional_call

from unlearnlog.models.components import Components, Untyped
from unlearnlog.models.fastcpu.batch_threads import BatchCounter, by_threads, shares_of
from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.interface import Painted, Sampling, Text
from unlearnlog.models.overrides import Overrides, computed
from unlearnlog.models.text_kv_cache import MarkedAttention, ProjectedTexts

NO_GUIDANCE: Final = 1.0
"""The guidance scale without an effect."""

_RGB_MAX: Final = 255
_N_DECODED_AT_ONCE: Final = 16  # a quarter faster than 64: it stays in the cache


@dataclass(frozen=True)
class LatentBatch:
    """A batch of pictures before it is painted.

    Attributes:
        latents: Starting noise, unit normal, float32 ``[b, c, h, w]``.
        texts: Distinct encoded prompts, the empty one first.
        rows: Row of ``texts`` for each picture, int64 ``[b]``.
        generators: One for each picture, used by schedulers that add noise as they go.
    """

    latents: torch.Tensor
    texts: Text
    rows: torch.Tensor
    generators: list[torch.Generator]

    def __getitem__(self, share: slice) -> LatentBatch:
        """Return some of the pictures."""
        return LatentBatch(
            self.latents[share],
            self.texts,
            self.rows[share],
            self.generators[share],
        )


def generator(prompt: str, seed: int, *, use: str) -> torch.Generator:
    """Return a random generator that depends only on the prompt, the seed and the use.

    Args:
        prompt: Any text.
        seed: Any integer.
        use: The use of the noise; different uses have different noise.
    """
    key = hashlib.sha256(f"{use}:{seed}:{prompt}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))


def painted(
    parts: Components,
    canvas: LatentBatch,
    *,
    sampling: Sampling,
    held: Overrides,
    tell: Callable[[float], None],
) -> Painted:
    """Return a batch denoised and decoded, in several threads where that is faster.

    Overrides that are put into a network would affect all threads, so then there is
    one thread.

    Args:
        parts: The model.
        canvas: The batch to paint.
        sampling: Steps and guidance.
        held: Weights that replace the model's own.
        tell: Callback after each step, with the share of the work done, in ``(0, 1]``.
    """
    whole = slice(0, len(canvas.latents))
    put_in = held.vae or held.network.keys() - heard_by(parts)
    shares = [whole] if put_in else shares_of(whole.stop, parts.device)
    counter = BatchCounter(shares, tell)

    @torch.inference_mode()
    def act(share: slice) -> Painted:
        latents = denoised(
            parts,
            canvas[share],
            sampling=sampling,
            held=held.network,
            tell=counter.of(share),
        )
        return Painted(latents.cpu(), decoded(parts, latents, held.vae))

    made = by_threads(act, shares)
    with torch.inference_mode():
        return Painted(
            torch.cat([each.latents for each in made]),
            torch.cat([each.pictures for each in made]),
        )


def denoised(
    parts: Components,
    canvas: LatentBatch,
    *,
    sampling: Sampling,
    held: Mapping[str, torch.Tensor],
    tell: Callable[[float], None],
) -> torch.Tensor:
    """Return the final latents of a batch, ``[b, c, h, w]``.

    Args:
        parts: The model.
        canvas: The batch to paint.
        sampling: Steps and guidance.
        held: Weights of the UNet that replace its own, by name inside the UNet.
        tell: Callback after each step, with the share of the work done, in ``(0, 1]``.

    Raises:
        ModelError: The UNet's result is not finite in its dtype.
    """
    scheduler = parts.new_scheduler()
    scheduler.set_timesteps(sampling.steps, device=parts.device)
    step = step_of(scheduler, canvas.generators)
    guided = sampling.guidance > 1 and not parts.is_told_guidance
    rows = canvas.rows
    if guided:
        rows = torch.cat([torch.zeros_like(rows), rows])  # the empty prompt is row 0
    predict = predictor(
        parts, Conditioning(canvas.texts, rows, sampling.guidance), held
    )
    latents: torch.Tensor = canvas.latents * scheduler.init_noise_sigma
    n_steps = len(scheduler.timesteps)
    for done, t in enumerate(scheduler.timesteps, start=1):
        x_t = torch.cat([latents, latents]) if guided else latents
        x_t = scheduler.scale_model_input(x_t, t)
        predicted = predict(x_t, t)
        if done in (1, n_steps):  # NaN and infinity persist until the last step
            check_finite(predicted, "UNet", parts.dtype, [canvas.texts.tokens])
        if guided:
            without, with_text = predicted.chunk(2)
            predicted = without + sampling.guidance * (with_text - without)
        latents = step(predicted, t, latents)
        tell(done / n_steps)
    return latents


@dataclass(frozen=True)
class Conditioning:
    """The conditioning of a UNet beside latents and timesteps.

    Attributes:
        texts: Distinct encoded prompts.
        rows: Row of ``texts`` for each latent, int64 ``[b]``.
        guidance: The guidance scale, for a UNet with built-in guidance; 1 for none.
        projected: Their keys and values; None to compute them.
    """

    texts: Text
    rows: torch.Tensor
    guidance: float = NO_GUIDANCE
    projected: ProjectedTexts | None = None


def predictor(
    parts: Components,
    told: Conditioning,
    held: Mapping[str, torch.Tensor],
    marked: MarkedAttention | None = None,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a function of latents and timesteps to the UNet's float32 prediction.

    Args:
        parts: The model.
        told: The conditioning.
        held: Weights of the UNet that replace its own, by name inside the UNet.
        marked: Receiver of the attention to marked tokens.
    """
    held = {name: weight.to(parts.dtype) for name, weight in held.items()}
    projected = told.projected or projected_texts(parts, told.texts, held)
    memory = projected.taken(told.rows)
    projections = heard_by(parts)
    others = {name: weight for name, weight in held.items() if name not in projections}
    text = told.texts[told.rows.cpu()]
    options = conditions(parts, text, dtype=parts.dtype, guidance=told.guidance)
    options["cross_attention_kwargs"] = {"memory": memory, "marked": marked}

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        x_t = x_t.to(parts.dtype, memory_format=torch.channels_last)
        predicted: torch.Tensor
        if others:
            (predicted,) = functional_call(parts.network, others, (x_t, t), options)
        else:
            (predicted,) = parts.network(x_t, t, **options)
        return predicted.float()

    return predict


def projected_texts(
    parts: Components, texts: Text, held: Mapping[str, torch.Tensor]
) -> ProjectedTexts:
    """Return the keys and values of distinct encoded prompts; see `predictor`."""
    held = {name: weight.to(parts.dtype) for name, weight in held.items()}
    tokens = texts.tokens.to(parts.device, parts.dtype)
    return ProjectedTexts.of(parts.listening, tokens, held)


def heard_by(parts: Components) -> frozenset[str]:
    """Return the names inside the UNet of its text projections."""
    return frozenset(
        f"{name}.{projection}.weight"
        for name in parts.listening
        for projection in ("to_k", "to_v")
    )


def conditions(
    parts: Components, text: Text, *, dtype: torch.dtype, guidance: float = NO_GUIDANCE
) -> dict[str, Untyped]:
    """Return the UNet's arguments beside latents and timesteps, by diffusers' names.

    Args:
        parts: The model.
        text: Encoded prompts, one a latent.
        dtype: Dtype that the UNet computes in.
        guidance: The guidance scale, for a UNet with built-in guidance.
    """
    options: dict[str, Untyped] = {
        "encoder_hidden_states": text.tokens.to(parts.device, dtype),
        "return_dict": False,
    }
    if text.pooled is not None:
        pooled = text.pooled.to(parts.device, dtype)
        size = _size_of(parts).to(pooled).expand(len(text), -1)
        options["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": size}
    if parts.is_told_guidance:
        scale = guidance_embedding(guidance, parts.network.config.time_cond_proj_dim)
        scale = scale.to(parts.device, dtype)
        options["timestep_cond"] = scale.expand(len(text), -1)
    return options


def guidance_embedding(guidance: float, width: int) -> torch.Tensor:
    """Return the embedding of a scale for built-in guidance, ``[1, width]``.

    Sines and cosines of 1000 (scale - 1), as timesteps are embedded.

    Source:
        Meng et al., "On Distillation of Guided Diffusion Models", 2022,
        https://arxiv.org/abs/2210.03142; the frequencies are those of diffusers'
        ``get_guidance_scale_embedding``.
    """
    half = width // 2
    fall = torch.log(torch.tensor(10_000.0)) / (half - 1)
    frequencies = torch.exp(torch.arange(half).float() * -fall)
    angles = 1000.0 * torch.tensor(guidance - NO_GUIDANCE) * frequencies
    waves = torch.cat([angles.sin(), angles.cos()])
    return torch.nn.functional.pad(waves, (0, width - len(waves)))[None]


def _size_of(parts: Components) -> torch.Tensor:
    """Return an SDXL's size conditioning of an uncropped picture, ``[1, 6]``."""
    side = parts.network.config.sample_size
    enlarged = 2 ** (len(parts.vae.config.block_out_channels) - 1)
    height, width = (side, side) if isinstance(side, int) else side
    height, width = height * enlarged, width * enlarged
    return torch.tensor([[height, width, 0, 0, height, width]], device=parts.device)


def decoded(
    parts: Components, latents: torch.Tensor, held: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Return uint8 pictures ``[b, height, width, 3]`` of latents ``[b, c, h, w]``.

    Args:
        parts: The model.
        latents: Latents on the UNet's scale.
        held: Weights of the autoencoder that replace its own.
    """
    scaled = latents / parts.vae.config.scaling_factor
    some = scaled.split(_N_DECODED_AT_ONCE)
    return torch.cat([_decoded_at_once(parts, each, held) for each in some])


def encoded(
    parts: Components, pictures: torch.Tensor, held: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Return latents ``[n, c, h, w]`` of uint8 pictures ``[n, height, width, 3]``.

    They are the mean of the autoencoder's distribution, without random numbers.

    Args:
        parts: The model.
        pictures: RGB, in ``[0, 255]``.
        held: Weights of the autoencoder that replace its own.
    """
    own = {f"vae.{name}": weight for name, weight in held.items()}
    found = []
    for some in pictures.split(_N_DECODED_AT_ONCE):
        colours = some.to(parts.device).permute(0, 3, 1, 2).float() / _RGB_MAX * 2 - 1
        colours = colours.contiguous(memory_format=torch.channels_last)
        means = computed(_Encoding(parts.vae), own, (colours,), {})
        check_finite(means, "autoencoder", means.dtype)
        found.append(means * parts.vae.config.scaling_factor)
    return torch.cat(found).cpu().contiguous()


def _decoded_at_once(
    parts: Components, scaled: torch.Tensor, held: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    scaled = scaled.contiguous(memory_format=torch.channels_last)
    own = {f"vae.{name}": weight for name, weight in held.items()}
    colours = computed(_Decoding(parts.vae), own, (scaled,), {})
    check_finite(colours, "autoencoder", colours.dtype, [scaled])
    shares = (colours * 0.5 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    pictures: torch.Tensor = (shares * _RGB_MAX).round().to(torch.uint8)
    return pictures.cpu().contiguous()


class _Decoding(torch.nn.Module):
    """An autoencoder that decodes when it is called."""

    def __init__(self, vae: Untyped) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, scaled: torch.Tensor) -> torch.Tensor:
        """Return colours in ``[-1, 1]``, ``[b, 3, height, width]``."""
        colours: torch.Tensor = self.vae.decode(scaled, return_dict=False)[0]
        return colours


class _Encoding(torch.nn.Module):
    """An autoencoder that encodes when it is called."""

    def __init__(self, vae: Untyped) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, colours: torch.Tensor) -> torch.Tensor:
        """Return the mean of the latents, ``[b, c, h, w]``."""
        means: torch.Tensor = self.vae.encode(colours).latent_dist.mean
        return means


def step_of(
    scheduler: Untyped, generators: list[torch.Generator]
) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a scheduler's step, with its noise generators where it takes any."""
    takes_noise = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": generators} if takes_noise else {}

    def step(
        predicted: torch.Tensor, t: torch.Tensor, latents: torch.Tensor
    ) -> torch.Tensor:
        moved: torch.Tensor = scheduler.step(
            predicted, t, latents, return_dict=False, **extra
        )[0]
        return moved

    return step
