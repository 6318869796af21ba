"""Textual inversion: prompts with vectors in place of words.

A text encoder reads the vector of each token from a table. Here rows of that table, of
tokens that the prompt does not use, are replaced for one call, so results are
differentiable in the vectors as they are in the encoder's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import torch

from unlearnlog.models.encoding import Encoders, heard
from unlearnlog.models.interface import Model, Text
from unlearnlog.models.multi_vector_tokens import with_its_others

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.interface import Painted, Sampling
    from unlearnlog.models.overrides import Overrides

MARK: Final = "<*>"
"""The mark of the vectors' place in a prompt; it occurs once."""

Vectors = tuple[torch.Tensor, ...]
"""Input embeddings ``[n, d_i]``, the same number for each text encoder."""

_END_OF_WORD: Final = "</w>"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of text encoders, with their vectors.

    Attributes:
        tables: Table of each text encoder, float32 ``[n_known, d_i]``.
        pieces: Text of each token; with a space at the end of a word.
        words: Numbers of the tokens that are no special ones, int64 ``[n]``.
        added: Numbers of all vectors of each added token.
    """

    tables: Vectors
    pieces: tuple[str, ...]
    words: torch.Tensor
    added: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def vectors(self, ids: torch.Tensor) -> Vectors:
        """Return the vectors of tokens ``[n]``."""
        return tuple(table[ids] for table in self.tables)

    def spelt(self, ids: torch.Tensor) -> str:
        """Return the text of tokens ``[n]``."""
        return "".join(self.pieces[int(i)] for i in ids).strip()

    def of_name(self, name: str) -> list[int]:
        """Return the tokens of a name's words, without words of several tokens."""
        spelt: dict[str, tuple[int, ...]] = {
            piece: (i,) for i, piece in enumerate(self.pieces)
        }
        found = (
            self.added.get(word, spelt.get(f"{word.lower()} ", ()))
            for word in name.split()
        )
        return [i for each in found for i in each]


@dataclass(frozen=True)
class VectorPrompt:
    """The vectors at a prompt's mark.

    Attributes:
        vectors: Input embeddings, for each text encoder.
        added: Whether they get token numbers after all others. Some pipelines take the
            largest number for the prompt's end.
    """

    vectors: Vectors
    added: bool = False


class VectorPromptModel(Model, Protocol):
    """A model that encodes prompts with vectors and paints encoded prompts."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the model's own text encoders."""
        ...

    def encode_with(
        self,
        prompts: Sequence[str],
        vectors: Vectors,
        *,
        weights: Weights | None = None,
        added: bool = False,
    ) -> Text:
        """Return encoded prompts with vectors at their mark; differentiable in them."""
        ...

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
        """Paint one picture for each prompt and seed, or for each of ``texts``."""
        ...


def vocabulary_of(parts: Components) -> Vocabulary:
    """Return the tokens of a pipeline's text encoders, which have the same numbers."""
    (_, tokenizer), *_ = parts.encoders
    tables = [
        _table(encoder)[1].detach().float().cpu() for encoder, _ in parts.encoders
    ]
    n_known = min(len(table) for table in tables)
    known = tokenizer.convert_ids_to_tokens(range(min(n_known, len(tokenizer))))
    marks = set(tokenizer.all_special_ids)
    words = [i for i in range(len(known)) if i not in marks]
    pieces = tuple(str(piece).replace(_END_OF_WORD, " ") for piece in known)
    own = tokenizer.added_tokens_encoder
    added = {
        token: tuple(own[each] for each in with_its_others(token, own))
        for token, i in own.items()
        if i < len(known) and i not in marks
    }
    return Vocabulary(tuple(tables), pieces, torch.tensor(words), added)


