"""Figure of relearning: presence over the steps of fine-tunes on five pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

from benchmarks.figures import SOURCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DATA: Final = "target:5"
METHOD: Final = "full"
TWIN: Final = "twin: never learned it"
_TICKS: Final = (0, 10, 25, 50, 100, 250, 500)
_COLOURS: Final = {TWIN: "black"}

Look = tuple[int, float]
"""Steps, and the share of the concept's pictures that show it."""


@dataclass(frozen=True)
class Line:
    """One fine-tune of one model.

    Attributes:
        concept: The concept that is learned.
        who: The eraser, or the twin.
        seed: Seed of the fine-tune.
        looks: Measurements, in the order of the steps.
    """

    concept: str
    who: str
    seed: int
    looks: tuple[Look, ...]


def lines_in(cells: Iterable[Mapping[str, Any]]) -> tuple[Line, ...]:
    """Return the lines of all measured fine-tunes on five pictures, in order.

    Args:
        cells: The measured cells; a twin's line is in the cells of every eraser, and
            is returned once a seed.
    """
    found: dict[tuple[str, str, int], Line] = {}
    for cell in cells:
        if (cell["data"], cell["method"]) == (DATA, METHOD):
            for line in _lines(cell):
                found[line.concept, line.who, line.seed] = line
    return tuple(
        sorted(found.values(), key=lambda each: (each.concept, each.who, each.seed))
    )


def _lines(cell: Mapping[str, Any]) -> Iterator[Line]:
    for course in cell["courses"]:
        curves = [(cell["eraser"], each) for each in course["concepts"]]
        curves += [(TWIN, each) for each in course["twin"]]
        for who, curve in curves:
            looks = tuple(
                (look["step"], look["presence"]["value"]) for look in curve["looks"]
            )
            yield Line(curve["concept"], who, course["seed"], looks)


def draw_relearning(lines: Sequence[Line], path: Path) -> None:
    """Draw one panel a concept: seeds thin, their mean thick, the twin dashed."""
    concepts = list(dict.fromkeys(line.concept for line in lines))
    figure, axes = plt.subplots(
        1,
        len(concepts),
        figsize=(4.4 * len(concepts), 3.6),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    everyone = sorted({line.who for line in lines} - {TWIN})
    colours = {who: f"C{i}" for i, who in enumerate(everyone)} | _COLOURS
    for panel, concept in zip(axes[0], concepts, strict=True):
        _draw(panel, [line for line in lines if line.concept == concept], colours)
        panel.set_title(concept)
    axes[0][0].set_ylabel("share of its prompts that show it")
    handles = {
        label: handle
        for panel in axes[0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    order = [*everyone, TWIN]
    named = [label for label in order if label in handles]
    figure.legend(
        [handles[label] for label in named],
        named,
        loc="outside lower center",
        ncols=len(named),
        frameon=False,
    )
    figure.savefig(path, dpi=110, metadata={SOURCE: digest_of_lines(lines)})
    plt.close(figure)


def _draw(panel: Axes, lines: Sequence[Line], colours: Mapping[str, str]) -> None:
    for who, colour in colours.items():
        mine = [line for line in lines if line.who == who]
        if not mine:
            continue
        style = "--" if who == TWIN else "-"
        for line in mine if len(mine) > 1 else ():
            steps, shown = zip(*line.looks, strict=True)
            panel.plot(steps, shown, color=colour, linestyle=style, lw=0.6, alpha=0.5)
        steps, shown = zip(*_mean(mine), strict=True)
        panel.plot(
            steps, shown, color=colour, linestyle=style, marker="o", ms=3, label=who
        )
    panel.set_xscale("symlog", linthresh=10)
    panel.set_xticks(_TICKS, list(map(str, _TICKS)))
    panel.minorticks_off()
    panel.set_ylim(-0.03, 1.03)
    panel.axhline(0.5, color="grey", linewidth=0.6, linestyle=":")
    panel.set_xlabel("steps on five pictures of it")


def _mean(lines: Sequence[Line]) -> list[Look]:
    """Return the mean of lines with the same steps."""
    steps = [step for step, _ in lines[0].looks]
    values = [dict(line.looks) for line in lines]
    return [(step, fmean(each[step] for each in values)) for step in steps]


def digest_of_lines(lines: Sequence[Line]) -> str:
    """Return the digest of a figure's data."""
    return hashlib.sha256(repr(lines).encode()).hexdigest()
