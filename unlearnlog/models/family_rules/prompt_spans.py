"""The characters of a prompt behind tokens of a text that was made from it."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.models.family_rules.protocol import Span


def within(spans: Sequence[Span | None], begin: int, end: int) -> list[Span | None]:
    """Return the part of each span in a stretch of text, counted from its beginning.

    Args:
        spans: Characters of a text; None for none.
        begin: The first character of the stretch.
        end: The character after its last.
    """
    found: list[Span | None] = []
    for span in spans:
        low, high = (max(span[0], begin), min(span[1], end)) if span else (0, 0)
        found.append((low - begin, high - begin) if low < high else None)
    return found


def carried(
    spans: Sequence[Span | None], changed: str, prompt: str
) -> list[Span | None]:
    """Return spans of a prompt for spans of a text that was made from it.

    Characters that both have in the same order correspond, in either case of letters.

    Args:
        spans: Characters of the changed text; None for none.
        changed: The prompt after a pipeline's changes, such as lower case.
        prompt: The prompt as it was given.
    """
    if changed == prompt:
        return list(spans)
    folded = "".join(low if len(low := each.lower()) == 1 else each for each in prompt)
    place: dict[int, int] = {}
    matcher = SequenceMatcher(None, changed.lower(), folded, autojunk=False)
    for block in matcher.get_matching_blocks():
        place |= {block.a + i: block.b + i for i in range(block.size)}
    found: list[Span | None] = []
    for span in spans:
        kept = [place[i] for i in range(*span) if i in place] if span else []
        found.append((kept[0], kept[-1] + 1) if kept else None)
    return found
