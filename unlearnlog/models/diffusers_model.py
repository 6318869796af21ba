"""The model of a diffusers folder: encode, predict noise, paint, train and write."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self, final

import torch

from unlearnlog.errors import ModelError, UsageError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.models.base_identity import configs_of, files_of
from unlearnlog.models.components import Components
from unlearnlog.models.encoding import Encoders
from unlearnlog.models.fastcpu.switch import said_of_it
from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.interface import Method, Painted, Sampling, Text
from unlearnlog.models.overrides import Overrides
from unlearnlog.models.pipeline_folder import PipelineFolder
from unlearnlog.models.pipeline_writer import check_out
from unlearnlog.models.prompt_dedup import spared, told_apart
from unlearnlog.models.sampling import (
    Conditioning,
    LatentBatch,
    encoded,
    generator,
    painted,
    predictor,
)
from unlearnlog.models.text_kv_cache import MarkedAttention
from unlearnlog.models.textual_inversion import (
    VectorPrompt,
    Vectors,
    Vocabulary,
    encoded_with,
    vocabulary_of,
    with_nothing,
)
from unlearnlog.models.trainer import UnetTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.components import Untyped

_LEAST_SIGNAL: Final = 2.0**-24  # keeps the log SNR of pure noise finite


@final
class DiffusersModel:
    """A Stable Diffusion pipeline folder, read once and never changed.

    The weights of a call apply to that call only.

    Attributes:
        folder: The folder on disk.
        base: The text projections, on the CPU, in the dtype that they have on disk.
        device: The device that it computes on.
    """

    def __init__(
        self, folder: PipelineFolder, parts: Components, base: Weights
    ) -> None:
        """Use ``load`` instead, which checks that the arguments belong together."""
        self.folder = folder
        self.device = parts.device
        self._parts = parts
        self._encoders = Encoders(parts, empty_is_zero=folder.empty_is_zero)
        self.base: Weights = base
        signal = parts.scheduler.alphas_cumprod.double().clamp(min=_LEAST_SIGNAL)
        self._signal = signal.to(parts.device)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a pipeline folder.

        Args:
            folder: A diffusers folder.
            device: The device to compute on.
            dtype: Dtype that the UNet computes in; the other networks use float32.

        Raises:
            ModelError: The folder is no supported pipeline, its weights are not
                safetensors, or a component is missing or damaged.
        """
        found = PipelineFolder.read(folder)
        parts, seen, base = Components.load(found, _device(device), dtype)
        names = found.family.projections_of(base)
        loaded = replace(found, seen=seen)
        return cls(loaded, parts, {name: base[name] for name in names})

    @cached_property
    def manifest(self) -> BaseManifest:
        """The tensors, configurations and tokenizers, as they were loaded."""
        return BaseManifest.made_of(
            str(self.folder.path),
            self.folder.family.name,
            self.folder.seen.records if self.folder.seen else {},
            configs=configs_of(self.folder),
            files=files_of(self.folder),
        )

    @property
    def dtype(self) -> str:
        """Name of the dtype that the UNet computes in, such as ``bfloat16``."""
        return str(self._parts.dtype).removeprefix("torch.")

    @property
    def computes(self) -> str:
        """The part of a cache key for device and dtype, which change the last bits.

        More words mark models that an earlier version painted differently.
        """
        several = " several" if self._encoders.knows_several else ""
        told = " guidance" if self._parts.is_told_guidance else ""
        fast = said_of_it() if self.device.type == "cpu" else ""
        return f"{self.device.type} {self._parts.dtype}{several}{told}{fast}"

    @property
    def predicts(self) -> str:
        """The prediction type of the UNet: ``epsilon`` or ``v_prediction``."""
        return str(self._parts.scheduler.config.get("prediction_type", "epsilon"))

    @property
    def d_text(self) -> int:
        """Width of one encoded token."""
        return int(self._parts.unet.config.cross_attention_dim)

    @property
    def added_tokens(self) -> frozenset[str]:
        """Tokens that were added to its tokenizer, such as ``<cat>``."""
        (_, tokenizer), *_ = self._parts.encoders
        return frozenset(tokenizer.get_added_vocab()) - {*tokenizer.all_special_tokens}

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        config = self._parts.unet.config
        size = config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        return int(config.in_channels), int(height), int(width)

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        _, height, width = self.latent_shape
        enlarged = 2 ** (len(self._parts.vae.config.block_out_channels) - 1)
        return height * enlarged, width * enlarged, 3

    @property
    def n_steps_trained(self) -> int:
        """Number of noise levels that the model was trained on, T."""
        return len(self._signal)

    @cached_property
    def log_snr(self) -> torch.Tensor:
        """Log of signal power over noise power at each timestep, float32 ``[T]``.

        Raises:
            ModelError: Guidance is built into its UNet.
        """
        self.check_denoises()
        return torch.logit(self._signal).float().cpu()

    def check_denoises(self) -> None:
        """Refuse to measure nats with a UNet that has guidance built in.

        It is distilled to the result of guidance, and mostly to few steps as well, so
        it does not predict the posterior mean, which the information is computed from.

        Raises:
            ModelError: Guidance is built into its UNet.
        """
        if self._parts.is_told_guidance:
            raise ModelError(
                f"no nats can be measured with '{self.folder.path}', and it cannot "
                "judge: guidance is built into its UNet (time_cond_proj_dim), so it "
                "does not predict the posterior mean",
                fix="use a CLIP model as the judge, --judge FOLDER, and a policy with "
                "information = 0 and nodes = 0 in [probes] and an eraser in closed "
                "form; or erase from the model that it was distilled from",
            )

    def n_tokens(self, prompt: str) -> int:
        """Return a prompt's number of tokens, including the begin and end tokens.

        The first ``n_tokens`` rows of the encoded prompt are its own, the rest padding.
        """
        return self._encoders.n_tokens(prompt)

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

    @property
    def tokenizers(self) -> dict[str, Untyped]:
        """Tokenizer of each text encoder, by the encoder's name."""
        names = [n for n in self.folder.weighed if n.startswith("text_encoder")]
        encoders = self._parts.encoders
        return {n: each for n, (_, each) in zip(names, encoders, strict=True)}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the text encoders, with their vectors."""
        return vocabulary_of(self._parts)

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
            x0: Latents on the UNet's scale, ``[b, c, h, w]``.
            noise: Unit normal, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
        """
        kept, lost = self._scales(t)
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

        A UNet with built-in guidance predicts at a scale of 1.

        Args:
            x_t: Noised latents, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
            text: Encoded prompts, ``b`` of them.
            weights: Tensors that replace the model's own, by full name; those of the
                UNet count.

        Returns:
            Predicted noise ``[b, c, h, w]``, also of a model that predicts velocity.

        Raises:
            ModelError: The UNet's result is not finite in its dtype.
            ValueError: A weight is not one of the model's, or has another shape.
        """
        x_t, t = x_t.to(self.device), t.to(self.device)
        return spared(lambda: self._eps(x_t, t, text, weights))

    def _eps(
        self, x_t: torch.Tensor, t: torch.Tensor, text: Text, weights: Weights | None
    ) -> torch.Tensor:
        distinct, rows = told_apart(text)
        held = Overrides.of(self._parts, weights).unet
        predict = predictor(
            self._parts, Conditioning(distinct, rows.to(self.device)), held
        )
        predicted = predict(x_t, t)
        if not predicted.requires_grad:  # a trainer checks its loss
            check_finite(predicted, "UNet", self._parts.dtype, [x_t, text.tokens])
        if self.predicts == "v_prediction":
            kept, lost = self._scales(t)
            predicted = kept * predicted + lost * x_t
        return predicted.cpu()

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
            weights: Tensors of the UNet that replace its own, by full name.

        Returns:
            Probabilities by the layer's full name, ``[n_marked, heads, n_positions]``,
            marked tokens in the order of pictures; differentiable like `eps`.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        marked = MarkedAttention(marks.to(self.device))
        rows = torch.arange(len(text), device=self.device)
        held = Overrides.of(self._parts, weights).unet
        predict = predictor(self._parts, Conditioning(text, rows), held, marked)
        predict(x_t.to(self.device), t.to(self.device))
        layers = self._parts.listening
        return {
            f"unet.{name}": marked.found[layer].cpu() for name, layer in layers.items()
        }

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
            ValueError: Not as many seeds or texts as prompts, or a weight that does
                not fit.
        """
        if {len(prompts)} != {len(seeds), len(prompts if texts is None else texts)}:
            more = "" if texts is None else f" and {len(texts)} texts"
            message = f"{len(prompts)} prompts but {len(seeds)} seeds{more}"
            raise ValueError(message)
        held = Overrides.of(self._parts, weights)
        latents = [torch.empty(0, *self.latent_shape)]
        pictures = [torch.empty(0, *self.picture_shape, dtype=torch.uint8)]
        for begin in range(0, len(prompts), sampling.batch):
            part = slice(begin, begin + sampling.batch)
            given = None if texts is None else texts[part]
            canvas = self._canvas(prompts[part], seeds[part], held, given)
            tell = _counting(progress, begin, len(canvas.latents))
            made = painted(self._parts, canvas, sampling=sampling, held=held, tell=tell)
            latents.append(made.latents)
            pictures.append(made.pictures)
        return Painted(latents=torch.cat(latents), pictures=torch.cat(pictures))

    def latents_of(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of pictures: the mean of the autoencoder's distribution.

        Args:
            pictures: RGB of the model's own size, uint8 ``[n, height, width, 3]``.

        Returns:
            Latents on the UNet's scale, float32 ``[n, c, h, w]``, on the CPU.

        Raises:
            ValueError: The pictures are of another size.
        """
        if tuple(pictures.shape[1:]) != self.picture_shape:
            shapes = f"{list(pictures.shape[1:])}, the model's {self.picture_shape}"
            message = f"pictures are {shapes}"
            raise ValueError(message)
        with torch.inference_mode():
            return encoded(self._parts, pictures, {}).clone()

    def learner(
        self,
        method: Method,
        *,
        weights: Weights | None = None,
        rank: int = 8,
        generator: torch.Generator,
    ) -> UnetTrainer:
        """Return a trainable copy of the UNet; the model itself is not changed.

        Args:
            method: The parameters to train: ``full``, ``attention`` or ``lora``.
            weights: Tensors that replace the model's own, by full name; those of the
                UNet count.
            rank: Rank of a LoRA.
            generator: Generator of a LoRA's initial values.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        return UnetTrainer.of(
            self._parts,
            weights,
            self._scales,
            method=method,
            adapter=(rank, generator),
        )

    def save_memory(self) -> bool:
        """Compute with less memory from now on, more slowly and with the same results.

        The first call turns on gradient checkpointing in the UNet; the second computes
        attention for one picture after another.

        Returns:
            Whether memory use was reduced.
        """
        parts = self._parts
        if not parts.unet.is_gradient_checkpointing:
            parts.unet.enable_gradient_checkpointing()
            return True
        if parts.attention.one_by_one:
            return False
        parts.attention.one_by_one = True
        return True

    def checkout(
        self, weights: Weights, folder: Path, *, card: str | None = None
    ) -> None:
        """Write the model with these weights as a plain diffusers folder.

        Args:
            weights: Tensors by full name, in the dtype that they have on disk.
            folder: The new folder; it does not exist yet, or is empty.
            card: Its README; None to copy this model's documents.

        Raises:
            UsageError: The folder cannot be written or is not empty.
            DiskFull: No room was left; nothing is left behind.
            ValueError: A weight is not one of the model's, or does not fit.
        """
        check_out(self.folder, weights, target=folder, card=card)

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
            texts = with_nothing(self._encoders.encoded([""], held), given)
            rows = torch.arange(len(given)) + 1
        pairs = list(zip(prompts, seeds, strict=True))
        return LatentBatch(
            latents=torch.stack([self.latent(*pair) for pair in pairs]).to(self.device),
            texts=texts,
            rows=rows.to(self.device),
            generators=[generator(*pair, use="step") for pair in pairs],
        )

    def _scales(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shares of latent and noise at timesteps, each ``[b, 1, 1, 1]``."""
        signal = self._signal[t.to(self.device)].reshape(-1, 1, 1, 1)
        return signal.sqrt().float(), (1 - signal).sqrt().float()


def _device(name: str | torch.device) -> torch.device:
    """Return a device of this machine.

    Raises:
        UsageError: This machine has none of that name.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"no device '{name}' on this machine: {str(error).splitlines()[0]}",
            fix="compute on the cpu: --device cpu",
        ) from error
    return device


def _counting(
    progress: Callable[[int], None] | None, begin: int, n: int
) -> Callable[[float], None]:
    """Return a callback of a batch's share that reports the count of all pictures."""

    def report(share: float) -> None:
        if progress is not None:
            progress(begin + int(share * n))

    return report
