"""The identity of a loaded diffusers folder: its files, shapes and noise levels."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import torch

from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.models.base_identity import configs_of, files_of
from unlearnlog.models.components import Components
from unlearnlog.models.encoding import Encoders
from unlearnlog.models.fastcpu.switch import said_of_it
from unlearnlog.models.pipeline_folder import PipelineFolder
from unlearnlog.models.pipeline_writer import check_out
from unlearnlog.models.textual_inversion import (
    Vocabulary,
    vocabulary_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.components import Untyped

_LEAST_SIGNAL: Final = 2.0**-24  # keeps the log SNR of pure noise finite


class LoadedModel:
    """A Stable Diffusion pipeline folder, read once and never changed.

    Attributes:
        folder: The folder on disk.
        base: The text projections, on the CPU, in the dtype that they have on disk.
        device: The device that it computes on.
        ranks: The processes that paint together.
    """

    def __init__(
        self, folder: PipelineFolder, parts: Components, base: Weights
    ) -> None:
        """Use ``load`` instead, which checks that the arguments belong together."""
        self.folder = folder
        self.device = parts.device
        self.ranks: Ranks = OneProcess()
        self._parts = parts
        self._encoders = Encoders(parts, empty_is_zero=folder.empty_is_zero)
        self.base: Weights = base
        signal = parts.scheduler.alphas_cumprod.double().clamp(min=_LEAST_SIGNAL)
        self._signal: torch.Tensor = signal  # float64, which not every device has

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
        return torch.logit(self._signal).float()

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

    def _scales(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shares of latent and noise at timesteps, each ``[b, 1, 1, 1]``."""
        signal = self._signal[t.cpu()].reshape(-1, 1, 1, 1)
        kept, lost = signal.sqrt().float(), (1 - signal).sqrt().float()
        return kept.to(self.device), lost.to(self.device)


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
