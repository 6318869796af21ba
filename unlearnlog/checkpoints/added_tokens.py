"""Tokens that a fine-tune added to the base's tokenizers.

A trainer can add a token, a row to the table of the text encoder, and train it on an
erased concept. The concept then comes back under a name that was not erased.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.errors import ModelError
from unlearnlog.models.multi_vector_tokens import spelt_out, tokens_of_several
from unlearnlog.models.tokenizer_files import tokenizer_in

if TYPE_CHECKING:
    from unlearnlog.models.components import Untyped

Added = Mapping[str, tuple[torch.Tensor, ...]]
"""Vectors ``[n, d_i]`` of each text encoder, by the token in prompts."""

_TABLES: Final = (
    "embeddings.token_embedding.weight",  # CLIP
    "embeddings.word_embeddings.weight",  # BERT
    ".embed_tokens.weight",  # T5, Gemma, Qwen, Mistral
    ".shared.weight",  # T5 again
)


def is_table(name: str) -> bool:
    """Return whether a full name is that of a text encoder's table of tokens."""
    return name.startswith("text_encoder") and name.endswith(_TABLES)


def old_rows(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor | None:
    """Return the base's rows of a longer table; None where no rows were added."""
    if tensor.dim() != len(shape) or tensor.shape[1:] != shape[1:]:
        return None
    return tensor[: shape[0]] if len(tensor) > shape[0] else None


def tokenizers_beside(
    folders: Mapping[str, Path], kinds: Mapping[str, str]
) -> dict[str, Untyped]:
    """Load the tokenizers beside text encoders, by the encoder's name.

    Args:
        folders: Folder of each component that has one.
        kinds: Class of each of the base's components.

    Raises:
        ModelError: A tokenizer cannot be read.
    """
    found = {}
    for component, folder in folders.items():
        name = component.replace("text_encoder", "tokenizer")
        place = folder.parent / name
        if name != component and place.is_dir():
            found[component] = tokenizer_in(place, kinds[name])
    return found


def added_tokens(
    path: Path,
    ours: Mapping[str, Untyped],
    theirs: Mapping[str, Untyped],
    tables: Mapping[str, torch.Tensor],
) -> dict[str, tuple[torch.Tensor, ...]]:
    """Return the vectors of every token that is not in the base's tokenizers.

    A token of several vectors, which its pipeline reads one after another, has all.

    Args:
        path: Path of the fine-tune, for messages.
        ours: The base's tokenizers, by text encoder.
        theirs: The fine-tune's tokenizers.
        tables: The fine-tune's tables of tokens, by text encoder.

    Raises:
        ModelError: A token has no vector, or a token of the base another number.
    """
    new: set[str] = set()
    several: dict[str, tuple[str, ...]] = {}
    for component, tokenizer in theirs.items():
        vocabulary, known = tokenizer.get_vocab(), ours[component].get_vocab()
        _check_numbers(path, vocabulary, known, len(tables[component]))
        new |= vocabulary.keys() - known.keys()
        several |= tokens_of_several(tokenizer.added_tokens_encoder)
    parts = {part: token for token, parts in several.items() for part in parts}
    return {
        token: tuple(
            tables[component][_numbers(token, tokenizer)].float()
            for component, tokenizer in theirs.items()
        )
        for token in sorted({parts.get(token, token) for token in new})
    }


def nameless(path: Path, n_rows: int) -> ModelError:
    """Return the error for added rows of a table without a tokenizer."""
    return ModelError(
        f"'{path}' has {n_rows} tokens that are not in the base's text encoder, and no "
        "tokenizer beside it that names them",
        fix="give the pipeline's whole folder, with its 'tokenizer'",
    )


def _numbers(token: str, tokenizer: Untyped) -> list[int]:
    """Return the numbers of a token in a tokenizer."""
    several = tokens_of_several(tokenizer.added_tokens_encoder)
    spelt = spelt_out(token, tokenizer, several)
    numbers: list[int] = tokenizer(spelt, add_special_tokens=False).input_ids
    return numbers


def _check_numbers(
    path: Path, theirs: Mapping[str, int], ours: Mapping[str, int], n_rows: int
) -> None:
    fix = "give the folder with the tokenizer that it was trained with"
    for token, number in theirs.items():
        if number >= n_rows:
            raise ModelError(
                f"the tokenizer of '{path}' has the token '{token}', and its text "
                f"encoder no vector for it: {n_rows} in all",
                fix=fix,
            )
        if ours.get(token, number) != number:
            raise ModelError(
                f"the tokenizer of '{path}' reads '{token}' as token {number}, the "
                f"base's as {ours[token]}",
                fix=fix,
            )
