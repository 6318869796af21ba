"""Tokens of several vectors: what textual inversion calls ``<pic>``, ``<pic>_1``, ...

A tokenizer knows each vector as a token of its own. A prompt names the first, and
pipelines put the others behind it before the tokenizer reads the prompt.

Source:
    The naming is that of diffusers' ``load_textual_inversion``; what a prompt becomes,
    of its ``maybe_convert_prompt``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.models.components import Untyped


def with_its_others(token: str, known: Container[str]) -> tuple[str, ...]:
    """Return a token and those that hold its other vectors, in their order."""
    return (token, *_others(token, known))


def tokens_of_several(known: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return every token that has more vectors than one, with all of its tokens.

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

    Where one token is a part of another the order of replacing decides, which a
    pipeline leaves to chance; here the tokens are taken in the order of their letters.

    Args:
        prompt: As it is typed.
        tokenizer: Whose tokens it names.
        several: What `tokens_of_several` returns of that tokenizer.
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
