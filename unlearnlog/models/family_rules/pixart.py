"""PixArt-Alpha and PixArt-Sigma: cross-attention to a masked T5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.noise_rules import NoiseRules
from unlearnlog.models.family_rules.prompt_spans import carried
from unlearnlog.models.family_rules.stock_encoding import is_cleaned, stock_encoder
from unlearnlog.models.family_rules.token_rows import n_tokens, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_ENCODER: Final = "text_encoder"
_TOLD_SIDE: Final = 128
"""Side of the latents of the PixArt-Alpha that is told the size of a picture."""


@final
@dataclass(frozen=True)
class PixArtRules(NoiseRules):
    """The rules of ``PixArtAlphaPipeline`` and ``PixArtSigmaPipeline``.

    A prompt has as many rows as tokens: T5 and the cross-attention read the padding of
    neither. Prompts are in lower case, and cleaned where the libraries that the
    pipeline cleans them with are installed.

    Attributes:
        pipeline: The pipeline class.
        n_read: Tokens that are read at most.
        is_told_size: Whether the network is told the size of a picture.
    """

    pipeline: str
    n_read: int
    is_told_size: bool

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        n, most = self.length(parts, prompt)
        rows, mask, _, _ = stock_encoder(self.pipeline, parts, run).encode_prompt(
            prompt,
            do_classifier_free_guidance=False,
            device=parts.device,
            clean_caption=is_cleaned(),
            max_sequence_length=min(n, most),
        )
        return Text(rows.float().cpu(), mask=mask.bool().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        n, most = self.length(parts, prompt)
        read = self._read(parts, prompt)
        found = spans(parts.tokenizers[_ENCODER], read, min(n, most))
        return carried(found, read, prompt)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        read = self._read(parts, prompt)
        return n_tokens(parts.tokenizers[_ENCODER], read), self.n_read

    def predict(
        self,
        parts: Parts,
        network: Untyped,
        x: torch.Tensor,
        t: torch.Tensor,
        *,
        text: Text,
        guidance: float,
    ) -> torch.Tensor:
        """Return the noise, float32 ``[b, c, h, w]``; differentiable."""
        del guidance
        found: torch.Tensor = network(
            x.to(parts.device, parts.dtype),
            encoder_hidden_states=text.tokens.to(parts.device, parts.dtype),
            encoder_attention_mask=None
            if text.mask is None
            else text.mask.to(parts.device),
            timestep=t.to(parts.device).expand(len(x)),
            added_cond_kwargs=self._size(parts, x),
            return_dict=False,
        )[0]
        return found[:, : x.shape[1]].float()

    def read_by_attention(
        self, parts: Parts, network: Untyped, text: Text
    ) -> torch.Tensor:
        """Return what keys and values are computed from, ``[n, length, d]``."""
        tokens = text.tokens.to(parts.device, parts.dtype)
        read: torch.Tensor = network.caption_projection(tokens)
        return read

    def _size(self, parts: Parts, x: torch.Tensor) -> dict[str, torch.Tensor | None]:
        """Return the size of pictures in pixels, for a network that is told it."""
        told = self.is_told_size and parts.network.config.sample_size == _TOLD_SIDE
        if not told:
            return {"resolution": None, "aspect_ratio": None}
        height, width = (side * self.scale_factor(parts) for side in x.shape[-2:])
        size = torch.tensor([[height, width]], dtype=parts.dtype, device=parts.device)
        ratio = (size[:, :1] / size[:, 1:]).expand(len(x), 1)
        return {"resolution": size.expand(len(x), 2), "aspect_ratio": ratio}

    def _read(self, parts: Parts, prompt: str) -> str:
        """Return a prompt as it is tokenized."""
        pipeline = stock_encoder(self.pipeline, parts)
        (read,) = pipeline._text_preprocessing(prompt, clean_caption=is_cleaned())
        return str(read)


PIXART_ALPHA: Final = PixArtRules("PixArtAlphaPipeline", 120, is_told_size=True)
PIXART_SIGMA: Final = PixArtRules("PixArtSigmaPipeline", 300, is_told_size=False)
