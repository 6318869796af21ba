"""The identity of a loaded diffusers folder: its files, shapes and noise levels."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import torch

from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.errors import UsageError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.models.base_identity import configs_of, files_of
from unlearnlog.models.base_weights import BaseWeights
from unlearnlog.models.components import Components
from unlearnlog.models.distillation import SETTINGS
from unlearnlog.models.pipeline_folder import PipelineFolder
from unlearnlog.models.pipeline_writer import check_out
from unlearnlog.models.textual_inversion import (
    Vocabulary,
    vocabulary_of,
)
from unlearnlog.models.transformer_backbone import TransformerBackbone
from unlearnlog.models.unet_backbone import UnetBackbone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.backbone import Backbone
    from unlearnlog.models.components import Untyped
    from unlearnlog.models.interface import Place


class LoadedModel:
    """A pipeline folder, read once and never changed.

    Attributes:
        folder: The folder on disk.
        base: The text projections, on the CPU, in the dtype that they have on disk;
            a lookup answers for any other tensor, too.
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
        self._backbone = _backbone(folder, parts)
        self._encoders = self._backbone.encoders
        stored = folder.stored(*folder.weighed)
        self.base: Weights = BaseWeights(base, stored)

    @classmethod
    def load(
        cls,
        folder: Path | PipelineFolder,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        side: int | None = None,
        offloads: bool = False,
    ) -> Self:
        """Load a pipeline folder.

        Args:
            folder: A diffusers folder, or the description of a base.
            device: The device to compute on.
            dtype: Dtype that the network computes in; see `Components` for the others.
            side: Width and height of pictures in pixels; None for the model's own.
            offloads: Whether text encoders are loaded, used and dropped; of a
                transformer's pipeline.

        Raises:
            ModelError: The folder is no supported pipeline, its weights are not
                safetensors, or a component is missing or damaged.
            UsageError: A UNet's pictures cannot have another size.
        """
        if isinstance(folder, PipelineFolder):
            found = folder
        else:
            found = PipelineFolder.read(folder)
        if side is not None and found.family.rules is None:
            raise UsageError(
                f"the pictures of '{found.path}' have one size, which its UNet was "
                f"made for, and cannot have a side of {side}",
                fix="take it out of the configuration: unlearnlog config unset side",
            )
        parts, seen, base = Components.load(
            found, _device(device), dtype, offloads=offloads and found.is_large
        )
        names = found.family.projections_of(base)
        loaded = replace(found, seen=seen)
        sized = replace(parts, side=side)
        return cls(loaded, sized, {name: base[name] for name in names})

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
        return f"{self.device.type} {self._parts.dtype}{self._backbone.marks}"

    @property
    def predicts(self) -> str:
        """The prediction type of the network, by diffusers' name.

        ``epsilon`` or ``v_prediction``; ``flow_prediction`` of flow matching.
        """
        return self._backbone.predicts

    @property
    def places(self) -> Mapping[str, Place]:
        """The place of each tensor of ``base`` in the network."""
        family = self.folder.family
        return {name: family.place_of(name) for name in self.base}

    @property
    def side(self) -> int | None:
        """Width and height of pictures in pixels; None for the model's own."""
        return self._parts.side

    @property
    def d_text(self) -> int:
        """Width of one encoded token."""
        return self._backbone.d_text

    @property
    def added_tokens(self) -> frozenset[str]:
        """Tokens that were added to its tokenizer, such as ``<cat>``."""
        tokenizer, *_ = self._parts.tokenizers.values()
        return frozenset(tokenizer.get_added_vocab()) - {*tokenizer.all_special_tokens}

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        return self._backbone.latent_shape

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        _, height, width = self.latent_shape
        enlarged = self._backbone.enlarged
        return height * enlarged, width * enlarged, 3

    @property
    def n_steps_trained(self) -> int:
        """Number of noise levels that the model was trained on, T."""
        return len(self._backbone.shares[0])

    @cached_property
    def log_snr(self) -> torch.Tensor:
        """Log of signal power over noise power at each timestep, float32 ``[T]``."""
        return self._backbone.log_snr

    @cached_property
    def no_nats(self) -> str:
        """Why no information can be computed from its predictions; empty if it can.

        A network that is distilled to the result of guidance, or to few steps, predicts
        no posterior mean.
        """
        configs = {
            **self.folder.configs,
            "scheduler": self.folder.scheduler,
            SETTINGS: self.folder.settings,
        }
        return self.folder.family.distilled(configs)

    @property
    def tokenizers(self) -> dict[str, Untyped]:
        """Tokenizer of each text encoder, by the encoder's name."""
        return dict(self._parts.tokenizers)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the text encoders, with their vectors."""
        return vocabulary_of(self._parts)

    def try_shapes(self, network: Untyped) -> None:
        """Try a prediction of a network without numbers, see `meta_trial`.

        Raises:
            ValueError: A prediction has another shape than its latents.
        """
        self._backbone.try_shapes(network)

    def save_memory(self) -> bool:
        """Compute with less memory from now on, more slowly and with the same results.

        Returns:
            Whether memory use was reduced.
        """
        return self._backbone.save_memory()

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


def _backbone(folder: PipelineFolder, parts: Components) -> Backbone:
    """Return a pipeline's network behind the interface of its kind."""
    if folder.family.rules is None:
        return UnetBackbone(parts, empty_is_zero=folder.empty_is_zero)
    return TransformerBackbone(parts, folder.family.rules)


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
