"""Z-Image: text and picture in one stream, Qwen 3 behind a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.chats import (
    chat_around,
    n_chat_tokens,
    padded_spans,
)
from unlearnlog.models.family_rules.flow_rules import FlowRules
from unlearnlog.models.family_rules.stock_encoding import stock_encoder
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_ENCODER: Final = "text_encoder"
_N_READ: Final = 512
_NOISE_TIME: Final = 1000


@final
class ZImageRules(FlowRules):
    """The rules of ``ZImagePipeline``.

    A prompt has as many rows as its chat has tokens. The network predicts data
    minus noise at a time that is 1 for data, and a guidance scale is what is added:
    there is guidance above 0, not above 1. The pipeline neither normalises nor
    truncates it by default.
    """

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        n, most = self.length(parts, prompt)
        pipeline = stock_encoder("ZImagePipeline", parts, run)
        (rows,), _ = pipeline.encode_prompt(
            prompt,
            device=parts.device,
            do_classifier_free_guidance=False,
            max_sequence_length=min(n, most),
        )
        return Text(rows[None].float().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        n, most = self.length(parts, prompt)
        chat = _chat(parts, prompt)
        return padded_spans(parts.tokenizers[_ENCODER], chat, min(n, most))

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        tokenizer = parts.tokenizers[_ENCODER]
        return n_chat_tokens(tokenizer, _chat(parts, prompt)), _N_READ

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        del parts
        return scale > 0

    def guided(
        self, without: torch.Tensor, with_text: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return a prediction moved away from that without text, ``[b, c, h, w]``."""
        return with_text + scale * (with_text - without)

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
        frames = x.to(parts.device, parts.dtype).unsqueeze(2)
        tokens = text.tokens.to(parts.device, parts.dtype)
        found: list[torch.Tensor] = network(
            list(frames.unbind()),
            (_NOISE_TIME - t.to(parts.device).expand(len(x))) / _NOISE_TIME,
            list(tokens) if text.mask is None else _read(tokens, text.mask),
            return_dict=False,
        )[0]
        return -torch.stack(found).squeeze(2).float()


def _chat(parts: Parts, prompt: str) -> tuple[str, str, str]:
    """Return the chat that a prompt is encoded in: before it, itself, and after it."""
    return chat_around(
        parts.tokenizers[_ENCODER],
        lambda text: [{"role": "user", "content": text}],
        prompt,
        {"add_generation_prompt": True, "enable_thinking": True},
    )


def _read(tokens: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
    """Return the rows of each prompt that are read."""
    return [
        rows[kept] for rows, kept in zip(tokens, mask.to(tokens.device), strict=True)
    ]


Z_IMAGE: Final = ZImageRules()
