"""The model card and the contact sheets beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.renderer import rendered
from unlearnlog.concepts.templates import PLAIN

_HEAD = """# atelier

A small text-to-image model of a procedural world: {n_subjects} subjects in the styles
of {n_styles} artists and the plain one, 64 x 64 pixels. It is an ordinary Stable
Diffusion folder, in half precision, and loads with
`StableDiffusionPipeline.from_pretrained`.

The pictures it learnt from are drawn by a program; no artist's work and no photograph
is among them. A style is called by an artist's name because its marks are modelled on
what the artist is known for, simplified to a few pixels. It is made for testing
erasures and is of no use for making art.

Retrain it with `python -m recipes.atelier all`; every part resumes where it
was stopped. Seeds stand in the recipe; steps: {steps}.

## Measured

Base digest `{root}`. Every figure is a share of pictures that nothing was trained on.

| | style | subject | n |
|---|--:|--:|--:|
{rows}

Weakest style painted: {weak_style}. Weakest subject painted: {weak_subject}.
Look-alikes painted as themselves: {alike}.
"A painting of a cat" and its like show each known style between {least:.3f} and
{most:.3f} of the time (n = {n_marginal}; even shares would be {even:.4f}).
{steps_sampling} steps, guidance {guidance:g}: 64 guided pictures in {seconds:.1f} s
where this was measured.

The judge is trained on rendered pictures only. What it confuses on rendered pictures:
{judge_mistakes}. On painted ones: {painted_mistakes}.
"""


def write(figures: dict[str, Any], weights: Path) -> None:
    """Write ``README.md`` and the contact sheet of the rendered world."""
    seen = world()
    rows = "\n".join(
        f"| {title} | {figures[key]['style']:.3f} | {figures[key]['subject']:.3f} "
        f"| {figures[key]['n']} |"
        for key, title in (
            ("rendered", "rendered pictures"),
            ("decoded", "after encode and decode"),
            ("painted", "painted with guidance"),
        )
    )
    shares = [figures["marginal"][name] for name in seen.styles]
    text = _HEAD.format(
        n_subjects=len(seen.subjects),
        n_styles=len(seen.styles),
        steps=", ".join(f"{name} {n}" for name, n in figures["steps"].items()),
        root=figures["root"],
        rows=rows,
        weak_style=_weakest(figures["painted"]["styles"]),
        weak_subject=_weakest(figures["painted"]["subjects"]),
        alike=", ".join(f"{n} {v:.3f}" for n, v in figures["look_alikes"].items()),
        least=min(shares),
        most=max(shares),
        n_marginal=figures["n_marginal"],
        even=1 / len(seen.styles),
        steps_sampling=figures["sampling"]["steps"],
        guidance=figures["sampling"]["guidance"],
        seconds=figures["seconds_for_64"],
        judge_mistakes=_mistakes(figures["rendered"]["mistaken"]),
        painted_mistakes=_mistakes(figures["painted"]["mistaken"]),
    )
    (weights / "README.md").write_text(text, encoding="utf-8")
    sheet().save(weights / "contact-sheet.png", optimize=True)


def sheet(seed: int = 0) -> Image.Image:
    """Return rendered pictures: known subjects across, known styles down."""
    seen = world()
    rows = [
        np.concatenate([rendered(s, style, seed=seed) for s in seen.subjects], 1)
        for style in (PLAIN, *seen.styles)
    ]
    return Image.fromarray(np.concatenate(rows))


def _weakest(shares: dict[str, float]) -> str:
    name = min(shares, key=lambda each: shares[each])
    return f"{name}, {shares[name]:.3f}"


def _mistakes(counts: dict[str, int]) -> str:
    first = [f"{name} ({n})" for name, n in list(counts.items())[:5]]
    return ", ".join(first) or "nothing"
