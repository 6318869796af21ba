"""Prompts in the chat template of a language model's tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unlearnlog.models.family_rules.token_rows import spans_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unlearnlog.models.family_rules.protocol import Span, Untyped

_MARK: Final = "\ue000"
"""A character for private use, in place of the prompt."""


def chat_around(
    tokenizer: Untyped,
    talk: Callable[[str], list[dict[str, Untyped]]],
    prompt: str,
    options: Mapping[str, Untyped],
) -> tuple[str, str, str]:
    """Return the text before a prompt in a chat, the prompt as it is there, and after.

    Some templates strip a message, so the prompt may come back without its margins.

    Args:
        tokenizer: A tokenizer or a processor with a chat template.
        talk: Function of a prompt to the messages.
        prompt: The prompt.
        options: What the template takes besides.
    """

    def rendered(text: str) -> str:
        chat: str = tokenizer.apply_chat_template(
            talk(text), tokenize=False, **{"add_generation_prompt": False, **options}
        )
        return chat

    before, after = rendered(_MARK).split(_MARK)
    whole = rendered(prompt)
    return before, whole[len(before) : len(whole) - len(after)], after


def padded_chat(tokenizer: Untyped, chat: str, n: int) -> Untyped:
    """Return a chat's token numbers and mask, ``[1, n]``: cut or padded to ``n``."""
    return _words(tokenizer)(
        chat,
        padding="max_length",
        max_length=n,
        truncation=True,
        add_special_tokens=False,
        return_tensors="pt",
    )


def n_chat_tokens(tokenizer: Untyped, chat: tuple[str, str, str]) -> int:
    """Return a chat's number of tokens."""
    return len(spans_within(_words(tokenizer), chat))


def padded_spans(
    tokenizer: Untyped, chat: tuple[str, str, str], n: int
) -> list[Span | None]:
    """Return the characters of the prompt that each of ``n`` rows stands for.

    None for the chat's own tokens, and for padding, on the tokenizer's side.
    """
    found = spans_within(_words(tokenizer), chat)[:n]
    padding: list[Span | None] = [None] * (n - len(found))
    is_left = _words(tokenizer).padding_side == "left"
    return padding + found if is_left else found + padding


def _words(tokenizer: Untyped) -> Untyped:
    """Return the tokenizer of a processor, or the tokenizer itself."""
    return getattr(tokenizer, "tokenizer", tokenizer)
