"""The network of a Stable Diffusion 1, 2 or XL, with its fast paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.backbone import Backbone, of_signal, signal_of
from unlearnlog.models.encoding import Encoders
from unlearnlog.models.fastcpu.batch_threads import by_threads, shares_of
from unlearnlog.models.fastcpu.switch import said_of_it
from unlearnlog.models.prompt_dedup import told_apart
from unlearnlog.models.sampling import (
    Conditioning,
    conditions,
    encoded,
    heard_by,
    painted,
    predictor,
    projected_texts,
)
from unlearnlog.models.text_kv_cache import MarkedAttention, n_projected

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.interface import Painted, Place, PromptRows, Sampling, Text
    from unlearnlog.models.overrides import Overrides
    from unlearnlog.models.sampling import LatentBatch
    from unlearnlog.models.text_kv_cache import ProjectedTexts

_MOST_PROJECTED: Final = 2**26
"""Numbers of keys and values of shared prompts that are kept; more are not."""


@final
class UnetBackbone(Backbone):
    """A UNet, whose keys and values of the text are computed once a picture."""

    def __init__(self, parts: Components, *, empty_is_zero: bool) -> None:
        """Keep the components, and whether the empty prompt is encoded as zeros."""
        super().__init__(parts)
        self.encoders = Encoders(parts, empty_is_zero=empty_is_zero)

    @cached_property
    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Shares of latent and noise at each trained timestep, float64 ``[T]``."""
        return of_signal(self.parts.scheduler)

    @property
    def log_snr(self) -> torch.Tensor:
        """Log of signal power over noise power at each timestep, float32 ``[T]``."""
        return torch.logit(signal_of(self.parts.scheduler)).float().cpu()

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        config = self.parts.network.config
        size = config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        return int(config.in_channels), int(height), int(width)

    @property
    def enlarged(self) -> int:
        """Number of pixels that one latent is wide."""
        return int(2 ** (len(self.parts.vae.config.block_out_channels) - 1))

    @property
    def d_text(self) -> int:
        """Width of one encoded token."""
        return int(self.parts.network.config.cross_attention_dim)

    @property
    def marks(self) -> str:
        """Words for a cache key: what changes the last bits of a prediction."""
        several = " several" if self.encoders.knows_several else ""
        told = " guidance" if self.parts.is_told_guidance else ""
        fast = said_of_it() if self.parts.device.type == "cpu" else ""
        return f"{several}{told}{fast}"

    def predicted(
        self, x_t: torch.Tensor, t: torch.Tensor, text: Text, held: Overrides
    ) -> torch.Tensor:
        """Return the network's prediction for latents at timesteps, float32."""
        read = self._conditioning(text, held)
        others = held.network.keys() - heard_by(self.parts)
        if torch.is_grad_enabled() or others:
            return predictor(self.parts, read, held.network)(x_t, t)

        @torch.inference_mode()
        def act(share: slice) -> torch.Tensor:
            some = replace(read, rows=read.rows[share])
            at = t[share] if t.dim() else t
            return predictor(self.parts, some, held.network)(x_t[share], at)

        return torch.cat(by_threads(act, shares_of(len(x_t), self.parts.device)))

    def _conditioning(self, text: Text, held: Overrides) -> Conditioning:
        """Return the distinct prompts; of shared ones the keys and values, once."""
        layers = self.parts.listening.values()
        device, of_shared = self.parts.device, text.taken_from
        if of_shared is None or torch.is_grad_enabled():
            distinct, rows = told_apart(text)
            return Conditioning(distinct, rows.to(device))
        shared, rows = of_shared
        if n_projected(layers, shared.tokens) > _MOST_PROJECTED:
            distinct, rows = told_apart(replace(text, taken_from=None))
            return Conditioning(distinct, rows.to(device))

        @torch.inference_mode()
        def project() -> ProjectedTexts:
            return projected_texts(self.parts, shared, held.network)

        projected = shared.computed(held.source, project)
        return Conditioning(shared, rows.to(device), projected=projected)

    def predicted_by(
        self, network: Untyped, x_t: torch.Tensor, t: torch.Tensor, text: Text
    ) -> torch.Tensor:
        """Return the prediction of a float32 copy of the network."""
        options = conditions(self.parts, text, dtype=torch.float32)
        predicted: torch.Tensor
        (predicted,) = network(x_t, t, **options)
        return predicted

    def tokenized(self, prompt: str) -> PromptRows | None:
        """Return None: CLIP's text has marks and padding at known places."""
        del prompt
        return None

    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return the tokens, which every matrix of the text reads."""
        del place
        return text.tokens

    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        marks: torch.Tensor,
        held: Overrides,
    ) -> Mapping[str, torch.Tensor]:
        """Return the attention to marked tokens, by the layer's full name."""
        device = self.parts.device
        marked = MarkedAttention(marks.to(device))
        rows = torch.arange(len(text), device=device)
        told = Conditioning(text, rows)
        predictor(self.parts, told, held.network, marked)(x_t, t)
        layers = self.parts.listening
        return {f"unet.{name}": marked.found[each] for name, each in layers.items()}

    def painted(
        self,
        canvas: LatentBatch,
        *,
        sampling: Sampling,
        held: Overrides,
        tell: Callable[[float], None],
    ) -> Painted:
        """Return a batch denoised and decoded."""
        return painted(self.parts, canvas, sampling=sampling, held=held, tell=tell)

    def encoded(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of uint8 pictures ``[n, height, width, 3]``."""
        return encoded(self.parts, pictures, {})

    def save_memory(self) -> bool:
        """Compute with less memory from now on; return whether there was a way.

        The first call turns on gradient checkpointing; the second computes attention
        for one picture after another.
        """
        network, attention = self.parts.network, self.parts.attention
        if not network.is_gradient_checkpointing:
            network.enable_gradient_checkpointing()
            return True
        if attention is None or attention.one_by_one:
            return False
        attention.one_by_one = True
        return True
