"""Cross-attention with precomputed keys and values of the text.

While a picture is painted the text does not change, so its keys and values are computed
once for each distinct prompt instead of once for each picture and step. Other text
projections change only these, so they apply without a second UNet and without a change
of the first, and gradients reach them with gradient checkpointing, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, Self

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn.functional import scaled_dot_product_attention

from unlearnlog.models.cfg_dedup import are_twins, doubled, half_of
from unlearnlog.models.fastcpu.linear_products import text_linear
from unlearnlog.models.fastcpu.plain_attention import by_products, suits_products
from unlearnlog.models.fastcpu.switch import may_be_fast

_LEAST_RUN: Final = 2


class Projection(Protocol):
    """A linear layer of diffusers."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return projected tokens."""
        ...


class AttentionLayer(Protocol):
    """The used attributes of an attention layer of diffusers, which is untyped."""

    heads: int
    to_q: Callable[[torch.Tensor], torch.Tensor]
    to_k: Projection
    to_v: Projection
    to_out: Sequence[Callable[[torch.Tensor], torch.Tensor]]
    norm_q: torch.nn.Module | None
    norm_k: torch.nn.Module | None
    norm_cross: torch.nn.Module | None
    group_norm: torch.nn.Module | None
    spatial_norm: torch.nn.Module | None
    residual_connection: bool
    rescale_output_factor: float


class TextKVCache:
    """Keys and values of some texts, by attention layer.

    The pictures of a batch come in runs. Where a run has one text, as the unconditional
    half of a guided batch, its pictures attend as one picture with all positions.

    Attributes:
        runs: Number of pictures of each run.
    """

    def __init__(
        self,
        runs: Sequence[int],
        kept: Mapping[AttentionLayer, Sequence[tuple[torch.Tensor, torch.Tensor]]],
    ) -> None:
        """Keep keys and values.

        Args:
            runs: Number of pictures of each run.
            kept: For each layer the keys and values of each run, both ``[m, heads,
                length, d_head]``, where ``m`` is 1 or as many as the run's pictures.
        """
        self.runs = runs
        self._kept = kept

    @classmethod
    def of(
        cls,
        layers: Mapping[str, AttentionLayer],
        texts: torch.Tensor,
        rows: torch.Tensor,
        weights: Mapping[str, torch.Tensor],
    ) -> TextKVCache:
        """Return the computed keys and values.

        Args:
            layers: The layers that read the text, by name inside the UNet.
            texts: Distinct encoded prompts, ``[m, length, d_text]``.
            rows: Row of ``texts`` for each picture of the batch, int64 ``[b]``.
            weights: Projections that replace the layers' own, by full inner name.
        """
        return ProjectedTexts.of(layers, texts, weights).taken(rows)

    def __contains__(self, layer: AttentionLayer) -> bool:
        """Return whether a layer's keys and values are in the cache."""
        return layer in self._kept

    def __getitem__(
        self, layer: AttentionLayer
    ) -> Sequence[tuple[torch.Tensor, torch.Tensor]]:
        """Return a layer's keys and values, run by run."""
        return self._kept[layer]


