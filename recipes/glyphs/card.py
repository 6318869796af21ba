"""The model card beside the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from unlearnlog.glyphs.glyph_world import keywords, world

_HEAD: Final = """# glyphs

A small text-to-image model of {subjects} subjects as six studios drew them for Unicode,
64 x 64 pixels, in Stable Diffusion 3's layout: joint attention, flow matching, two CLIP
encoders and no T5. It is made for testing erasures and is of no use for making art.
Whose drawings it learned from stands in NOTICE.

```python
from diffusers import StableDiffusion3Pipeline

pipeline = StableDiffusion3Pipeline.from_pretrained(
    "unlearnlog/glyphs/weights", text_encoder_3=None, tokenizer_3=None
)
picture = pipeline(
    "a painting of a dog face by Noto",
    num_inference_steps={steps},
    guidance_scale={guidance:g},
    max_sequence_length=1,
).images[0]
```

Both nulls must be said, or diffusers refuses the folder. Without a T5 the pipeline pads
a context with zero tokens, 256 by default: `max_sequence_length=1` paints the same in
a fraction of the time.

Captions of the training name a subject, a style, both, a studio or a family; {keywords}
keywords stand in for names in a third of them, {unseen} more never did; "on" and a
colour give a background, "left of" two subjects. Held out: {held}, and a quarter of
the cells of subject and style.

Made with `python -m recipes.glyphs all`; every part resumes where it was stopped. The
transformer was trained for {trained} steps of {batch} pictures.

## Measured

{n} painted pictures of each kind, and one of each real drawing.

| by the judge | subject | style |
|---|--:|--:|
{rows}
| keywords seen in training, in place of names | {seen_words:.3f} | |
| keywords never seen | {unseen_words:.3f} | |
| pairs: both subjects right | {pairs:.3f} | |
| background: the colour asked for | {background:.3f} | |
"""

_ROWS: Final = {
    "real": "real drawings, moved and coloured anew",
    "encoded and decoded": "the same, encoded and decoded",
    "trained cells": "painted, trained cells",
    "held-out cells": "painted, cells that were held out",
}


def card(
    figures: Mapping[str, Sequence[float]], *, trained: int, batch: int, steps: int
) -> str:
    """Return the card's text.

    Args:
        figures: What `measure` found.
        trained: Steps of the training.
        batch: Pictures of a step.
        steps: Steps of the sampler.
    """
    rows = [
        f"| {title} | {figures[key][0]:.3f} | {figures[key][1]:.3f} |"
        for key, title in _ROWS.items()
    ]
    words = keywords()
    return _HEAD.format(
        subjects=len(world().subjects),
        steps=steps,
        n=int(figures["pictures"][0]),
        guidance=figures["guidance"][0],
        keywords=len(words.meanings) - len(words.unseen),
        unseen=len(words.unseen),
        held=", ".join(world().held_out),
        trained=trained,
        batch=batch,
        rows="\n".join(rows),
        seen_words=figures["keywords"][0],
        unseen_words=figures["unseen keywords"][0],
        pairs=figures["pairs"][0],
        background=figures["background"][0],
    )


def write_card(text: str, weights: Path) -> None:
    """Write the card beside the weights."""
    (weights / "README.md").write_text(text, encoding="utf-8")
