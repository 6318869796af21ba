"""Z-Image: text and picture in one stream, Qwen 3 behind a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules
from unlearnlog.models.family_rules.prompt_spans import within
from unlearnlog.models.family_rules.stock_encoding import stock_encoder
from unlearnlog.models.family_rules.tokens import n_tokens, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_ENCODER: Final = "text_encoder"
_N_READ: Final = 512
_MARK: Final = "\ue000"  # of the private use area: no template has it
_NOISE_TIME: Final = 1000


@final
class ZImageRules(FlowRules):
    """The rules of ``ZImagePipeline``.

    A prompt has as many rows as its chat message has tokens. The network predicts data
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
        found = spans(parts.tokenizers[_ENCODER], _message(parts, prompt), min(n, most))
        begin = _message(parts, _MARK).index(_MARK)
        return within(found, begin, begin + len(prompt))

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        return n_tokens(parts.tokenizers[_ENCODER], _message(parts, prompt)), _N_READ

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

    def read_by_entry(self, parts: Parts, network: Untyped, text: Text) -> torch.Tensor:
        """Return what the entry's matrix is applied to, ``[n, length, d]``."""
        tokens = text.tokens.to(parts.device, parts.dtype)
        read: torch.Tensor = network.cap_embedder[0](tokens)
        return read


def _message(parts: Parts, prompt: str) -> str:
    """Return the chat that a prompt is encoded in."""
    return str(
        parts.tokenizers[_ENCODER].apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
    )


def _read(tokens: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
    """Return the rows of each prompt that are read."""
    return [
        rows[kept] for rows, kept in zip(tokens, mask.to(tokens.device), strict=True)
    ]


Z_IMAGE: Final = ZImageRules()
