"""Qwen-Image: a Qwen2.5-VL that reads the prompt in a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.flow_rules import FlowRules
from unlearnlog.models.family_rules.packing import packed, unpacked
from unlearnlog.models.family_rules.protocol import on
from unlearnlog.models.family_rules.token_rows import spans_within
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

N_READ: Final = 512
"""Rows that the transformer reads, without the beginning of the template."""

N_DROPPED: Final = 34
"""Tokens of the template before the prompt; their rows are left out."""

_BEFORE: Final = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, "
    "texture, quantity, text, spatial relationships of the objects and background:"
    "<|im_end|>\n<|im_start|>user\n"
)
_AFTER: Final = "<|im_end|>\n<|im_start|>assistant\n"
_QWEN: Final = "text_encoder"
_NOTHING: Final = " "


@final
class QwenImageRules(FlowRules):
    """The rules of ``QwenImagePipeline``.

    A prompt has as many rows as tokens, and those of the template's end. Guidance is
    that of ``true_cfg_scale`` against the prompt " ", as the model's makers use it;
    each token of the result has the length of the prediction with the prompt.
    """

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is."""
        return int(2 ** len(parts.vae.config.temperal_downsample))

    def channels(self, parts: Parts) -> int:
        """Return the number of channels of latents."""
        return int(parts.network.config.in_channels // 4)

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        read = parts.tokenizers[_QWEN](
            f"{_BEFORE}{prompt or _NOTHING}{_AFTER}",
            max_length=N_DROPPED + N_READ,
            truncation=True,
            return_tensors="pt",
        ).to(parts.device)
        found = run(
            _QWEN,
            input_ids=read.input_ids,
            attention_mask=read.attention_mask,
            output_hidden_states=True,
            logits_to_keep=1,
        )
        rows = found.hidden_states[-1][:, N_DROPPED:]
        return Text(rows.float().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        template = (_BEFORE, prompt or _NOTHING, _AFTER)
        found = spans_within(parts.tokenizers[_QWEN], template)
        return found[N_DROPPED : N_DROPPED + N_READ]

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        template = (_BEFORE, prompt or _NOTHING, _AFTER)
        n = len(spans_within(parts.tokenizers[_QWEN], template))
        return n - N_DROPPED, N_READ

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        return scale > 1 and not parts.network.config.guidance_embeds

    def guided(
        self, without: torch.Tensor, with_text: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return guidance of two predictions, each token as long as with the text."""
        height, width = with_text.shape[2:]
        told, untold = packed(with_text), packed(without)
        both = untold + scale * (told - untold)
        length = told.norm(dim=-1, keepdim=True) / both.norm(dim=-1, keepdim=True)
        return unpacked(both * length, height, width)

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
        is_cut = text.mask is not None and not bool(text.mask.all())
        velocity: torch.Tensor = network(
            hidden_states=on(packed(x), parts),
            timestep=t.to(parts.device).expand(b) / 1000,
            guidance=torch.full([b], guidance).to(parts.device) if is_told else None,
            encoder_hidden_states=on(text.tokens, parts),
            encoder_hidden_states_mask=on(text.mask, parts) if is_cut else None,
            img_shapes=[[(1, height // 2, width // 2)]] * b,
            return_dict=False,
        )[0]
        return unpacked(velocity.float(), height, width)

    def decoded(
        self, parts: Parts, vae: Untyped, latents: torch.Tensor
    ) -> torch.Tensor:
        """Return colours in about ``[-1, 1]``, float32 ``[b, 3, height, width]``."""
        mean, spread = _moments(parts)
        frames = (latents * spread.to(latents) + mean.to(latents))[:, :, None]
        colours: torch.Tensor = vae.decode(frames.to(vae.dtype), return_dict=False)[0]
        return colours[:, :, 0].float()

    def encoded(
        self, parts: Parts, vae: Untyped, colours: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean latents of colours ``[b, 3, height, width]``."""
        mean, spread = _moments(parts)
        found = vae.encode(colours[:, :, None].to(vae.dtype)).latent_dist
        means: torch.Tensor = found.mean[:, :, 0].float()
        return (means - mean.to(means)) / spread.to(means)


def _moments(parts: Parts) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation of the autoencoder's latents, ``[c, 1, 1]``."""
    config = parts.vae.config
    mean, spread = torch.tensor(config.latents_mean), torch.tensor(config.latents_std)
    return mean[:, None, None], spread[:, None, None]
