"""Encoding of prompts by a pipeline's text encoders."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.core.visible import visible
from unlearnlog.errors import PromptError
from unlearnlog.models.encoded_beginnings import beginnings
from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.interface import Text
from unlearnlog.models.multi_vector_tokens import spelt_out, tokens_of_several
from unlearnlog.models.overrides import Overrides, computed

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped

_N_KEPT: Final = 4096
_SHOWN: Final = 40


class Encoders:
    """A pipeline's text encoders, with a cache of encoded prompts.

    Each prompt is encoded alone, so that no prompt affects another.
    """

    def __init__(self, parts: Components, *, empty_is_zero: bool) -> None:
        """Keep the networks, and whether the empty prompt is encoded as zeros."""
        self._parts = parts
        self._empty_is_zero = empty_is_zero
        self._kept: dict[str, Text] = {}
        self._several = tuple(
            tokens_of_several(tokenizer.added_tokens_encoder)
            for tokenizer in parts.tokenizers.values()
        )

    @property
    def n_positions(self) -> int:
        """Number of tokens that the text encoders read."""
        limits = [
            min(encoder.config.max_position_embeddings, tokenizer.model_max_length)
            for encoder, tokenizer in self._parts.encoders
        ]
        return int(min(limits))

    @property
    def knows_several(self) -> bool:
        """Whether a token of its tokenizers has several vectors."""
        return any(self._several)

    def n_tokens(self, prompt: str) -> int:
        """Return a prompt's number of tokens, including the begin and end tokens."""
        return max(
            len(tokenizer(text, verbose=False).input_ids)
            for (_, tokenizer), text in self._texts(prompt)
        )

    def words(self, prompt: str) -> list[list[int]]:
        """Return a prompt's tokens for each encoder, without begin and end tokens."""
        return [
            tokenizer(text).input_ids[1:-1] if text.strip() else []
            for (_, tokenizer), text in self._texts(prompt)
        ]

    def encoded(self, prompts: Sequence[str], held: Overrides) -> Text:
        """Return encoded prompts; those of the model's own weights are cached.

        Raises:
            ModelError: A text encoder is not finite.
            PromptError: A prompt has more tokens than a text encoder reads.
        """
        if not prompts:
            return self.own("")[:0]
        if held.speaks_differently:
            once = {prompt: self._encoded(prompt, held) for prompt in {*prompts}}
            found = [once[prompt] for prompt in prompts]
        else:
            found = [self.own(prompt) for prompt in prompts]
        return Text.joined(found)

    def rows_at(self, prompts: Sequence[str], places: Sequence[int]) -> torch.Tensor:
        """Return one row of each encoded prompt, computed of the tokens up to it.

        Args:
            prompts: Any prompts.
            places: The row of each; what is behind it is not read.

        Returns:
            Float32 ``[n, d_text]``.

        Raises:
            ModelError: A text encoder is not finite.
            PromptError: A prompt has more tokens than a text encoder reads.
        """
        zeros = self.own("").tokens[0] if self._empty_is_zero else None
        cut = [
            tuple(ids[0, : place + 1] for ids, _ in self._read(prompt))
            for prompt, place in zip(prompts, places, strict=True)
        ]
        found = beginnings(cut, lambda read: heard(self._parts, read, {}).tokens)
        for row, (prompt, place) in enumerate(zip(prompts, places, strict=True)):
            if zeros is not None and not prompt:
                found[row] = zeros[place]
        return self.finite(Text(found[:, None])).tokens[:, 0]

    def knows(self, prompts: Sequence[str]) -> bool:
        """Return whether all prompts are in the cache."""
        return self._kept.keys() >= {*prompts, ""}

    def own(self, prompt: str) -> Text:
        """Return one prompt encoded with the model's own weights, from the cache."""
        if prompt not in self._kept:
            if len(self._kept) >= _N_KEPT:
                del self._kept[next(iter(self._kept))]  # the oldest
            self._kept[prompt] = self._encoded(prompt, Overrides())
        return self._kept[prompt]

    def fitting(self, prompt: str, more: int = 0) -> None:
        """Refuse a prompt that the text encoders do not read to its end.

        Args:
            prompt: Any prompt.
            more: Number of further tokens.

        Raises:
            PromptError: It has more tokens than a text encoder reads.
        """
        limit = self.n_positions
        if (n_tokens := self.n_tokens(prompt) + more) > limit:
            shown = prompt if len(prompt) <= _SHOWN else f"{prompt[:_SHOWN]}..."
            raise PromptError(
                f"the prompt '{shown}' has {n_tokens} tokens; the model reads {limit}",
                fix="use fewer words",
            )

    def shortened(self, prompt: str) -> str:
        """Return a prompt, or its longest beginning that the text encoders read.

        It ends between two words, unless the first word is too long.
        """
        if self.n_tokens(prompt) <= self.n_positions:
            return prompt
        ends = [word.end() for word in re.finditer(r"\S+", prompt)]
        n = self._fitting_ends(prompt, ends)
        if not n:
            ends = [*range(1, ends[0])]  # of a single word, the first letters
            n = self._fitting_ends(prompt, ends)
        return prompt[: ends[n - 1]]

    def _fitting_ends(self, prompt: str, ends: Sequence[int]) -> int:
        """Return the number of ends up to which a prompt is read whole."""
        return bisect_right(
            ends, self.n_positions, key=lambda end: self.n_tokens(prompt[:end])
        )

    def _texts(self, prompt: str) -> Iterator[tuple[tuple[Untyped, Untyped], str]]:
        """Yield each encoder with its tokenizer and the prompt's text for it.

        Raises:
            PromptError: It has half of a surrogate pair, which no tokenizer reads.
        """
        self.check_whole(prompt)
        for each, several in zip(self._parts.encoders, self._several, strict=True):
            yield each, spelt_out(prompt, each[1], several)

    @staticmethod
    def check_whole(prompt: str) -> None:
        """Refuse half of a surrogate pair, which no tokenizer reads.

        Raises:
            PromptError: The prompt has one.
        """
        if not _is_whole(prompt):
            raise PromptError(
                f"the prompt '{visible(prompt[:_SHOWN])}' holds half of a character",
                fix="type it again, in letters and signs",
            )

    @staticmethod
    def finite(text: Text) -> Text:
        """Return an encoded prompt, checked.

        Raises:
            ModelError: A number is not finite.
        """
        for part in (text.tokens, text.pooled):
            if part is not None:
                check_finite(part, "text encoder", part.dtype)
        return text

    def _read(self, prompt: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return a prompt's tokens with padding for each encoder, and their masks.

        Raises:
            PromptError: It has more tokens than a text encoder reads.
        """
        self.fitting(prompt)
        options = {"padding": "max_length", "return_tensors": "pt"}
        read = [
            tokenizer(each, max_length=self.n_positions, **options)
            for (_, tokenizer), each in self._texts(prompt)
        ]
        return [(each.input_ids, each.attention_mask) for each in read]

    @torch.no_grad()
    def _encoded(self, prompt: str, held: Overrides) -> Text:
        read = self._read(prompt)
        text = self.finite(heard(self._parts, read, held.encoders))
        if not prompt and self._empty_is_zero:
            return Text(torch.zeros_like(text.tokens), _zeros_like(text.pooled))
        return text


def _is_whole(text: str) -> bool:
    """Return whether a text has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def heard(
    parts: Components,
    read: Sequence[tuple[torch.Tensor, torch.Tensor]],
    encoders: Mapping[str, Mapping[str, torch.Tensor]],
) -> Text:
    """Return the encoding of tokens; differentiable in the text encoders' weights.

    Args:
        parts: The model.
        read: The tokens of prompts for each encoder, and the mask of non-padding, both
            int64 ``[n, length]``.
        encoders: Weights that replace the encoders' own, by component.
    """
    two = len(parts.speakers) > 1
    vectors, pooled = [], None
    for (name, encoder), (ids, mask) in zip(parts.speakers.items(), read, strict=True):
        weights = encoders.get(name, {})
        masked = getattr(encoder.config, "use_attention_mask", False)
        used = mask.to(parts.device) if masked else None
        named = {"attention_mask": used, "output_hidden_states": two}
        output = computed(encoder, weights, (ids.to(parts.device),), named)
        # With two encoders, pipelines take the last layer but one, and the second
        # encoder's projection as the pooled vector.
        vectors.append(output.hidden_states[-2] if two else output[0])
        pooled = output.text_embeds if two and "text_embeds" in output else pooled

    return Text(torch.cat(vectors, -1).cpu(), None if pooled is None else pooled.cpu())


def _zeros_like(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else torch.zeros_like(tensor)
