"""The model of a diffusers folder: encode, predict noise, paint and train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import torch

from unlearnlog.core.memory import is_out_of_memory, out_of_memory
from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.interface import (
    Method,
    Painted,
    Place,
    PromptRows,
    Sampling,
    Text,
)
from unlearnlog.models.loaded_model import LoadedModel
from unlearnlog.models.overrides import Overrides
from unlearnlog.models.prompt_dedup import spared
from unlearnlog.models.sampling import LatentBatch, generator
from unlearnlog.models.textual_inversion import VectorPrompt, Vectors, encoded_with
from unlearnlog.models.trainer import NetworkTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.ranks import Ranks


@final
class DiffusersModel(LoadedModel):
    """A loaded model that computes; the weights of a call apply to that call only."""

    def n_tokens(self, prompt: str) -> int:
        """Return a prompt's number of tokens, including the begin and end tokens.

        The first ``n_tokens`` rows of the encoded prompt are its own, the rest padding.
        """
        return self._encoders.n_tokens(prompt)

    def tokenized(self, prompt: str) -> PromptRows | None:
        """Return what each row of an encoded prompt stands for; None for CLIP alone."""
        return self._backbone.tokenized(prompt)

    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return what the matrices of a place read, float32 ``[n, length, d]``.

        Rows that the network does not read are zeros.

        Raises:
            ValueError: The place is that of joint attention, which reads the picture.
        """
        return self._backbone.read_by(text, place)

    def shortened(self, prompt: str) -> str:
        """Return a prompt, or its longest beginning that the text encoders read.

        Trainers cut after the last token that is read; here a cut word goes, too.
        """
        return self._encoders.shortened(prompt)

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:
        """Return encoded prompts, each encoded alone, so that none affects another.

        The empty prompt, for guidance, is all zeros where the pipeline's is.

        Args:
            prompts: Any number of prompts, including the empty one.
            weights: Tensors that replace the model's own, by full name; those of the
                text encoders count.

        Raises:
            PromptError: A prompt has more tokens than a text encoder reads.
            ValueError: A weight is not one of the model's, or has another shape.
        """
        return self._encoders.encoded(prompts, Overrides.of(self._parts, weights))

    def rows_at(self, prompts: Sequence[str], places: Sequence[int]) -> torch.Tensor:
        """Return one row of each encoded prompt, float32 ``[n, d_text]``.

        Of CLIP alone it is computed of the tokens up to it, which are all it depends
        on, many prompts at once; the last bits may be others than those of ``encode``.

        Args:
            prompts: Any prompts.
            places: The row of each.

        Raises:
            PromptError: A prompt has more tokens than a text encoder reads.
        """
        return self._encoders.rows_at(prompts, places)

    def encode_with(
        self,
        prompts: Sequence[str],
        vectors: Vectors,
        *,
        weights: Weights | None = None,
        added: bool = False,
    ) -> Text:
        """Return encoded prompts with vectors in place of words; differentiable.

        Args:
            prompts: Each with one `textual_inversion.MARK`, separated by spaces.
            vectors: Input embeddings at the mark, ``[n, d_i]`` for each encoder.
            weights: Tensors that replace the model's own, by full name.
            added: Whether the vectors get token numbers after all others, as tokens
                that were added to a tokenizer.

        Raises:
            PromptError: A prompt has more tokens than a text encoder reads.
            ValueError: A prompt has no mark or several, or vectors do not fit.
        """
        held = Overrides.of(self._parts, weights)
        given = VectorPrompt(vectors, added=added)
        return encoded_with(self._parts, self._encoders, prompts, given, held)

    def latent(self, prompt: str, seed: int) -> torch.Tensor:
        """Return the starting noise of a picture, from the prompt and the seed alone.

        Returns:
            Unit normal, float32 ``[c, h, w]``, on the CPU.
        """
        source = generator(prompt, seed, use="latent")
        return torch.randn(self.latent_shape, generator=source)

    def noised(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Return latents noised to their timesteps, ``[b, c, h, w]``.

        Args:
            x0: Latents on the network's scale, ``[b, c, h, w]``.
            noise: Unit normal, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
        """
        kept, lost = self._backbone.scales(t)
        return (kept * x0.to(self.device) + lost * noise.to(self.device)).cpu()

    def eps(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        *,
        weights: Weights | None = None,
    ) -> torch.Tensor:
        """Return the noise in noised latents; differentiable in every argument.

        A network with built-in guidance predicts at a scale of 1.

        Args:
            x_t: Noised latents, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
            text: Encoded prompts, ``b`` of them.
            weights: Tensors that replace the model's own, by full name; those of the
                network count.

        Returns:
            Predicted noise ``[b, c, h, w]``, also of a model that predicts velocity.

        Raises:
            ModelError: The network's result is not finite in its dtype.
            ValueError: A weight is not one of the model's, or has another shape.
        """
        x_t, t = x_t.to(self.device), t.to(self.device)
        return spared(lambda: self._eps(x_t, t, text, weights))

    def _eps(
        self, x_t: torch.Tensor, t: torch.Tensor, text: Text, weights: Weights | None
    ) -> torch.Tensor:
        held = Overrides.of(self._parts, weights)
        predicted = self._backbone.predicted(x_t, t, text, held)
        if not predicted.requires_grad:  # a trainer checks its loss
            given = [x_t, text.tokens]
            check_finite(predicted, self._named, self._parts.dtype, given)
        return self._backbone.noise_in(predicted, x_t, t).cpu()

    @property
    def _named(self) -> str:
        """The network's name in messages."""
        return "UNet" if self._parts.family.rules is None else "transformer"

    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        marks: torch.Tensor,
        *,
        weights: Weights | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return the attention of each layer that reads the text to marked tokens.

        Args:
            x_t: Noised latents, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
            text: Encoded prompts, ``b`` of them.
            marks: Mask of the marked tokens, bool ``[b, length]``.
            weights: Tensors of the network that replace its own, by full name.

        Returns:
            Probabilities by the layer's full name, ``[n_marked, heads, n_positions]``,
            marked tokens in the order of pictures; differentiable like `eps`.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        x_t, t = x_t.to(self.device), t.to(self.device)
        held = Overrides.of(self._parts, weights)
        found = self._backbone.attention(x_t, t, text, marks, held)
        return {name: attention.cpu() for name, attention in found.items()}

    def paint(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampling: Sampling,
        weights: Weights | None = None,
        progress: Callable[[int], None] | None = None,
        texts: Text | None = None,
    ) -> Painted:
        """Paint one picture for each pair of prompt and seed.

        Args:
            prompts: One prompt a picture.
            seeds: One seed a picture; with the prompt it fixes the starting noise.
            sampling: Steps, guidance and batch size.
            weights: Tensors that replace the model's own, by full name.
            progress: Callback after each step, with the work done so far in pictures,
                up to ``len(prompts)``.
            texts: Encoded prompts to paint instead, one a picture; ``prompts`` still
                fix the starting noise.

        Raises:
            ModelError: A network's result is not finite in its dtype.
            PromptError: A prompt has more tokens than the text encoder reads.
            UnlearnlogError: There is not enough memory.
            ValueError: Not as many seeds or texts as prompts, or a weight that does
                not fit.
        """
        if {len(prompts)} != {len(seeds), len(prompts if texts is None else texts)}:
            more = "" if texts is None else f" and {len(texts)} texts"
            message = f"{len(prompts)} prompts but {len(seeds)} seeds{more}"
            raise ValueError(message)
        given = []
        for begin in range(0, len(prompts), sampling.batch):
            part = slice(begin, begin + sampling.batch)
            encoded = None if texts is None else texts[part]
            given.append(_Batch(begin, prompts[part], seeds[part], encoded))
        made = self._made(given, sampling, weights, progress)
        none = Painted(
            torch.empty(0, *self.latent_shape),
            torch.empty(0, *self.picture_shape, dtype=torch.uint8),
        )
        return Painted(
            latents=torch.cat([each.latents for each in (none, *made)]),
            pictures=torch.cat([each.pictures for each in (none, *made)]),
        )

    def _made(
        self,
        given: Sequence[_Batch],
        sampling: Sampling,
        weights: Weights | None,
        progress: Callable[[int], None] | None,
    ) -> list[Painted]:
        """Paint batches; where memory runs out, use less and start again.

        Raises:
            UnlearnlogError: Memory use cannot be reduced further.
        """
        while True:
            try:
                if self.ranks.size == 1:
                    held = Overrides.of(self._parts, weights)
                    return [self._painted(b, sampling, held, progress) for b in given]
                order = partial(_painted_batch, self, sampling, weights)
                done = None if progress is None else _whole(progress, given)
                return self.ranks.mapped(order, given, done)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if not self.ranks.together(_saving_memory, self):
                    n = max(len(batch.prompts) for batch in given)
                    doing = f"on {self.device} to paint {n} pictures at once"
                    raise out_of_memory(doing) from error

    def _painted(
        self,
        given: _Batch,
        sampling: Sampling,
        held: Overrides,
        progress: Callable[[int], None] | None = None,
    ) -> Painted:
        """Paint one batch; with the same arguments the same bits in any process."""
        canvas = self._canvas(given.prompts, given.seeds, held, given.texts)
        tell = _counting(progress, given.begin, len(canvas.latents))
        return self._backbone.painted(canvas, sampling=sampling, held=held, tell=tell)

    def latents_of(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of pictures: the mean of the autoencoder's distribution.

        Args:
            pictures: RGB of the model's own size, uint8 ``[n, height, width, 3]``.

        Returns:
            Latents on the network's scale, float32 ``[n, c, h, w]``, on the CPU.

        Raises:
            ValueError: The pictures are of another size.
        """
        if tuple(pictures.shape[1:]) != self.picture_shape:
            shapes = f"{list(pictures.shape[1:])}, the model's {self.picture_shape}"
            message = f"pictures are {shapes}"
            raise ValueError(message)
        with torch.inference_mode():
            return self._backbone.encoded(pictures).clone()

    def learner(
        self,
        method: Method,
        *,
        weights: Weights | None = None,
        rank: int = 8,
        generator: torch.Generator,
    ) -> NetworkTrainer:
        """Return a trainable copy of the network; the model itself is not changed.

        Args:
            method: The parameters to train: ``full``, ``attention`` or ``lora``.
            weights: Tensors that replace the model's own, by full name; those of the
                network count.
            rank: Rank of a LoRA.
            generator: Generator of a LoRA's initial values.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        return NetworkTrainer.of(
            self._backbone,
            weights,
            method=method,
            adapter=(rank, generator),
        )

    def _canvas(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        held: Overrides,
        given: Text | None,
    ) -> LatentBatch:
        distinct = ["", *sorted(set(prompts) - {""})]
        row_of = {prompt: row for row, prompt in enumerate(distinct)}
        rows = torch.tensor([row_of[prompt] for prompt in prompts])
        if given is None:
            texts = self._encoders.encoded(distinct, held)
        else:
            texts = Text.joined([self._encoders.encoded([""], held), given])
            rows = torch.arange(len(given)) + 1
        pairs = list(zip(prompts, seeds, strict=True))
        return LatentBatch(
            latents=torch.stack([self.latent(*pair) for pair in pairs]).to(self.device),
            texts=texts,
            rows=rows.to(self.device),
            generators=[generator(*pair, use="step") for pair in pairs],
        )


@dataclass(frozen=True, eq=False)
class _Batch:
    """Pictures that are painted at once.

    Attributes:
        begin: The place of the first one among all.
        prompts: One prompt a picture.
        seeds: One seed a picture.
        texts: Encoded prompts to paint instead, or None.
    """

    begin: int
    prompts: Sequence[str]
    seeds: Sequence[int]
    texts: Text | None


def _painted_batch(
    model: DiffusersModel, sampling: Sampling, weights: Weights | None, given: _Batch
) -> Painted:
    """Paint a batch that another process ordered."""
    return model._painted(given, sampling, Overrides.of(model._parts, weights))


def _saving_memory(model: DiffusersModel, _: Ranks) -> bool:
    """Compute with less memory from now on, in every process; return whether it can."""
    return model.save_memory()


def _whole(
    progress: Callable[[int], None], given: Sequence[_Batch]
) -> Callable[[int], None]:
    """Return a callback of painted batches that reports painted pictures."""
    return lambda n: progress(sum(len(batch.prompts) for batch in given[:n]))


def _counting(
    progress: Callable[[int], None] | None, begin: int, n: int
) -> Callable[[float], None]:
    """Return a callback of a batch's share that reports the count of all pictures."""

    def report(share: float) -> None:
        if progress is not None:
            progress(begin + int(share * n))

    return report
