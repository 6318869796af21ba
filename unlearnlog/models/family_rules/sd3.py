"""Stable Diffusion 3 and 3.5: two CLIP encoders and a T5 in one sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules, Shape
from unlearnlog.models.family_rules.flow_times import linear_mu
from unlearnlog.models.family_rules.protocol import on
from unlearnlog.models.family_rules.token_rows import n_tokens, padded, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

N_T5: Final = 256
"""Rows of T5; without T5 as many rows of zeros, as the pipeline has by default."""

PADDED: Final = "max_sequence_length"
"""The setting of a model without T5 that says how many rows of zeros it has."""

_CLIPS: Final = ("text_encoder", "text_encoder_2")
_T5: Final = "text_encoder_3"


@final
class StableDiffusion3Rules(FlowRules):
    """The rules of ``StableDiffusion3Pipeline``.

    The rows of a prompt are those of CLIP, the features of both encoders side by side
    and zeros up to the width of T5, then those of T5. T5 is read without a mask, so
    its padding carries the prompt; without T5 its rows are zeros, as many as the
    model's index says: each costs as much time as a word.
    """

    is_even = False

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the pipeline paints by default."""
        return int(parts.network.config.sample_size)

    def mu(self, parts: Parts, shape: Shape, steps: int) -> float | None:
        """Return the logarithm of the schedule's shift."""
        del steps
        if not parts.scheduler.config.get("use_dynamic_shifting"):
            return None
        side = parts.network.config.patch_size
        n = (shape[1] // side) * (shape[2] // side)
        return linear_mu(parts.scheduler.config, n, most=1.16)

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        heard = [self._clip(parts, name, prompt, run) for name in _CLIPS]
        clip = torch.cat([rows for rows, _ in heard], -1)
        t5 = self._t5(parts, prompt, run)
        clip = torch.nn.functional.pad(clip, (0, t5.shape[-1] - clip.shape[-1]))
        pooled = torch.cat([vector for _, vector in heard], -1)
        return Text(torch.cat([clip, t5], 1), pooled)

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        clip = parts.tokenizers[_CLIPS[0]]
        found = spans(clip, prompt, clip.model_max_length)
        if _T5 in parts.tokenizers:
            return found + spans(parts.tokenizers[_T5], prompt, N_T5)
        return found + [None] * _zero_rows(parts)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        if _T5 in parts.tokenizers:
            return n_tokens(parts.tokenizers[_T5], prompt), N_T5
        clip = parts.tokenizers[_CLIPS[0]]
        return n_tokens(clip, prompt), int(clip.model_max_length)

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
        velocity: torch.Tensor = network(
            hidden_states=on(x, parts),
            timestep=t.to(parts.device).expand(len(x)),
            encoder_hidden_states=on(text.tokens, parts),
            pooled_projections=on(text.pooled, parts),
            return_dict=False,
        )[0]
        return velocity.float()

    def _clip(
        self, parts: Parts, name: str, prompt: str, run: Run
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the last rows but one of a CLIP encoder, and its pooled vector."""
        n = parts.tokenizers[_CLIPS[0]].model_max_length
        ids = padded(parts.tokenizers[name], prompt, n).input_ids.to(parts.device)
        found = run(name, ids, output_hidden_states=True)
        return found.hidden_states[-2].float().cpu(), found[0].float().cpu()

    def _t5(self, parts: Parts, prompt: str, run: Run) -> torch.Tensor:
        if _T5 not in parts.tokenizers:
            width = parts.network.config.joint_attention_dim
            return torch.zeros(1, _zero_rows(parts), width)
        ids = padded(parts.tokenizers[_T5], prompt, N_T5).input_ids.to(parts.device)
        rows: torch.Tensor = run(_T5, ids)[0]
        return rows.float().cpu()


def _zero_rows(parts: Parts) -> int:
    """Return the number of rows of zeros in a prompt of a model without T5."""
    return int(parts.settings.get(PADDED, N_T5))
