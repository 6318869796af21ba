"""Lumina 2: text and picture in one stream, Gemma 2 behind a system prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules, Shape
from unlearnlog.models.family_rules.flow_times import linear_mu
from unlearnlog.models.family_rules.prompt_spans import within
from unlearnlog.models.family_rules.stock_encoding import stock_encoder
from unlearnlog.models.family_rules.token_rows import n_tokens, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_PIPELINE: Final = "Lumina2Pipeline"
_ENCODER: Final = "text_encoder"
_N_READ: Final = 256
_SEPARATOR: Final = " <Prompt Start> "


@final
class Lumina2Rules(FlowRules):
    """The rules of ``Lumina2Pipeline``.

    A prompt follows the pipeline's system prompt; the empty prompt, for guidance, does
    not. There are as many rows as tokens. The network predicts data minus noise at a
    time that is 1 for data, and a guided prediction gets the norm, row by row of the
    latent, of the one with text.
    """

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is: always 8 in this pipeline."""
        return int(stock_encoder(_PIPELINE, parts).vae_scale_factor)

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the pipeline paints by default."""
        return int(parts.network.config.sample_size)

    def mu(self, parts: Parts, shape: Shape, steps: int) -> float | None:
        """Return the logarithm of the schedule's shift.

        The pipeline counts the channels of the latents where others count the tokens
        of the picture.
        """
        del steps
        if not parts.scheduler.config.get("use_dynamic_shifting"):
            return None
        return linear_mu(parts.scheduler.config, shape[0])

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        n, most = self.length(parts, prompt)
        pipeline = stock_encoder(_PIPELINE, parts, run)
        settings = {"device": parts.device, "max_sequence_length": min(n, most)}
        if prompt:
            rows, mask, _, _ = pipeline.encode_prompt(prompt, False, **settings)
        else:
            rows, mask = pipeline._get_gemma_prompt_embeds(prompt, **settings)
        return Text(rows.float().cpu(), mask=mask.bool().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        n, most = self.length(parts, prompt)
        before = _before(parts, prompt)
        found = spans(parts.tokenizers[_ENCODER], before + prompt, min(n, most))
        return within(found, len(before), len(before + prompt))

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        told = _before(parts, prompt) + prompt
        return n_tokens(parts.tokenizers[_ENCODER], told), _N_READ

    def guided(
        self, without: torch.Tensor, with_text: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return guidance with the norm of the prediction with text."""
        made = super().guided(without, with_text, scale)
        return made * (_norm(with_text) / _norm(made))

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
        """Return the velocity, float32 ``[b, c, h, w]``; differentiable."""
        del guidance
        times = t.to(parts.device).expand(len(x))
        mask = text.mask
        if mask is None:
            mask = torch.ones(text.tokens.shape[:2], dtype=torch.bool)
        found: torch.Tensor = network(
            hidden_states=x.to(parts.device, parts.dtype),
            timestep=1 - times / parts.scheduler.config.num_train_timesteps,
            encoder_hidden_states=text.tokens.to(parts.device, parts.dtype),
            encoder_attention_mask=mask.to(parts.device),
            return_dict=False,
        )[0]
        return -found.float()


def _before(parts: Parts, prompt: str) -> str:
    """Return what is encoded before a prompt."""
    told = stock_encoder(_PIPELINE, parts).system_prompt
    return f"{told}{_SEPARATOR}" if prompt else ""


def _norm(x: torch.Tensor) -> torch.Tensor:
    """Return the norm of each row of latents, ``[b, c, h, 1]``."""
    norm: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm


LUMINA2: Final = Lumina2Rules()
