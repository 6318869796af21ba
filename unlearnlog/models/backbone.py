"""The prediction of a network, and the noising of latents, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.encoding import Encoders
    from unlearnlog.models.interface import Painted, Place, PromptRows, Sampling, Text
    from unlearnlog.models.overrides import Overrides
    from unlearnlog.models.sampling import LatentBatch

VELOCITY: Final = "v_prediction"
FLOW: Final = "flow_prediction"

_LEAST_SIGNAL: Final = 2.0**-24  # keeps the log SNR of pure noise finite


class Backbone(ABC):
    """The network of a pipeline with what belongs to it, behind one interface.

    A latent is noised to ``kept * x0 + lost * noise``. Of a velocity model both shares
    are linear in time, and add up to 1; else the sum of their squares does.

    Attributes:
        encoders: The pipeline's text encoders.
    """

    encoders: Encoders

    def __init__(self, parts: Components) -> None:
        """Keep the components."""
        self.parts = parts

    @property
    def predicts(self) -> str:
        """The prediction type, by diffusers' name."""
        if self.parts.family.predicts == "velocity":
            return FLOW
        return str(self.parts.scheduler.config.get("prediction_type", "epsilon"))

    @property
    @abstractmethod
    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Shares of latent and noise at each trained timestep, float64 ``[T]``."""

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""

    @property
    @abstractmethod
    def enlarged(self) -> int:
        """Number of pixels that one latent is wide."""

    @property
    @abstractmethod
    def d_text(self) -> int:
        """Width of one encoded token."""

    @property
    @abstractmethod
    def marks(self) -> str:
        """Words for a cache key: what changes the last bits of a prediction."""

    @abstractmethod
    def predicted(
        self, x_t: torch.Tensor, t: torch.Tensor, text: Text, held: Overrides
    ) -> torch.Tensor:
        """Return the network's prediction for latents at timesteps, float32."""

    @abstractmethod
    def predicted_by(
        self, network: Untyped, x_t: torch.Tensor, t: torch.Tensor, text: Text
    ) -> torch.Tensor:
        """Return the prediction of a float32 copy of the network."""

    @abstractmethod
    def tokenized(self, prompt: str) -> PromptRows | None:
        """Return what each row of an encoded prompt stands for; None for CLIP alone."""

    @abstractmethod
    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return what the matrices of a place read, float32 ``[n, length, d]``."""

    @abstractmethod
    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        marks: torch.Tensor,
        held: Overrides,
    ) -> Mapping[str, torch.Tensor]:
        """Return the attention to marked tokens, by the layer's full name."""

    @abstractmethod
    def painted(
        self,
        canvas: LatentBatch,
        *,
        sampling: Sampling,
        held: Overrides,
        tell: Callable[[float], None],
    ) -> Painted:
        """Return a batch denoised and decoded."""

    @abstractmethod
    def encoded(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of uint8 pictures ``[n, height, width, 3]``."""

    @abstractmethod
    def save_memory(self) -> bool:
        """Compute with less memory from now on; return whether there was a way."""

    def try_shapes(self, network: Untyped) -> None:
        """Try a prediction of a network without numbers; a UNet has its own trial."""
        raise NotImplementedError

    @property
    def log_snr(self) -> torch.Tensor:
        """Log of signal power over noise power at each timestep, float32 ``[T]``."""
        kept, lost = (share.square().clamp(min=_LEAST_SIGNAL) for share in self.shares)
        return (kept.log() - lost.log()).float().cpu()

    def scales(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shares of latent and noise at timesteps, each ``[b, 1, 1, 1]``."""
        at, device = t.cpu(), self.parts.device  # not every device has float64
        kept, lost = (share[at].reshape(-1, 1, 1, 1) for share in self.shares)
        return kept.float().to(device), lost.float().to(device)

    def noise_in(
        self, predicted: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Return the noise that a prediction for latents at timesteps means."""
        if self.predicts not in (VELOCITY, FLOW):
            return predicted
        kept, lost = self.scales(t)
        if self.predicts == FLOW:
            return x_t + kept * predicted
        return kept * predicted + lost * x_t

    def target(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Return what the network is trained to predict."""
        if self.predicts == FLOW:
            return noise - x0
        if self.predicts != VELOCITY:
            return noise
        kept, lost = self.scales(t)
        return kept * noise - lost * x0


def signal_of(scheduler: Untyped) -> torch.Tensor:
    """Return the power of the latent at each timestep, float64 ``[T]``, not zero."""
    signal: torch.Tensor = scheduler.alphas_cumprod.double().clamp(min=_LEAST_SIGNAL)
    return signal


def of_signal(scheduler: Untyped) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the shares of latent and noise of a scheduler with ``alphas_cumprod``."""
    signal = signal_of(scheduler)
    return signal.sqrt(), (1 - signal).sqrt()
