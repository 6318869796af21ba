"""A model that really computes, small enough to be differentiated by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import Digest
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.models.interface import Painted, Place, PromptRows, Sampling, Text

NAME = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"


class LinearModel:
    """Noise = (1 - t / T) x_t + W (mean token), reshaped to a latent ``[2, 2, 2]``."""

    def __init__(self) -> None:
        """Draw W once; it never changes."""
        self.d_text = 6
        self.latent_shape = (2, 2, 2)
        self.picture_shape = (2, 2, 3)
        self.n_steps_trained = 100
        self.computes = "cpu torch.float32"
        self.predicts = "epsilon"
        self.no_nats = ""
        self.added_tokens: frozenset[str] = frozenset()
        rng = torch.Generator().manual_seed(5)
        self.base: Weights = {NAME: torch.randn(8, self.d_text, generator=rng).half()}
        signal = torch.linspace(0.99, 0.01, self.n_steps_trained)
        self._signal = signal
        self.log_snr = torch.logit(signal)

    @property
    def manifest(self) -> BaseManifest:
        """The manifest of W."""
        return BaseManifest.of("linear", "fake", self.base)

    def n_tokens(self, prompt: str) -> int:
        """One token a word, and the two marks."""
        return len(prompt.split()) + 2

    def shortened(self, prompt: str) -> str:
        """Six words are read."""
        words = prompt.split()
        return prompt if len(words) <= 6 else " ".join(words[:6])

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:  # noqa: ARG002 - no encoder's
        """Give every word a fixed random token between two marks, ``[n, 8, 6]``.

        What is behind the end is the end's mark again, as of CLIP.
        """
        texts = torch.zeros(len(prompts), 8, self.d_text)
        for row, prompt in zip(texts, prompts, strict=True):
            words = ["<begin>", *prompt.split()[:6]]
            for place, word in enumerate(words + ["<end>"] * (8 - len(words))):
                row[place] = torch.randn(self.d_text, generator=_source(word))
        return Text(texts)

    def rows_at(self, prompts: Sequence[str], places: Sequence[int]) -> torch.Tensor:
        """Return one row of each."""
        return self.encode(prompts).tokens[torch.arange(len(prompts)), [*places]]

    @property
    def places(self) -> dict[str, Place]:
        """Its matrices read the prompt alone."""
        return dict.fromkeys(self.base, "cross-attention")

    def tokenized(self, prompt: str) -> PromptRows | None:
        """Its text is as CLIP's."""

    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return the tokens."""
        assert place == "cross-attention"
        return text.tokens

    def latent(self, prompt: str, seed: int) -> torch.Tensor:
        """Unit normal from the prompt and the seed."""
        source = _source(f"{prompt}:{seed}")
        return torch.randn(self.latent_shape, generator=source)

    def noised(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Mix latents with noise."""
        signal = self._signal[t].reshape(-1, 1, 1, 1)
        return signal.sqrt() * x0 + (1 - signal).sqrt() * noise

    def eps(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        *,
        weights: Weights | None = None,
    ) -> torch.Tensor:
        """Predict noise, linear in W."""
        matrix = (weights or self.base)[NAME].float()
        share = (1 - t / self.n_steps_trained).reshape(-1, 1, 1, 1)
        return share * x_t + (text.tokens.mean(1) @ matrix.T).reshape(
            -1, *self.latent_shape
        )

    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,  # noqa: ARG002
        text: Text,
        marks: torch.Tensor,
        *,
        weights: Weights | None = None,
    ) -> dict[str, torch.Tensor]:
        """One layer of one head, whose keys are W token and whose query is all of x_t.

        The noise does not listen to it.
        """
        matrix = (weights or self.base)[NAME].float()
        scores = torch.einsum("bi,ij,blj->bl", x_t.flatten(1), matrix, text.tokens)
        shares = (scores / 8**0.5).softmax(-1)
        return {NAME.partition(".to_")[0]: shares[marks][:, None, None]}

    def paint(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampling: Sampling,
        weights: Weights | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Painted:
        """Paint the noise predicted for the starting latent, and its sign as colour."""
        assert sampling.steps == 1
        pairs = zip(prompts, seeds, strict=True)
        start = torch.stack([self.latent(prompt, seed) for prompt, seed in pairs])
        t = torch.zeros(len(prompts), dtype=torch.long)
        latents = self.eps(start, t, self.encode(prompts), weights=weights)
        colours = (latents.flatten(1)[:, :3] > 0).to(torch.uint8) * 255
        if progress is not None:
            progress(len(prompts))
        return Painted(latents, colours[:, None, None].expand(-1, 2, 2, 3))

    def checkout(self, weights: Weights, folder: Path) -> None:
        """Write nothing: this model has no folder."""
        raise NotImplementedError


def _source(text: str) -> torch.Generator:
    digest = Digest(hashlib.sha256(text.encode()).hexdigest())
    return torch.Generator().manual_seed(int(digest[:12], 16))
