"""Tokens of several vectors in textual inversion: ``<pic>``, ``<pic>_1``, ...

In a tokenizer each vector is a token of its own. A prompt has the first, and pipelines
insert the others after it before the prompt is tokenized.

Source:
    The names are those of diffusers' ``load_textual_inversion``; the conversion of
    prompts is that of its ``maybe_convert_prompt``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.models.components import Untyped


def with_its_others(token: str, known: Container[str]) -> tuple[str, ...]:
    """Return a token and the tokens of its other vectors, in their order."""
    return (token, *_others(token, known))


def tokens_of_several(known: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return every token with more than one vector, with all of its tokens.

    Args:
        known: The tokens that were added to a tokenizer.
    """
    known = frozenset(known)
    found = {token: with_its_others(token, known) for token in sorted(known)}
    return {token: each for token, each in found.items() if len(each) > 1}


def spelt_out(
    prompt: str, tokenizer: Untyped, several: Mapping[str, tuple[str, ...]]
) -> str:
    """Return a prompt as a pipeline gives it to a tokenizer.

    Where one token is a part of another the order of replacement matters, which is
    random in a pipeline; here tokens are replaced in alphabetical order.

    Args:
        prompt: The prompt as typed.
        tokenizer: The tokenizer.
        several: The result of `tokens_of_several` for that tokenizer.
    """
    if not any(token in prompt for token in several):
        return prompt
    for token in sorted(several.keys() & {*tokenizer.tokenize(prompt)}):
        prompt = prompt.replace(token, " ".join(several[token]))
    return prompt


def _others(token: str, known: Container[str]) -> Iterator[str]:
    number = 1
    while f"{token}_{number}" in known:
        yield f"{token}_{number}"
        number += 1
