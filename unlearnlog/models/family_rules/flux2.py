"""FLUX.2 dev and klein: three layers of a language model, batch-normalised latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

from unlearnlog.models.family_rules.chats import (
    chat_around,
    n_chat_tokens,
    padded_chat,
    padded_spans,
)
from unlearnlog.models.family_rules.flow_rules import FlowRules, Shape
from unlearnlog.models.family_rules.packing import packed, unpacked
from unlearnlog.models.family_rules.protocol import on
from unlearnlog.models.family_rules.stock_pipelines import pipeline_module
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

N_READ: Final = 512
_ENCODER: Final = "text_encoder"


class Flux2Rules(FlowRules):
    """What both pipelines of FLUX.2 do.

    A latent is a square of 2 by 2 of the autoencoder's. The transformer reads all
    rows, and the padding's have read the prompt.

    Attributes:
        layers: The language model's hidden states, side by side in a row.
    """

    patch = 1
    layers: tuple[int, ...] = ()

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is."""
        return 2 * super().scale_factor(parts)

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the pipeline paints by default."""
        return super().default_side(parts) // 2

    def mu(self, parts: Parts, shape: Shape, steps: int) -> float | None:
        """Return the logarithm of the schedule's shift."""
        if not parts.scheduler.config.get("use_dynamic_shifting"):
            return None
        return empirical_mu(shape[1] * shape[2], steps)

    def chat(self, parts: Parts, prompt: str) -> tuple[str, str, str]:
        """Return the text before a prompt, the prompt, and the text after it."""
        raise NotImplementedError

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        chat = "".join(self.chat(parts, prompt))
        read = padded_chat(parts.tokenizers[_ENCODER], chat, N_READ).to(parts.device)
        found = run(
            _ENCODER,
            input_ids=read.input_ids,
            attention_mask=read.attention_mask,
            output_hidden_states=True,
            use_cache=False,
            logits_to_keep=1,
        )
        rows = torch.cat([found.hidden_states[layer] for layer in self.layers], -1)
        return Text(rows.float().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        chat = self.chat(parts, prompt)
        return padded_spans(parts.tokenizers[_ENCODER], chat, N_READ)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        chat = self.chat(parts, prompt)
        return n_chat_tokens(parts.tokenizers[_ENCODER], chat), N_READ

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
        velocity: torch.Tensor = network(
            hidden_states=on(x.flatten(2).transpose(1, 2), parts),
            timestep=t.to(parts.device).expand(b) / 1000,
            guidance=torch.full([b], guidance).to(parts.device) if is_told else None,
            encoder_hidden_states=on(text.tokens, parts),
            txt_ids=_places(1, 1, text.tokens.shape[1]).to(parts.device),
            img_ids=_places(height, width, 1).to(parts.device),
            return_dict=False,
        )[0]
        return velocity.float().transpose(1, 2).reshape(x.shape)

    def decoded(
        self, parts: Parts, vae: Untyped, latents: torch.Tensor
    ) -> torch.Tensor:
        """Return colours in about ``[-1, 1]``, float32 ``[b, 3, height, width]``."""
        del parts
        _, _, height, width = latents.shape
        mean, spread = _moments(vae)
        tokens = (latents * spread + mean).flatten(2).transpose(1, 2)
        squares = unpacked(tokens, 2 * height, 2 * width).to(vae.dtype)
        colours: torch.Tensor = vae.decode(squares, return_dict=False)[0]
        return colours.float()

    def encoded(
        self, parts: Parts, vae: Untyped, colours: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean latents of colours ``[b, 3, height, width]``."""
        del parts
        means: torch.Tensor = vae.encode(colours.to(vae.dtype)).latent_dist.mean
        b, _, height, width = means.shape
        squares = packed(means.float()).transpose(1, 2)
        mean, spread = _moments(vae)
        return (squares.reshape(b, -1, height // 2, width // 2) - mean) / spread


@final
class Flux2DevRules(Flux2Rules):
    """The rules of ``Flux2Pipeline``: Mistral 3, and a network told its guidance."""

    layers = (10, 20, 30)

    def chat(self, parts: Parts, prompt: str) -> tuple[str, str, str]:
        """Return the text before a prompt, the prompt, and the text after it."""
        message = pipeline_module("flux2.system_messages").SYSTEM_MESSAGE
        system = {
            "role": "system",
            "content": [{"type": "text", "text": message}],
        }

        def talk(text: str) -> list[dict[str, Untyped]]:
            content = [{"type": "text", "text": text.replace("[IMG]", "")}]
            return [system, {"role": "user", "content": content}]

        return chat_around(parts.tokenizers[_ENCODER], talk, prompt, {})

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return False: the scale is an input of the network."""
        del parts, scale
        return False


@final
class Flux2KleinRules(Flux2Rules):
    """The rules of ``Flux2KleinPipeline``: Qwen 3; guidance unless distilled."""

    layers = (9, 18, 27)

    def chat(self, parts: Parts, prompt: str) -> tuple[str, str, str]:
        """Return the text before a prompt, the prompt, and the text after it."""

        def talk(text: str) -> list[dict[str, Untyped]]:
            return [{"role": "user", "content": text}]

        options = {"add_generation_prompt": True, "enable_thinking": False}
        return chat_around(parts.tokenizers[_ENCODER], talk, prompt, options)

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        return scale > 1 and not parts.settings.get("is_distilled", False)


def empirical_mu(n_tokens: int, steps: int) -> float:
    """Return the logarithm of FLUX.2's shift for a picture of some tokens.

    A line in the number of tokens for 10 steps, another for 200, and between them a
    line in the steps; for large pictures that of 200 steps.

    Source:
        The constants are those of Black Forest Labs' ``flux2.sampling``.
    """
    of_200 = 0.00016927 * n_tokens + 0.45666666
    if n_tokens > 4300:
        return of_200
    of_10 = 8.73809524e-05 * n_tokens + 1.89833333
    return of_200 + (of_10 - of_200) * (200 - steps) / 190


def _places(height: int, width: int, length: int) -> torch.Tensor:
    """Return the places of tokens in four coordinates, int64 ``[n, 4]``."""
    of_time = torch.arange(1)
    sides = (torch.arange(height), torch.arange(width), torch.arange(length))
    return torch.cartesian_prod(of_time, *sides)


def _moments(vae: Untyped) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation of latents, float32 ``[c, 1, 1]``."""
    mean = vae.bn.running_mean.float()
    spread = (vae.bn.running_var.float() + vae.config.batch_norm_eps).sqrt()
    return mean[:, None, None], spread[:, None, None]
