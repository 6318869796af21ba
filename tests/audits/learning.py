"""A model of one matrix that can be fine-tuned, small enough to be checked by hand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from tests.fakes import NAME, LinearModel
from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.core.delta import Weights
from unlearnlog.models.interface import Method, Text


class Pupil:
    """Learns W, in float64, and nothing else."""

    def __init__(self, model: LinearModel, start: Tensor) -> None:
        self.model = model
        self.parameters = {NAME: start.double().clone().requires_grad_()}

    def loss(self, x0: Tensor, noise: Tensor, t: Tensor, text: Text) -> Tensor:
        """Mean squared error of the noise."""
        matrix = self.parameters[NAME]
        share = (1 - t.double() / self.model.n_steps_trained).reshape(-1, 1, 1, 1)
        said = (text.tokens.double().mean(1) @ matrix.T).reshape(noise.shape)
        noised = self.model.noised(x0, noise, t).double()
        return mse_loss(share * noised + said, noise.double())

    def weights(self) -> Weights:
        """W as it is now."""
        return {NAME: self.parameters[NAME].detach().clone()}


class Teachable(LinearModel):
    """A linear model whose latents are its pictures' colours; counts the pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.n_encoded = 0

    def latents_of(self, pictures: Tensor) -> Tensor:
        """Two rows of four numbers a picture."""
        self.n_encoded += len(pictures)
        flat = pictures.flatten(1).float()[:, :8] / 255 - 0.5
        return flat.reshape(-1, *self.latent_shape)

    def learner(
        self,
        method: Method,  # noqa: ARG002 - there is one thing to learn
        *,
        weights: Weights | None = None,
        rank: int = 8,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Pupil:
        """A pupil that begins with these weights."""
        return Pupil(self, (weights or self.base)[NAME])


def lesson(n: int = 6, name: str = "some") -> FinetuneDataset:
    """Random pictures of 2 x 2, with captions of two words."""
    source = torch.Generator().manual_seed(n)
    size = (n, 2, 2, 3)
    pictures = torch.randint(0, 256, size, generator=source, dtype=torch.uint8)
    return FinetuneDataset(
        name, pictures, tuple(f"a picture {i % 3}" for i in range(n))
    )


class Drawer:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.held: dict[str, Tensor] = {}

    def get(self, key: str) -> Tensor | None:
        return self.held.get(key)

    def put(self, key: str, tensor: Tensor) -> None:
        self.held[key] = tensor.clone()
