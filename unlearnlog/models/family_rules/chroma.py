"""Chroma: a T5 in the sequence, guidance, and a padding that is weighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules
from unlearnlog.models.family_rules.packing import packed, places, unpacked
from unlearnlog.models.family_rules.protocol import on
from unlearnlog.models.family_rules.token_rows import n_tokens, padded, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

N_T5: Final = 512
_T5: Final = "text_encoder"


@final
class ChromaRules(FlowRules):
    """The rules of ``ChromaPipeline``.

    T5 is masked, but its padding reads the prompt, and the transformer reads the
    padding: diffusers gives it the mask as floating-point numbers, which attention
    adds to its logits. So a row beyond the first of the padding counts 1 / e of a row
    of the prompt, and no row is unread: `Text.mask` is None, and the numbers are the
    text's second sequence.
    """

    def channels(self, parts: Parts) -> int:
        """Return the number of channels of latents."""
        return int(parts.network.config.in_channels // 4)

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        read = padded(parts.tokenizers[_T5], prompt, N_T5)
        mask = read.attention_mask
        rows = run(
            _T5,
            read.input_ids.to(parts.device),
            attention_mask=mask.to(parts.device),
            output_hidden_states=False,
        )[0]
        counted = torch.arange(N_T5) <= mask.sum()
        return Text(rows.float().cpu(), more=Text(counted.float()[None, :, None]))

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        return spans(parts.tokenizers[_T5], prompt, N_T5)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        return n_tokens(parts.tokenizers[_T5], prompt), N_T5

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
        b, _, height, width = x.shape
        tokens = packed(x)
        velocity: torch.Tensor = network(
            hidden_states=on(tokens, parts),
            timestep=t.to(parts.device).expand(b) / 1000,
            encoder_hidden_states=on(text.tokens, parts),
            txt_ids=on(torch.zeros(text.tokens.shape[1], 3), parts),
            img_ids=on(places(height, width), parts),
            attention_mask=on(_counted(text, tokens), parts),
            return_dict=False,
        )[0]
        return unpacked(velocity.float(), height, width)


def _counted(text: Text, tokens: torch.Tensor) -> torch.Tensor | None:
    """Return what the rows of text and picture add to the logits, ``[b, n]``."""
    if text.more is None:
        return None
    of_text = text.more.tokens[..., 0].to(tokens.device)
    return torch.cat([of_text, of_text.new_ones(tokens.shape[:2])], 1)
