"""A diffusers checkpoint as the rest of the package sees it."""

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

    Weights handed to a call hold for that call only.

    Attributes:
        folder: The folder on disk.
        base: The text projections, on the CPU, in the dtype that they have on disk.
        device: Where it computes.
    """

    def __init__(
        self, folder: PipelineFolder, parts: Components, base: Weights
    ) -> None:
        """Use ``load`` instead, which checks that these belong together."""
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
            device: Where it computes.
            dtype: What its UNet computes in; everything else stays in float32.

        Raises:
            ModelError: The folder is no pipeline this tool can paint with, its weights
                are not safetensors, or a component is missing or damaged.
        """
        found = PipelineFolder.read(folder)
        parts, seen, base = Components.load(found, _device(device), dtype)
        names = found.family.projections_of(base)
        loaded = replace(found, seen=seen)
        return cls(loaded, parts, {name: base[name] for name in names})

    @cached_property
    def manifest(self) -> BaseManifest:
        """All that decides its results: tensors, configurations and tokenizers.

        It is what was loaded, whatever lies in the folder now.
        """
        return BaseManifest.made_of(
            str(self.folder.path),
            self.folder.family.name,
            self.folder.seen.records if self.folder.seen else {},
            configs=configs_of(self.folder),
            files=files_of(self.folder),
        )

    @property
    def dtype(self) -> str:
        """What its UNet computes in, by name, such as ``bfloat16``."""
        return str(self._parts.dtype).removeprefix("torch.")

    @property
    def computes(self) -> str:
        """On what and in which dtype it computes: the last bits depend on both.

        What was kept of a model that an earlier version read or painted otherwise is
        named apart.
        """
        several = " several" if self._encoders.knows_several else ""
        told = " guidance" if self._parts.is_told_guidance else ""
        fast = said_of_it() if self.device.type == "cpu" else ""
        return f"{self.device.type} {self._parts.dtype}{several}{told}{fast}"

    @property
    def predicts(self) -> str:
        """What its UNet predicts: ``epsilon`` or ``v_prediction``."""
        return str(self._parts.scheduler.config.get("prediction_type", "epsilon"))

    @property
    def d_text(self) -> int:
        """Width of one encoded token."""
        return int(self._parts.unet.config.cross_attention_dim)

    @property
    def added_tokens(self) -> frozenset[str]:
        """Words that somebody added to its tokenizer, such as ``<cat>``."""
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
            ModelError: What its UNet predicts is no information.
        """
        self.check_denoises()
        return torch.logit(self._signal).float().cpu()

    def check_denoises(self) -> None:
        """Refuse to read nats of a UNet that has guidance built in.

        Distilled to the result of guidance, and mostly to few steps as well, it
        predicts no mean of what the noise hides, which all information is made of.

        Raises:
            ModelError: It has.
        """
        if self._parts.is_told_guidance:
            raise ModelError(
                f"no nats can be read of '{self.folder.path}', and it cannot judge: "
                "guidance is built into its UNet (time_cond_proj_dim), so it predicts "
                "no mean of what the noise hides",
                fix="let a CLIP model judge, --judge FOLDER, by a policy with "
                "information = 0 and nodes = 0 in [probes] and an eraser in closed "
                "form; or erase from the model that it was distilled from",
            )

    def n_tokens(self, prompt: str) -> int:
        """Count the tokens of a prompt, the marks of its beginning and end included.

        The first ``n_tokens`` rows of the encoded prompt are its own, the rest padding.
        """
        return self._encoders.n_tokens(prompt)

    def shortened(self, prompt: str) -> str:
        """Return a prompt, or its longest beginning that is read to the end.

        Trainers cut behind the last token that is read; here that word goes, too.
        """
        return self._encoders.shortened(prompt)

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:
        """Encode prompts, each one alone, so that no prompt changes another's bits.

        The empty prompt is what guidance leads away from: all zeros where the pipeline
        has it so.

        Args:
            prompts: Any number of prompts, the empty one too.
            weights: Tensors that replace the model's own, by full name; those of the
                text encoders count.

        Raises:
            PromptError: A prompt has more tokens than a text encoder reads.
            ValueError: A weight is not one of the model's, or has another shape.
        """
        return self._encoders.encoded(prompts, Overrides.of(self._parts, weights))

    @property
    def tokenizers(self) -> dict[str, Untyped]:
        """What each text encoder's prompts are read by, by the encoder's name."""
        names = [n for n in self.folder.weighed if n.startswith("text_encoder")]
        encoders = self._parts.encoders
        return {n: each for n, (_, each) in zip(names, encoders, strict=True)}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens that the text encoders know, and the vectors they read."""
        return vocabulary_of(self._parts)

    def encode_with(
        self,
        prompts: Sequence[str],
        vectors: Vectors,
        *,
        weights: Weights | None = None,
        added: bool = False,
    ) -> Text:
        """Encode prompts in which vectors stand for words; differentiable in them.

        Args:
            prompts: Each with the mark `given.MARK` once, set off by spaces.
            vectors: Input embeddings that stand there, ``[n, d_i]`` for each encoder.
            weights: Tensors that replace the model's own, by full name.
            added: Whether they are those of tokens behind all others, as a tokenizer
                has them to which they were added.

        Raises:
            PromptError: A prompt has more tokens than a text encoder reads.
            ValueError: A prompt has no mark or several, or something does not fit.
        """
        held = Overrides.of(self._parts, weights)
        given = VectorPrompt(vectors, added=added)
        return encoded_with(self._parts, self._encoders, prompts, given, held)

    def latent(self, prompt: str, seed: int) -> torch.Tensor:
        """Draw the starting noise of a picture from the prompt and the seed alone.

        Returns:
            Unit normal, float32 ``[c, h, w]``, on the CPU.
        """
        source = generator(prompt, seed, use="latent")
        return torch.randn(self.latent_shape, generator=source)

    def noised(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Mix latents with noise as the timesteps ask.

        Args:
            x0: Latents as the UNet sees them, ``[b, c, h, w]``.
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
        """Predict the noise in noised latents; differentiable in every argument.

        Args:
            x_t: Noised latents, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
            text: Encoded prompts, ``b`` of them.
            weights: Tensors that replace the model's own, by full name; those of the
                UNet count.

        A UNet that has guidance built in predicts without it, at a scale of 1.

        Returns:
            Predicted noise ``[b, c, h, w]``, also of a model that predicts velocity.

        Raises:
            ModelError: The UNet is not finite in what it computes in.
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
        if not predicted.requires_grad:  # whoever learns watches the loss
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
        """Return what each layer that hears the text gives to marked tokens.

        Args:
            x_t: Noised latents, ``[b, c, h, w]``.
            t: Timesteps in ``[0, n_steps_trained)``, int64 ``[b]`` or one for all.
            text: Encoded prompts, ``b`` of them.
            marks: Which tokens are marked, bool ``[b, length]``.
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
            sampling: Steps, guidance and how many pictures at once.
            weights: Tensors that replace the model's own, by full name.
            progress: Told after each step how many pictures' worth of work is done, up
                to ``len(prompts)``.
            texts: What is painted instead of the prompts, one a picture; they still
                fix the starting noise.

        Raises:
            ModelError: A network is not finite in what it computes in.
            PromptError: A prompt has more tokens than the text encoder reads.
            ValueError: Not as many seeds or texts as prompts, or a weight that does
                not fit.
        """
        if {len(prompts)} != {len(seeds), len(prompts if texts is None else texts)}:
            said = "" if texts is None else f" and {len(texts)} texts"
            message = f"{len(prompts)} prompts but {len(seeds)} seeds{said}"
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
        """Encode pictures with the autoencoder; the mean, so nothing is drawn.

        Args:
            pictures: RGB of the model's own size, uint8 ``[n, height, width, 3]``.

        Returns:
            Latents as the UNet sees them, float32 ``[n, c, h, w]``, on the CPU.

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
        """Return a copy of the UNet that learns; the model itself stays as it is.

        Args:
            method: What learns: ``full``, ``attention`` or ``lora``.
            weights: Tensors that replace the model's own, by full name; those of the
                UNet count.
            rank: Of a LoRA.
            generator: Where the first random numbers of a LoRA come from.

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
        """Compute with less memory from now on, more slowly and to the same result.

        The first call lets the UNet's blocks be computed again on the way back instead
        of being kept; the second attends to pictures one after another.

        Returns:
            Whether there was something left to save.
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
            folder: Where to; must not exist yet, or be empty.
            card: What its README says; None to copy what was written of this model.

        Raises:
            UsageError: The folder cannot be written or holds something.
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
        """Give the shares of latent and noise at timesteps, each ``[b, 1, 1, 1]``."""
        signal = self._signal[t.to(self.device)].reshape(-1, 1, 1, 1)
        return signal.sqrt().float(), (1 - signal).sqrt().float()


def _device(name: str | torch.device) -> torch.device:
    """Return a device that is there.

    Raises:
        UsageError: There is none of that name here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"there is no device '{name}' here: {str(error).splitlines()[0]}",
            fix="compute on the cpu: --device cpu",
        ) from error
    return device


def _counting(
    progress: Callable[[int], None] | None, begin: int, n: int
) -> Callable[[float], None]:
    """Turn shares of a batch of ``n`` pictures into a count of all pictures."""

    def tell(share: float) -> None:
        if progress is not None:
            progress(begin + int(share * n))

    return tell
