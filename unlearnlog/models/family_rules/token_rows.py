"""Tokens of prompts: padded numbers, and the characters that each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Span, Untyped


def padded(tokenizer: Untyped, prompt: str, n: int) -> Untyped:
    """Return a prompt's token numbers and mask, ``[1, n]``: cut or padded to ``n``."""
    return tokenizer(
        prompt, padding="max_length", max_length=n, truncation=True, return_tensors="pt"
    )


def n_tokens(tokenizer: Untyped, prompt: str) -> int:
    """Return a prompt's number of tokens, including begin and end tokens."""
    return len(tokenizer(prompt, verbose=False).input_ids)


def spans(tokenizer: Untyped, prompt: str, n: int) -> list[Span | None]:
    """Return the characters that each of ``n`` tokens stands for.

    None for begin and end tokens, and for the padding.
    """
    read = tokenizer(
        prompt,
        max_length=n,
        truncation=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    pairs = zip(read.offset_mapping, read.special_tokens_mask, strict=True)
    found = [None if special else tuple(span) for span, special in pairs]
    return found + [None] * (n - len(found))


def spans_within(
    tokenizer: Untyped, template: tuple[str, str, str]
) -> list[Span | None]:
    """Return the characters of a prompt that each token of a filled template covers.

    None for the tokens of the template. A token that reaches beyond an end of the
    prompt stands for what it has of the prompt.

    Args:
        tokenizer: The tokenizer.
        template: The text before the prompt, the prompt, and the text after it.
    """
    before, prompt, _ = template
    read = tokenizer(
        "".join(template),
        add_special_tokens=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    found: list[Span | None] = []
    for begin, end in read.offset_mapping:
        begin, end = max(begin - len(before), 0), min(end - len(before), len(prompt))
        found.append((begin, end) if begin < end else None)
    return found
