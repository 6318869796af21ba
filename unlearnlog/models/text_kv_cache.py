"""Attention whose keys and values of the text are computed beforehand, outside of it.

While a picture is painted the text does not change, so its keys and values are computed
once for each distinct prompt instead of once for each picture and step. And since they
are all that other text projections change, such projections are used by computing keys
and values with them: no second UNet, nothing is put into the one there is, and a
gradient reaches them also where the UNet is computed twice to save memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, Self

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn.functional import linear, scaled_dot_product_attention

from unlearnlog.models.cfg_dedup import are_twins, doubled, half_of
from unlearnlog.models.fastcpu.plain_attention import by_products, suits_products
from unlearnlog.models.fastcpu.switch import may_be_fast

_LEAST_RUN: Final = 2


class Projection(Protocol):
    """A linear layer of diffusers."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Project tokens."""
        ...


class AttentionLayer(Protocol):
    """What is used of an attention layer of diffusers, which has no types itself."""

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

    The pictures of a batch come in runs. Where a run hears one text, as the half does
    that guidance leads away from, its pictures ask as one picture with all positions.

    Attributes:
        runs: How many pictures each run has.
    """

    def __init__(
        self,
        runs: Sequence[int],
        kept: Mapping[AttentionLayer, Sequence[tuple[torch.Tensor, torch.Tensor]]],
    ) -> None:
        """Keep keys and values.

        Args:
            runs: How many pictures each run has.
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
    ) -> Self:
        """Compute keys and values.

        Args:
            layers: The layers that hear the text, by name inside the UNet.
            texts: Distinct encoded prompts, ``[m, length, d_text]``.
            rows: Which text belongs to each picture of the batch, int64 ``[b]``.
            weights: Projections that stand for the layers' own, by full inner name.
        """
        runs, rows_of = _in_runs(rows)

        def heard(name: str, layer: AttentionLayer, which: str) -> list[torch.Tensor]:
            own: Projection = getattr(layer, which)
            weight = weights.get(f"{name}.{which}.weight", own.weight)
            projected = linear(texts.to(weight.dtype), weight, own.bias)
            return [_heads(_taken(projected, some), layer.heads) for some in rows_of]

        def both(
            name: str, layer: AttentionLayer
        ) -> list[tuple[torch.Tensor, torch.Tensor]]:
            keys, values = (heard(name, layer, which) for which in ("to_k", "to_v"))
            laid_out = (value.contiguous() for value in values)
            return list(zip(map(_by_width, keys), laid_out, strict=True))

        return cls(runs, {layer: both(name, layer) for name, layer in layers.items()})

    def __contains__(self, layer: AttentionLayer) -> bool:
        """Whether a layer's keys and values are known."""
        return layer in self._kept

    def __getitem__(
        self, layer: AttentionLayer
    ) -> Sequence[tuple[torch.Tensor, torch.Tensor]]:
        """Give a layer's keys and values, run by run."""
        return self._kept[layer]


