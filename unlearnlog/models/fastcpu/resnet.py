"""Faster blocks of a UNet: residual blocks, time embeddings and transformers.

A residual block of diffusers makes a new tensor for each sum and divides the last one
by a factor that is 1 in every Stable Diffusion model; a transformer copies its result
into another layout. New memory costs as much as the sum itself, so these blocks work in
place; and equal halves of a batch are computed once.
"""

from __future__ import annotations

from typing import Self

import torch
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from unlearnlog.models.cfg_dedup import are_twins, doubled, half_of
from unlearnlog.models.fastcpu.standing import standing_for
from unlearnlog.models.fastcpu.switch import may_be_fast


class FastResnet(ResnetBlock2D):  # type: ignore[misc]  # diffusers is untyped
    """A plain residual block of two convolutions that adds in place."""

    @classmethod
    def of(cls, block: ResnetBlock2D) -> Self:
        """Return the replacement of a plain block, with the same layers."""
        return standing_for(block, cls)

    def forward(
        self, input_tensor: torch.Tensor, temb: torch.Tensor | None
    ) -> torch.Tensor:
        """Return ``[b, c, height, width]``; diffusers fixes the arguments' names.

        Args:
            input_tensor: Pictures.
            temb: The timestep's embedding, ``[b, d]``, or ``[1, d]`` for all of them.
        """
        if self.training or not may_be_fast(input_tensor):
            result: torch.Tensor = super().forward(input_tensor, temb)
            return result
        if is_one_time(temb) and are_twins(input_tensor):
            return doubled(self._quickly(half_of(input_tensor), temb))
        return self._quickly(input_tensor, temb)

    def _quickly(self, given: torch.Tensor, time: torch.Tensor | None) -> torch.Tensor:
        made: torch.Tensor = self.conv1(self.nonlinearity(self.norm1(given)))
        if time is not None:
            made += self.time_emb_proj(self.nonlinearity(time))[:, :, None, None]
        made = self.conv2(self.nonlinearity(self.norm2(made)))
        made += given if self.conv_shortcut is None else self.conv_shortcut(given)
        return made


class FastTimeEmbedding(TimestepEmbedding):  # type: ignore[misc]  # diffusers is untyped
    """An embedding of timesteps that computes equal rows once."""

    @classmethod
    def of(cls, layer: TimestepEmbedding) -> Self:
        """Return the replacement of a layer, with the same projections."""
        return standing_for(layer, cls)

    def forward(
        self, sample: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the embedding of ``[b, d]``, ``[1, d]`` where all rows are equal."""
        alone = condition is None and may_be_fast(sample)
        if alone and torch.equal(sample, sample[:1].expand_as(sample)):
            sample = sample[:1]
        result: torch.Tensor = super().forward(sample, condition)
        return result


class FastTransformer(Transformer2DModel):  # type: ignore[misc]  # untyped
    """A transformer of pictures that keeps the channels-last layout."""

    @classmethod
    def of(cls, layer: Transformer2DModel) -> Self:
        """Return the replacement of a layer, with the same blocks."""
        return standing_for(layer, cls)

    def _get_output_for_continuous_inputs(
        self,
        hidden_states: torch.Tensor,
        residual: torch.Tensor,
        batch_size: int,
        height: int,
        width: int,
        inner_dim: int,
    ) -> torch.Tensor:
        """Return ``[b, height * width, d]`` projected; diffusers fixes the names."""
        size = (batch_size, height, width, inner_dim)
        if not may_be_fast(hidden_states):
            result: torch.Tensor = super()._get_output_for_continuous_inputs(
                hidden_states, residual, *size
            )
            return result
        if self.use_linear_projection:
            hidden_states = self.proj_out(hidden_states)
        made = hidden_states.reshape(size).permute(0, 3, 1, 2)
        if not self.use_linear_projection:
            made = self.proj_out(made)
        made += residual
        return made


def is_one_time(time: torch.Tensor | None) -> bool:
    """Return whether there is no time embedding, or one for the whole batch."""
    return time is None or len(time) == 1


def is_plain(block: torch.nn.Module) -> bool:
    """Return whether a block only norms, activates, convolves and adds."""
    if type(block) is not ResnetBlock2D:
        return False
    does = (block.skip_time_act, block.upsample, block.downsample)
    return bool(
        not any(does)
        and block.time_embedding_norm == "default"
        and block.output_scale_factor == 1
    )
