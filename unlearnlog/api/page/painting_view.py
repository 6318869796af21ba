"""Pictures of base and revision side by side, with a slider from one to the other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.api.page.page_markup import note, picture, text

if TYPE_CHECKING:
    from PIL.Image import Image

_SLIDE: Final = "this.closest('.ul-card').style.setProperty('--at', this.value + '%')"
"""Moves the edge between the two pictures of a card."""


def pairs_view(
    prompt: str, rev: str, pictures: Sequence[Sequence[Image]], seed: int
) -> str:
    """Return a card for each pair of pictures that have the same latents.

    Args:
        prompt: The prompt.
        rev: The revision.
        pictures: Pictures of the base, and of the revision.
        seed: Seed of the first pair.
    """
    pairs = zip(*pictures, strict=True)
    cards = (_card(rev, pair, seed + i) for i, pair in enumerate(pairs))
    same = f"“{prompt}”: base and {rev}, each pair from the same latents."
    return f'{note(same)}<div class="ul-cards">{"".join(cards)}</div>'


def _card(rev: str, pair: Sequence[Image], seed: int) -> str:
    """Return both pictures, and one over the other with a slider."""
    base, after = (
        picture("image/png", _png(each), f"{name}, seed {seed}")
        for name, each in zip(("base", rev), pair, strict=True)
    )
    label = f"seed {seed}: from base to {rev}"
    return (
        '<article class="ul-card">'
        f"<figure>{base}<figcaption>base</figcaption></figure>"
        f"<figure>{after}<figcaption>{text(rev)}</figcaption></figure>"
        f'<figure><div class="ul-stage">{base}<span class="ul-over">{after}</span>'
        f'</div><input type="range" min="0" max="100" value="50" '
        f'aria-label="{text(label)}" oninput="{_SLIDE}">'
        f"<figcaption>slide, seed {seed}</figcaption></figure></article>"
    )


def _png(image: Image) -> bytes:
    """Return the bytes of a PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
