"""HunyuanDiT: cross-attention to BERT and T5, with sizes and a style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch
from diffusers.models.embeddings import get_2d_rotary_pos_embed

from unlearnlog.models.family_rules.noise_rules import NoiseRules
from unlearnlog.models.family_rules.stock_encoding import stock_default, stock_encoder
from unlearnlog.models.family_rules.stock_pipelines import pipeline_module
from unlearnlog.models.family_rules.token_rows import n_tokens, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

_PIPELINE: Final = "HunyuanDiTPipeline"
_BERT, _T5 = "text_encoder", "text_encoder_2"
_N_BERT, _N_T5 = 77, 256
_BASE: Final = 512 // 8
"""Side of the latents that the positions of other sizes are scaled to."""


@final
class HunyuanDitRules(NoiseRules):
    """The rules of ``HunyuanDiTPipeline``.

    `Text.tokens` are of BERT and `Text.more` is of T5, each with its padding and mask:
    the cross-attention reads learned vectors in place of the padding, but the network
    makes a pooled vector of all rows of T5. Guidance is not rescaled, the pipeline's
    default.
    """

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        bert, t5 = (self._encoded(parts, prompt, run, which) for which in (_BERT, _T5))
        return Text(bert.tokens, mask=bert.mask, more=t5)

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of BERT, then of T5, stands for."""
        bert = spans(parts.tokenizers[_BERT], prompt, _N_BERT)
        return bert + spans(parts.tokenizers[_T5], prompt, _N_T5)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read, of T5."""
        return n_tokens(parts.tokenizers[_T5], prompt), _N_T5

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
        """Return noise or velocity, by the scheduler, float32 ``[b, c, h, w]``."""
        del guidance
        bert, t5 = _sequences(text)
        here = (parts.device, parts.dtype)
        found: torch.Tensor = network(
            x.to(*here),
            t.to(*here).expand(len(x)),
            encoder_hidden_states=bert.tokens.to(*here),
            text_embedding_mask=_mask(bert).to(parts.device),
            encoder_hidden_states_t5=t5.tokens.to(*here),
            text_embedding_mask_t5=_mask(t5).to(parts.device),
            image_meta_size=self._sizes(parts, x).to(*here),
            style=torch.zeros(len(x), dtype=torch.int64, device=parts.device),
            image_rotary_emb=self._positions(parts, x),
            return_dict=False,
        )[0]
        return found[:, : x.shape[1]].float()

    def read_by_attention(
        self, parts: Parts, network: Untyped, text: Text
    ) -> torch.Tensor:
        """Return what keys and values are computed from, ``[n, 77 + 256, d]``."""
        bert, t5 = _sequences(text)
        here = (parts.device, parts.dtype)
        second = network.text_embedder(t5.tokens.to(*here))
        rows = torch.cat([bert.tokens.to(*here), second], 1)
        mask = torch.cat([_mask(bert), _mask(t5)], 1).to(parts.device)
        return torch.where(mask[..., None], rows, network.text_embedding_padding)

    def _encoded(self, parts: Parts, prompt: str, run: Run, which: str) -> Text:
        """Return a prompt encoded by one of the encoders."""
        pipeline = stock_encoder(
            _PIPELINE, parts, run, {"requires_safety_checker": False}
        )
        rows, _, mask, _ = pipeline.encode_prompt(
            prompt,
            device=parts.device,
            dtype=torch.float32,
            do_classifier_free_guidance=False,
            text_encoder_index=(_BERT, _T5).index(which),
        )
        return Text(rows.float().cpu(), mask=mask.bool().cpu())

    def _sizes(self, parts: Parts, x: torch.Tensor) -> torch.Tensor:
        """Return original size, size and crop of pictures in pixels, ``[b, 6]``."""
        made = tuple(side * self.scale_factor(parts) for side in x.shape[-2:])
        original = stock_default(_PIPELINE, "original_size")
        crop = stock_default(_PIPELINE, "crops_coords_top_left")
        return torch.tensor([[*original, *made, *crop]]).expand(len(x), 6)

    def _positions(
        self, parts: Parts, x: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rotary embedding of the tokens of a picture."""
        config = parts.network.config
        height, width = (side // config.patch_size for side in x.shape[-2:])
        stock = pipeline_module("hunyuandit.pipeline_hunyuandit")
        crop = stock.get_resize_crop_region_for_grid(
            (height, width), _BASE // config.patch_size
        )
        found: tuple[torch.Tensor, torch.Tensor] = get_2d_rotary_pos_embed(
            config.attention_head_dim, crop, (height, width), device=parts.device
        )
        return found


def _sequences(text: Text) -> tuple[Text, Text]:
    """Return what BERT encoded, and what T5 did."""
    assert text.more is not None
    return text, text.more


def _mask(text: Text) -> torch.Tensor:
    """Return which tokens are no padding, bool ``[n, length]``."""
    if text.mask is None:
        return torch.ones(text.tokens.shape[:2], dtype=torch.bool)
    return text.mask


HUNYUAN_DIT: Final = HunyuanDitRules()
