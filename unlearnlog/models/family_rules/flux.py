"""FLUX.1: a T5 in the sequence, and CLIP's pooled vector beside it."""

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
_CLIP: Final = "text_encoder"
_T5: Final = "text_encoder_2"


@final
class FluxRules(FlowRules):
    """The rules of ``FluxPipeline``.

    T5 is read without a mask, so its padding carries the prompt. FLUX.1 dev is told
    the guidance, schnell knows none; a model that was trained back to neither, with
    dev's scheduler and without the embedding, is guided as by ``true_cfg_scale``.
    """

    def channels(self, parts: Parts) -> int:
        """Return the number of channels of latents."""
        return int(parts.network.config.in_channels // 4)

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        clip, t5 = parts.tokenizers[_CLIP], parts.tokenizers[_T5]
        read = padded(clip, prompt, clip.model_max_length).input_ids.to(parts.device)
        pooled = run(_CLIP, read, output_hidden_states=False).pooler_output
        rows = run(_T5, padded(t5, prompt, N_T5).input_ids.to(parts.device))[0]
        return Text(rows.float().cpu(), pooled.float().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        return spans(parts.tokenizers[_T5], prompt, N_T5)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        return n_tokens(parts.tokenizers[_T5], prompt), N_T5

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        is_told = parts.network.config.guidance_embeds
        is_schnell = not parts.scheduler.config.get("use_dynamic_shifting", False)
        return scale > 1 and not is_told and not is_schnell

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
        b, _, height, width = x.shape
        is_told = parts.network.config.guidance_embeds
        scale = torch.full([b], guidance, device=parts.device) if is_told else None
        velocity: torch.Tensor = network(
            hidden_states=on(packed(x), parts),
            timestep=t.to(parts.device).expand(b) / 1000,
            guidance=scale,
            encoder_hidden_states=on(text.tokens, parts),
            pooled_projections=on(text.pooled, parts),
            txt_ids=on(torch.zeros(text.tokens.shape[1], 3), parts),
            img_ids=on(places(height, width), parts),
            return_dict=False,
        )[0]
        return unpacked(velocity.float(), height, width)