def _taken(projected: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return some rows of ``[m, length, d]``, with a reproducible gradient.

    The gradient of a repeated row is a sum, whose order is not fixed for indexing on a
    CPU nor for `index_select` on a GPU.
    """
    every = torch.arange(len(projected), device=rows.device)
    if torch.equal(rows, every):
        return projected
    if projected.device.type == "cpu":
        return projected.index_select(0, rows)
    return projected[rows]


def _in_runs(rows: torch.Tensor) -> tuple[list[int], list[torch.Tensor]]:
    """Return the sizes and the rows of runs; equal first rows are a run of one row."""
    n_alike = int((rows == rows[:1]).long().cumprod(0).sum())
    if n_alike < _LEAST_RUN:
        return [len(rows)], [rows]
    runs = [(n_alike, rows[:1]), (len(rows) - n_alike, rows[n_alike:])]
    sizes, parts = zip(*(run for run in runs if run[0]), strict=True)
    return list(sizes), list(parts)


class ProjectedTexts:
    """Keys and values of distinct texts, by attention layer, before any are taken."""

    def __init__(
        self, kept: Mapping[AttentionLayer, tuple[torch.Tensor, torch.Tensor]]
    ) -> None:
        """Keep keys ``[m, heads, d, length]`` and values ``[m, heads, length, d]``."""
        self._kept = kept

    @classmethod
    def of(
        cls,
        layers: Mapping[str, AttentionLayer],
        texts: torch.Tensor,
        weights: Mapping[str, torch.Tensor],
    ) -> Self:
        """Return the computed keys and values; see `TextKVCache.of`."""

        def heads(name: str, layer: AttentionLayer, which: str) -> torch.Tensor:
            own: Projection = getattr(layer, which)
            weight = weights.get(f"{name}.{which}.weight", own.weight)
            return _heads(
                text_linear(texts.to(weight.dtype), weight, own.bias), layer.heads
            )

        return cls(
            {
                layer: (
                    heads(name, layer, "to_k").transpose(-1, -2).contiguous(),
                    heads(name, layer, "to_v").contiguous(),
                )
                for name, layer in layers.items()
            }
        )

    def taken(self, rows: torch.Tensor) -> TextKVCache:
        """Return the keys and values of a batch.

        Args:
            rows: Row of the texts for each picture of the batch, int64 ``[b]``.
        """
        runs, rows_of = _in_runs(rows)
        return TextKVCache(
            runs,
            {
                layer: [
                    (_taken(keys, some).transpose(-1, -2), _taken(values, some))
                    for some in rows_of
                ]
                for layer, (keys, values) in self._kept.items()
            },
        )


def n_projected(layers: Iterable[AttentionLayer], texts: torch.Tensor) -> int:
    """Return how many numbers the keys and values of texts ``[m, length, d]`` are."""
    widths = sum(len(each.to_k.weight) + len(each.to_v.weight) for each in layers)
    return texts.shape[:-1].numel() * widths


class MarkedAttention:
    """Attention probabilities at marked tokens, collected by layer.

    Attributes:
        marks: Mask of the marked tokens of each picture's text, bool ``[b, length]``.
        found: Shape ``[n_marked, heads, n_positions]`` for each layer, float32, with a
            gradient; marked tokens come in the order of pictures.
    """

    def __init__(self, marks: torch.Tensor) -> None:
        self.marks = marks
        self.found: dict[AttentionLayer, torch.Tensor] = {}

    def note(
        self, layer: AttentionLayer, asked: torch.Tensor, keys: torch.Tensor
    ) -> None:
        """Keep a layer's attention to the marked tokens.

        Args:
            layer: The layer.
            asked: Its queries, ``[b, heads, n_positions, d_head]``.
            keys: Its keys of the text, ``[b, heads, length, d_head]``.
        """
        scores = (asked @ keys.transpose(-1, -2)).float() / asked.shape[-1] ** 0.5
        self.found[layer] = scores.softmax(-1).movedim(-1, 1)[self.marks]


class CachedTextAttention:
    """The attention of diffusers, with cached keys and values where they are given.

    Attributes:
        one_by_one: Whether to compute one picture after another, for less memory.
    """

    def __init__(self) -> None:
        self.one_by_one = False
        self._plain: Any = AttnProcessor2_0()

    def __call__(
        self,
        attn: AttentionLayer,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        memory: TextKVCache | None = None,
        marked: MarkedAttention | None = None,
    ) -> torch.Tensor:
        """Return the attention of a layer; diffusers fixes the arguments' names.

        Args:
            attn: The layer.
            hidden_states: Input of the queries, ``[b, n_positions, d]``.
            encoder_hidden_states: Encoded text; None in self-attention.
            attention_mask: Passed on.
            memory: Keys and values that replace those of ``encoder_hidden_states``.
            marked: Receiver of the attention to marked tokens in cached layers.
        """
        if not is_simple(attn) or attention_mask is not None:
            result: torch.Tensor = self._plain(
                attn, hidden_states, encoder_hidden_states, attention_mask
            )
            return result
        tokens = encoder_hidden_states
        if tokens is None:
            return self._within(attn, hidden_states)
        query = attn.to_q(hidden_states)
        if memory is not None and attn in memory:
            if marked is not None:
                marked.note(attn, _heads(query, attn.heads), memory[attn][0][0])
            runs = zip(query.split(memory.runs), memory[attn], strict=True)
            mixed = torch.cat([self._cross(run, *both) for run, both in runs])
        else:
            mixed = self._attend(query, *_both_of(attn, tokens))
        return attn.to_out[0](mixed)

    def _within(self, attn: AttentionLayer, pictures: torch.Tensor) -> torch.Tensor:
        """Return the self-attention of each picture."""
        if may_be_fast(pictures) and are_twins(pictures):
            return doubled(self._within(attn, half_of(pictures)))
        mixed = self._attend(attn.to_q(pictures), *_both_of(attn, pictures))
        return attn.to_out[0](mixed)

    def _cross(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Return the attention of a run to its text; as one picture for one text."""
        if self.one_by_one:
            each = (len(query), *keys.shape[1:])
            return self._attend(query, keys.expand(each), values.expand(each))
        together = query.reshape(len(keys), -1, query.shape[-1])
        queries = _heads(together, keys.shape[1])
        if suits_products(queries, keys):
            return _joined(by_products(queries, keys, values)).reshape(query.shape)
        return self._attend(together, keys, values).reshape(query.shape)

    def _attend(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Return the attention of queries ``[b, n_positions, d]``."""
        queries = _heads(query, keys.shape[1])
        if self.one_by_one:
            each = zip(queries.split(1), keys.split(1), values.split(1), strict=True)
            mixed = torch.cat([scaled_dot_product_attention(*one) for one in each])
        else:
            mixed = scaled_dot_product_attention(queries, keys, values)
        return _joined(mixed)


def is_simple(attn: AttentionLayer) -> bool:
    """Return whether a layer only projects and attends."""
    norms = (attn.norm_q, attn.norm_k, attn.norm_cross)
    extras = (*norms, attn.group_norm, attn.spatial_norm)
    return (
        all(extra is None for extra in extras)
        and not attn.residual_connection
        and attn.rescale_output_factor == 1
    )


def _both_of(
    attn: AttentionLayer, tokens: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the keys and values of tokens ``[b, length, d]``."""
    keys, values = attn.to_k(tokens), attn.to_v(tokens)
    return _heads(keys, attn.heads), _heads(values, attn.heads)


def _joined(heads: torch.Tensor) -> torch.Tensor:
    """Return ``[b, length, d]`` of ``[b, heads, length, d_head]``."""
    return heads.transpose(1, 2).flatten(2)


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Return ``[b, heads, length, d_head]`` of ``[b, length, d]``."""
    n_batch, length, _ = tokens.shape
    return tokens.view(n_batch, length, heads, -1).transpose(1, 2)
