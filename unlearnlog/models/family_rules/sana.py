"""Sana: cross-attention to a masked Gemma 2, velocity by DPM-Solver++."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules, Shape
from unlearnlog.models.family_rules.prompt_spans import carried, within
from unlearnlog.models.family_rules.stock_encoding import stock_default, stock_encoder
from unlearnlog.models.family_rules.token_rows import n_tokens, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_PIPELINE: Final = "SanaPipeline"
_ENCODER: Final = "text_encoder"
_N_READ: Final = 300


@final
class SanaRules(FlowRules):
    """The rules of ``SanaPipeline``.

    A prompt follows the pipeline's default instruction to describe it in more detail;
    the empty prompt, for guidance, does not. Of the encoded tokens the first stays, and
    those from the instruction's last on; there is no padding. Prompts are in lower
    case.
    """

    patch = 1
    is_even = False

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is."""
        widths = parts.vae.config.encoder_block_out_channels
        return int(2 ** (len(widths) - 1))

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the network was trained on."""
        return int(parts.network.config.sample_size)

    def mu(self, parts: Parts, shape: Shape, steps: int) -> None:
        """Return None: the shift is a constant of the scheduler."""
        del parts, shape, steps

    def sigmas(self, parts: Parts, shape: Shape) -> torch.Tensor | None:
        """Return the share of noise at each trained timestep, float32 ``[T]``."""
        config = parts.scheduler.config
        if not config.get("use_flow_sigmas"):
            return super().sigmas(parts, shape)
        scheduler = self.scheduler(parts, config.num_train_timesteps, shape)
        levels: torch.Tensor = scheduler.sigmas[:-1]
        return levels.float().flip(0)

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        n, most = self.length(parts, prompt)
        n_before = self._n_before(parts, prompt)
        rows, mask, _, _ = stock_encoder(_PIPELINE, parts, run).encode_prompt(
            prompt,
            do_classifier_free_guidance=False,
            device=parts.device,
            max_sequence_length=min(n, most) - n_before,
            complex_human_instruction=_instruction() if prompt else None,
        )
        return Text(rows.float().cpu(), mask=mask.bool().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        n, most = self.length(parts, prompt)
        before, read = self._read(parts, prompt)
        found = spans(parts.tokenizers[_ENCODER], before + read, min(n, most))
        n_after = min(n, most) - self._n_before(parts, prompt) - 1
        kept = found[:1] + found[len(found) - n_after :]
        inside = within(kept, len(before), len(before + read))
        return carried(inside, read, prompt)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        n = n_tokens(parts.tokenizers[_ENCODER], "".join(self._read(parts, prompt)))
        return n, _N_READ + self._n_before(parts, prompt)

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
        found: torch.Tensor = network(
            x.to(parts.device, parts.dtype),
            encoder_hidden_states=text.tokens.to(parts.device, parts.dtype),
            encoder_attention_mask=None
            if text.mask is None
            else text.mask.to(parts.device),
            timestep=times * parts.network.config.timestep_scale,
            return_dict=False,
        )[0]
        return found[:, : x.shape[1]].float()

    def read_by_attention(
        self, parts: Parts, network: Untyped, text: Text
    ) -> torch.Tensor:
        """Return what keys and values are computed from, ``[n, length, d]``."""
        tokens = text.tokens.to(parts.device, parts.dtype)
        read: torch.Tensor = network.caption_norm(network.caption_projection(tokens))
        return read

    def decoded(
        self, parts: Parts, vae: Untyped, latents: torch.Tensor
    ) -> torch.Tensor:
        """Return colours in about ``[-1, 1]``, float32 ``[b, 3, height, width]``."""
        del parts
        codes = (latents / vae.config.scaling_factor).to(vae.dtype)
        colours: torch.Tensor = vae.decode(codes, return_dict=False)[0]
        return colours.float()

    def encoded(
        self, parts: Parts, vae: Untyped, colours: torch.Tensor
    ) -> torch.Tensor:
        """Return the latents of colours ``[b, 3, height, width]``."""
        del parts
        codes: torch.Tensor = vae.encode(colours.to(vae.dtype)).latent
        return codes.float() * float(vae.config.scaling_factor)

    def _read(self, parts: Parts, prompt: str) -> tuple[str, str]:
        """Return what is tokenized before a prompt, and the prompt as it is."""
        (read,) = stock_encoder(_PIPELINE, parts)._text_preprocessing(prompt)
        return "\n".join(_instruction()) if prompt else "", str(read)

    def _n_before(self, parts: Parts, prompt: str) -> int:
        """Return the number of tokens between the first and the next one kept."""
        before, _ = self._read(parts, prompt)
        return n_tokens(parts.tokenizers[_ENCODER], before) - 2 if before else 0


def _instruction() -> list[str]:
    """Return the pipeline's default instruction, line by line."""
    lines: list[str] = stock_default(_PIPELINE, "complex_human_instruction")
    return lines


SANA: Final = SanaRules()