def _taken(projected: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return some rows of ``[m, length, d]``, with a gradient that repeats to the bit.

    A row may be taken several times, and its gradient is then a sum: by threads in any
    order where the CPU takes rows by indexing, where a GPU does it by `index_select`.
    """
    every = torch.arange(len(projected), device=rows.device)
    if torch.equal(rows, every):
        return projected
    if projected.device.type == "cpu":
        return projected.index_select(0, rows)
    return projected[rows]


def _in_runs(rows: torch.Tensor) -> tuple[list[int], list[torch.Tensor]]:
    """Part off pictures that begin a batch with one text: run sizes, rows of each."""
    n_alike = int((rows == rows[:1]).long().cumprod(0).sum())
    if n_alike < _LEAST_RUN:
        return [len(rows)], [rows]
    runs = [(n_alike, rows[:1]), (len(rows) - n_alike, rows[n_alike:])]
    sizes, parts = zip(*(run for run in runs if run[0]), strict=True)
    return list(sizes), list(parts)


class MarkedAttention:
    """Attention probabilities at marked tokens, noted by layer while a UNet computes.

    Attributes:
        marks: Which tokens of each picture's text are marked, bool ``[b, length]``.
        found: Shape ``[n_marked, heads, n_positions]`` for each layer, float32, with a
            gradient; marked tokens come in the order of pictures.
    """

    def __init__(self, marks: torch.Tensor) -> None:
        self.marks = marks
        self.found: dict[AttentionLayer, torch.Tensor] = {}

    def note(
        self, layer: AttentionLayer, asked: torch.Tensor, keys: torch.Tensor
    ) -> None:
        """Keep what a layer's queries give to the marked tokens.

        Args:
            layer: The layer.
            asked: Its queries, ``[b, heads, n_positions, d_head]``.
            keys: Its keys of the text, ``[b, heads, length, d_head]``.
        """
        scores = (asked @ keys.transpose(-1, -2)).float() / asked.shape[-1] ** 0.5
        self.found[layer] = scores.softmax(-1).movedim(-1, 1)[self.marks]


class CachedTextAttention:
    """Attention as diffusers computes it, with a memory where one is handed in.

    Attributes:
        one_by_one: Whether pictures are attended to one after another, for less memory.
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
        """Attend; the parameters' names are fixed by diffusers.

        Args:
            attn: The layer.
            hidden_states: What asks, ``[b, n_positions, d]``.
            encoder_hidden_states: Encoded text, or nothing in self-attention.
            attention_mask: Passed on.
            memory: Keys and values that stand for ``encoder_hidden_states``.
            marked: Takes note of what layers with a memory give to marked tokens.
        """
        if not is_simple(attn) or attention_mask is not None:
            result: torch.Tensor = self._plain(
                attn, hidden_states, encoder_hidden_states, attention_mask
            )
            return result
        tokens = encoder_hidden_states
        if tokens is None:
            return self._within(attn, hidden_states)
        asked = attn.to_q(hidden_states)
        if memory is not None and attn in memory:
            if marked is not None:
                marked.note(attn, _heads(asked, attn.heads), memory[attn][0][0])
            runs = zip(asked.split(memory.runs), memory[attn], strict=True)
            heard = torch.cat([self._told(run, *both) for run, both in runs])
        else:
            heard = self._heard(asked, *_both_of(attn, tokens))
        return attn.to_out[0](heard)

    def _within(self, attn: AttentionLayer, pictures: torch.Tensor) -> torch.Tensor:
        """Attend from the positions of each picture to its positions."""
        if may_be_fast(pictures) and are_twins(pictures):
            return doubled(self._within(attn, half_of(pictures)))
        heard = self._heard(attn.to_q(pictures), *_both_of(attn, pictures))
        return attn.to_out[0](heard)

    def _told(
        self, asked: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend to a text; as one picture where pictures hear one text."""
        if self.one_by_one:
            each = (len(asked), *keys.shape[1:])
            return self._heard(asked, keys.expand(each), values.expand(each))
        together = asked.reshape(len(keys), -1, asked.shape[-1])
        queries = _heads(together, keys.shape[1])
        if suits_products(queries, keys):
            return _joined(by_products(queries, keys, values)).reshape(asked.shape)
        return self._heard(together, keys, values).reshape(asked.shape)

    def _heard(
        self, asked: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend from ``[b, n_positions, d]``."""
        queries = _heads(asked, keys.shape[1])
        if self.one_by_one:
            each = zip(queries.split(1), keys.split(1), values.split(1), strict=True)
            heard = torch.cat([scaled_dot_product_attention(*one) for one in each])
        else:
            heard = scaled_dot_product_attention(queries, keys, values)
        return _joined(heard)


def is_simple(attn: AttentionLayer) -> bool:
    """Tell whether a layer does nothing but project and attend."""
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
    """Project tokens ``[b, length, d]`` to keys and values."""
    keys, values = attn.to_k(tokens), attn.to_v(tokens)
    return _heads(keys, attn.heads), _heads(values, attn.heads)


def _by_width(keys: torch.Tensor) -> torch.Tensor:
    """Lay out ``[b, heads, length, d_head]`` as products with queries read it."""
    return keys.transpose(-1, -2).contiguous().transpose(-1, -2)


def _joined(heard: torch.Tensor) -> torch.Tensor:
    """Put heads side by side: ``[b, length, d]`` of ``[b, heads, length, d_head]``."""
    return heard.transpose(1, 2).flatten(2)


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Split ``[b, length, d]`` into ``[b, heads, length, d_head]``."""
    n_batch, length, _ = tokens.shape
    return tokens.view(n_batch, length, heads, -1).transpose(1, 2)
