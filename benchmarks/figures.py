"""Figures of long histories; ``docs/make.py`` draws them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

SOURCE: Final = "Source"
"""Key of the digest of results in a PNG."""

Rows = Sequence[Mapping[str, Any]]


def triangle(rows: Rows) -> tuple[list[str], np.ndarray]:
    """Return the names in order, and the presence of each after each step.

    Returns:
        Shape ``[concept, step]``; NaN where the concept is not erased yet.
    """
    names = [row["concepts"][0]["name"] for row in rows]
    shown = np.full((len(names), len(rows)), np.nan)
    for step, row in enumerate(rows):
        read = {
            r["concept"]: r["value"]
            for r in row["readings"]
            if r["probe"] == "presence"
        }
        for i, name in enumerate(names[: step + 1]):
            shown[i, step] = read[name]
    return names, shown


def kept(rows: Rows, probe: str) -> list[float]:
    """Return a reading after each step as a share of the base's."""
    found = [next(r for r in row["readings"] if r["probe"] == probe) for row in rows]
    return [r["value"] / r["base"] for r in found]


def draw_histories(histories: Sequence[Rows], path: Path) -> None:
    """Draw each history: resurgence above, kept concepts below."""
    n = len(histories)
    figure, axes = plt.subplots(
        2,
        n,
        figsize=(6.2 * n, 7.2),
        height_ratios=(3, 1),
        layout="constrained",
        squeeze=False,
    )
    image = None
    for column, rows in enumerate(histories):
        names, shown = triangle(rows)
        above, below = axes[0][column], axes[1][column]
        image = above.imshow(shown, vmin=0, vmax=0.25, cmap="magma_r", aspect="auto")
        above.set_yticks(range(len(names)), names)
        above.set_xticks(range(len(rows)), range(1, len(rows) + 1))
        above.set_title(f"Order {column + 1}: how often each shows, in %")
        for (i, step), value in np.ndenumerate(shown):
            if not np.isnan(value):
                above.text(
                    step,
                    i,
                    f"{100 * value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if value > 0.15 else "black",
                )
        steps = range(1, len(rows) + 1)
        for probe, marker, size in (("ira", "o", 8), ("cra", "x", 5)):
            below.plot(
                steps,
                kept(rows, probe),
                marker=marker,
                markersize=size,
                fillstyle="none",
                label=probe.upper(),
            )
        below.set_ylim(0.8, 1.03)
        below.set_xlim(0.5, len(rows) + 0.5)
        below.set_xticks(list(steps))
        below.axhline(0.95, color="grey", linewidth=0.8, linestyle="--")
        below.set_xlabel("step")
        below.set_ylabel("of base")
        below.legend(loc="lower left", frameon=False)
    if image is not None:
        figure.colorbar(image, ax=axes[0], label="shown, 0 to 25 %")
    figure.savefig(path, dpi=110, metadata={SOURCE: digest_of_rows(histories)})
    plt.close(figure)


def digest_of_rows(histories: Sequence[Rows]) -> str:
    """Return the digest of a figure's data."""
    said = [
        [triangle(rows)[0], triangle(rows)[1].tolist(), kept(rows, "ira")]
        for rows in histories
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def source_of(path: Path) -> str:
    """Return the digest in a figure; empty where there is no figure."""
    if not path.exists():
        return ""
    with Image.open(path) as image:
        return str(getattr(image, "text", {}).get(SOURCE, ""))
