"""The network of a family with a transformer, by the family's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, final

import torch
from torch.func import functional_call

from unlearnlog.models.backbone import Backbone, of_signal
from unlearnlog.models.cross_attention import attention_to
from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.flow_sampling import denoised, pictures_of
from unlearnlog.models.interface import Painted, Text
from unlearnlog.models.overrides import Overrides
from unlearnlog.models.prompt_encoding import PromptEncoders
from unlearnlog.models.text_inputs import prompt_rows, read_by

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.family_rules.protocol import FamilyRules
    from unlearnlog.models.interface import Place, PromptRows, Sampling
    from unlearnlog.models.sampling import LatentBatch

_RGB_MAX: Final = 255
_NOWHERE: Final = "meta"
_NO_GUIDANCE: Final = 1.0
_N_ENCODED_AT_ONCE: Final = 4


@final
class TransformerBackbone(Backbone):
    """A transformer with its family's rules."""

    def __init__(self, parts: Components, rules: FamilyRules) -> None:
        """Keep the components and the rules."""
        super().__init__(parts)
        self.rules = rules
        self.encoders = PromptEncoders(parts, rules)

    @cached_property
    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Shares of latent and noise at each trained timestep, float64 ``[T]``."""
        lost = self.rules.sigmas(self.parts, self.latent_shape)
        if lost is None:
            kept, lost = of_signal(self.parts.scheduler)
        else:
            lost = lost.double()
            kept = 1 - lost
        return kept, lost

    @cached_property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        return self.rules.latent_shape(self.parts)

    @property
    def enlarged(self) -> int:
        """Number of pixels that one latent is wide."""
        return self.rules.scale_factor(self.parts)

    @cached_property
    def d_text(self) -> int:
        """Width of one encoded token."""
        return int(self.encoders.encoded([""], Overrides()).tokens.shape[-1])

    @property
    def marks(self) -> str:
        """Words for a cache key: what changes the last bits of a prediction."""
        side = "" if self.parts.side is None else f" {self.parts.side}"
        return f" {self.parts.family.name}{side}"

    def predicted(
        self, x_t: torch.Tensor, t: torch.Tensor, text: Text, held: Overrides
    ) -> torch.Tensor:
        """Return the network's prediction for latents at timesteps, float32."""

        def act(network: Untyped) -> torch.Tensor:
            return self._asked(self.parts, network, x_t, t, text)

        return with_weights(self._ready(), self._cast(held.network), act)

    def predicted_by(
        self, network: Untyped, x_t: torch.Tensor, t: torch.Tensor, text: Text
    ) -> torch.Tensor:
        """Return the prediction of a float32 copy of the network."""
        parts = replace(self.parts, network=network, dtype=torch.float32)
        return self._asked(parts, network, x_t, t, text)

    def tokenized(self, prompt: str) -> PromptRows | None:
        """Return what each row of an encoded prompt stands for."""
        return prompt_rows(self.parts, self.rules, prompt)

    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return what the matrices of a place read, float32 ``[n, length, d]``."""
        self._ready()
        return read_by(self.parts, self.rules, text, place)

    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        marks: torch.Tensor,
        held: Overrides,
    ) -> Mapping[str, torch.Tensor]:
        """Return the attention to marked tokens, by the layer's full name."""
        predict = partial(self.predicted, x_t, t, text, held)
        return attention_to(self.parts, marks.to(self.parts.device), predict)

    def painted(
        self,
        canvas: LatentBatch,
        *,
        sampling: Sampling,
        held: Overrides,
        tell: Callable[[float], None],
    ) -> Painted:
        """Return a batch denoised and decoded."""
        parts, rules = self.parts, self.rules

        def denoise(network: Untyped) -> torch.Tensor:
            return denoised(
                parts, rules, canvas, sampling=sampling, network=network, tell=tell
            )

        network = self._ready()
        with torch.inference_mode():
            latents = with_weights(network, self._cast(held.network), denoise)
            decode = partial(_pictures, parts, rules, latents)
            pictures = with_weights(parts.vae, held.vae, decode)
        return Painted(latents.cpu().clone(), pictures.clone())

    def encoded(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of uint8 pictures ``[n, height, width, 3]``."""
        parts, found = self.parts, []
        for some in pictures.split(_N_ENCODED_AT_ONCE):
            shares = some.to(parts.device).permute(0, 3, 1, 2).float() / _RGB_MAX
            means = self.rules.encoded(parts, parts.vae, shares * 2 - 1)
            check_finite(means, "autoencoder", means.dtype)
            found.append(means)
        return torch.cat(found).cpu().contiguous()

    def save_memory(self) -> bool:
        """Compute with less memory from now on; return whether there was a way."""
        network = self.parts.network
        if network.is_gradient_checkpointing:
            return False
        network.enable_gradient_checkpointing()
        return True

    def try_shapes(self, network: Untyped) -> None:
        """Try a prediction of a network without numbers.

        Raises:
            ValueError: A prediction has another shape than its latents.
        """
        shape = (1, *self.latent_shape)
        parts = replace(self.parts, network=network, device=torch.device(_NOWHERE))
        x, t = torch.empty(shape, device=_NOWHERE), torch.zeros(1, device=_NOWHERE)
        text = _without_numbers(self.encoders.encoded([""], Overrides()))
        predict = self.rules.predict
        try:
            made = predict(parts, network, x, t, text=text, guidance=_NO_GUIDANCE)
        except (NotImplementedError, RuntimeError) as error:
            if _NOWHERE in str(error):  # it reads a number, which there is none of
                return
            raise
        if tuple(made.shape) != shape:
            message = f"it predicts {[*made.shape]} for latents of {[*shape]}"
            raise ValueError(message)

    def _ready(self) -> Untyped:
        """Return the network, on its device; with offloading encoders are dropped."""
        self.parts.speakers.before_network(self.parts.network)
        return self.parts.network

    def _asked(
        self,
        parts: Components,
        network: Untyped,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
    ) -> torch.Tensor:
        """Return a network's prediction at trained timesteps."""
        time = self._times(t)
        return self.rules.predict(
            parts, network, x_t, time, text=text, guidance=_NO_GUIDANCE
        )

    def _times(self, t: torch.Tensor) -> torch.Tensor:
        """Return the scheduler's time of trained timesteps."""
        if self.parts.family.predicts != "velocity":
            return t
        _, lost = self.shares
        most = int(self.parts.scheduler.config.num_train_timesteps)
        return (lost[t.cpu()] * most).float().to(t.device)

    def _cast(self, held: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: weight.to(self.parts.dtype) for name, weight in held.items()}


class _Acting(torch.nn.Module):
    """A network that is given to a function when this is called."""

    def __init__(
        self, network: Untyped, act: Callable[[Untyped], torch.Tensor]
    ) -> None:
        super().__init__()
        self.network = network
        self._act = act

    def forward(self) -> torch.Tensor:
        """Return the function's result."""
        return self._act(self.network)


def with_weights(
    network: Untyped,
    held: Mapping[str, torch.Tensor],
    act: Callable[[Untyped], torch.Tensor],
) -> torch.Tensor:
    """Return a function's result on a network with other weights meanwhile.

    Args:
        network: The network.
        held: Weights by name inside of it that replace its own.
        act: A function of the network, which may call any of its methods.
    """
    if not held:
        return act(network)
    named: dict[str, Any] = {f"network.{name}": each for name, each in held.items()}
    made: torch.Tensor = functional_call(_Acting(network, act), named, ())
    return made


def _without_numbers(text: Text) -> Text:
    """Return a text of the same shapes on the meta device."""
    more = None if text.more is None else _without_numbers(text.more)
    tokens = text.tokens.to(_NOWHERE)
    return Text(tokens, _moved(text.pooled), _moved(text.mask), more)


def _moved(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(_NOWHERE)


def _pictures(
    parts: Components, rules: FamilyRules, latents: torch.Tensor, vae: Untyped
) -> torch.Tensor:
    return pictures_of(parts, rules, latents, vae=vae)