def encoded_with(
    parts: Components,
    encoders: Encoders,
    prompts: Sequence[str],
    given: VectorPrompt,
    held: Overrides,
) -> Text:
    """Return prompts encoded, each alone, with vectors at their mark.

    Args:
        parts: The model.
        encoders: Its text encoders.
        prompts: Each with `MARK` once, separated by spaces.
        given: The vectors at the mark.
        held: Weights that replace the model's own.

    Raises:
        PromptError: A prompt has more tokens than a text encoder reads.
        ValueError: A prompt has no mark or several, or the vectors do not fit.
    """
    _check(parts, prompts, given)
    n, found = max(map(len, given.vectors)), []
    for prompt in prompts:
        encoders.fitting(prompt.replace(MARK, " "), n)
        read, own = [], {}
        before, behind = (encoders.words(part) for part in prompt.split(MARK))
        for i, (name, tokenizer) in enumerate(parts.tokenizers.items()):
            encoder, weights = parts.speakers[name], held.encoders.get(name, {})
            rows, used = given.vectors[i], {*before[i], *behind[i]}
            if given.added:
                places, table = _beyond(encoder, weights, rows)
            else:
                places = _unused(used, len(rows), tokenizer)
                table = _with_rows(encoder, weights, places, rows)
            words = [*before[i], *places, *behind[i]]
            read.append(_framed(words, encoders, tokenizer))
            own[name] = table
        found.append(heard(parts, read, own))
    return Text.joined(found)


def _table(encoder: Untyped) -> tuple[str, torch.Tensor]:
    """Return the name of a text encoder's table inside of it, and the table."""
    table = encoder.get_input_embeddings().weight
    names = (name for name, each in encoder.named_parameters() if each is table)
    return next(names), table


def _check(parts: Components, prompts: Sequence[str], given: VectorPrompt) -> None:
    for prompt in prompts:
        if prompt.count(MARK) != 1:
            message = f"'{prompt}' has {prompt.count(MARK)} marks {MARK}, not one"
            raise ValueError(message)
    widths = [_table(encoder)[1].shape[1] for encoder, _ in parts.encoders]
    found = [each.shape[-1] for each in given.vectors]
    one_length = given.added or len({*map(len, given.vectors)}) == 1
    if found != widths or not one_length:
        shapes = [list(each.shape) for each in given.vectors]
        message = f"vectors are {shapes}, tokens are {widths} wide"
        raise ValueError(message)


def _unused(used: set[int], n: int, tokenizer: Untyped) -> list[int]:
    """Return the numbers of ``n`` tokens that a prompt does not use.

    Numbers beyond the table would be taken for the prompt's end by a pipeline that
    finds it at the largest number.
    """
    taken = used | {*tokenizer.all_special_ids}
    free = (i for i in range(len(tokenizer)) if i not in taken)
    return [next(free) for _ in range(n)]


def _framed(
    ids: list[int], encoders: Encoders, tokenizer: Untyped
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens with begin, end and padding, and the mask of non-padding."""
    own = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    n_padding = encoders.n_positions - len(own)
    read = torch.tensor([[*own, *[tokenizer.pad_token_id] * n_padding]])
    return read, (torch.arange(read.shape[1]) < len(own)).long()[None]


def _with_rows(
    encoder: Untyped,
    weights: Mapping[str, torch.Tensor],
    places: list[int],
    rows: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Return an encoder's weights with rows of its table replaced."""
    name, own = _table(encoder)
    table = weights.get(name, own)
    at = torch.tensor(places, device=table.device)
    replaced = table.index_copy(0, at, rows.to(table.device, table.dtype))
    return {**weights, name: replaced}


def _beyond(
    encoder: Untyped, weights: Mapping[str, torch.Tensor], rows: torch.Tensor
) -> tuple[list[int], dict[str, torch.Tensor]]:
    """Return the numbers of rows appended to an encoder's table, and its weights."""
    name, own = _table(encoder)
    table = weights.get(name, own)
    longer = torch.cat([table, rows.to(table.device, table.dtype)])
    return [*range(len(table), len(longer))], {**weights, name: longer}
