"""Fine-tunes: tables on a terminal, and curves as a PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from unlearnlog.audits.survival import median_return
from unlearnlog.report.fitted_table import FittedTable
from unlearnlog.report.fonts import FontChoice, matplotlib_fonts
from unlearnlog.report.ticks import thin_ticks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unlearnlog.audits.finetune_course import Finetuned, FinetuneRun
    from unlearnlog.audits.survival import Curve
    from unlearnlog.probes.statistics import Estimate

_STYLE: Final = {"gone": "green", "resurged": "bold red", "undecided": "yellow"}
_BLOCKS: Final = "▁▂▃▄▅▆▇█"

_ACROSS: Final = 4
"""Panels in a row."""

_TITLE: Final = 52
"""Letters of a line above a panel."""


def finetune_tables(found: Finetuned) -> Group:
    """Return the verdict of each concept in each fine-tune, and their summary."""
    table = FittedTable(
        "concept", "seed", "verdict", "before", "at the end", "n", "change", "back at"
    )
    for course, curve, gate in found.gates():
        duration = next(d for d in course.durations if d.concept == curve.concept)
        change = curve.change(curve.last)
        table.add_row(
            curve.concept,
            str(course.training.seed),
            Text(gate.word, style=_STYLE[gate.word]),
            f"{curve.looks[0].presence.value:.3f}",
            f"{curve.last.presence.value:.3f}",
            str(change.n),
            _signed(change),
            f"step {duration.steps}" if duration.returned else "never",
        )
    parts: list[RenderableType] = [Text(_head(found)), table]
    parts += [_curve_line(curve, course) for course, curve, _ in found.gates()]
    return Group(*parts, *(Text(line) for line in _facts(found)))


def spark(curve: Curve) -> str:
    """Return a curve as a line of blocks, one for each measurement, from 0 to 1."""
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(look.presence.value * last)] for look in curve.looks)


def curves_png(found: Finetuned) -> bytes:
    """Return a PNG of D(t), the presence of each concept after t steps.

    Intervals are bars, the base's presence is dashed, and the twin's curves are dotted.
    """
    names = list(found.base)
    with matplotlib_fonts((*names, found.data)) as letters:
        figure = curves_figure(found, letters)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def curves_figure(found: Finetuned, letters: FontChoice) -> Figure:
    """Return the same as a figure: a panel for each concept, at most four in a row.

    Args:
        found: The fine-tunes.
        letters: The fonts of the names.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(found.base)
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    size = 4.2 * across, 3.2 * down + 0.5
    figure = Figure(figsize=size, layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, sharey=True, squeeze=False)
    panels = [panel for row in axes for panel in row]
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    for panel, name in zip(panels, names, strict=False):
        _draw(panel, name, found)
        panel.set_title(fill(letters.spelt(name), _TITLE), fontsize=9)
    data = fill(f"after {letters.spelt(found.data)}", _TITLE * across)
    figure.suptitle(data, fontsize=10)
    for row in axes:
        row[0].set_ylabel("share of its prompts that show it")
    lines: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    where: Final = "outside lower left"
    figure.legend([*lines.values()], [*lines], loc=where, ncols=6, fontsize=7)
    thin_ticks(figure)
    return figure


def _draw(panel: Axes, name: str, found: Finetuned) -> None:
    """Draw the curves of one concept."""
    for i, course in enumerate(found.courses):
        for curves, style in ((course.curves, "-"), (course.twin, ":")):
            for curve in (each for each in curves if each.concept == name):
                label = f"seed {course.training.seed}"
                _line(panel, curve, colour=f"C{i}", style=style, label=label)
    panel.axhline(found.base[name].value, color="0.4", linestyle="--", linewidth=0.8)
    panel.set_xlabel("steps")
    panel.set_ylim(-0.03, 1.03)
    panel.set_xscale("symlog", linthresh=10)
    looks = {look.step for course in found.courses for look in course.curves[0].looks}
    panel.set_xticks(sorted(looks), [str(step) for step in sorted(looks)])
    panel.set_xlim(left=min(looks) - 0.5)
    panel.minorticks_off()


def _line(panel: Axes, curve: Curve, *, colour: str, style: str, label: str) -> None:
    """Draw one curve with its intervals."""
    shares = [look.presence for look in curve.looks]
    values = [each.value for each in shares]
    below = [each.value - each.low for each in shares]
    above = [each.high - each.value for each in shares]
    panel.errorbar(
        [look.step for look in curve.looks],
        values,
        yerr=[below, above],
        color=colour,
        linestyle=style,
        label=label if style == "-" else f"{label}, twin",
        marker="o",
        markersize=3,
        linewidth=1.2,
        elinewidth=0.7,
        capsize=2,
    )


def _head(found: Finetuned) -> str:
    """Return the line on the data and the settings of the fine-tunes."""
    first = found.courses[0]
    training, of = first.training, f"{first.n_pictures} pictures"
    if first.n_cut:
        of += f", {first.n_cut} captions cut to what the model reads"
    return (
        f"{found.rev[:12]} fine-tuned on {found.data} ({of}), {training.method}, "
        f"{training.steps} steps of {training.batch}, rate {training.step_size:g}"
    )


def _curve_line(curve: Curve, course: FinetuneRun) -> Text:
    """Return a curve as a line of blocks and of numbers."""
    steps = " ".join(str(look.step) for look in curve.looks)
    values = " ".join(f"{look.presence.value:.2f}" for look in curve.looks)
    seed = course.training.seed
    return Text(
        f"{curve.concept}, seed {seed}: {spark(curve)}  {values} at steps {steps}"
    )


def _facts(found: Finetuned) -> Iterator[str]:
    """Yield the summary of all fine-tunes, a sentence each."""
    if found.resurgence is not None:
        yield f"all concepts at the end: {_signed(found.resurgence)}"
    if found.collateral is not None:
        yield f"kept pictures at the end: {_signed(found.collateral)}"
    if found.survival:
        middle, end = median_return(found.survival), found.survival[-1]
        when = "later, if ever" if middle is None else f"at step {middle}"
        yield (
            f"still away after step {end.step}: {end.away.value:.2f} "
            f"({end.away.low:.2f} to {end.away.high:.2f}, n = {end.away.n}); half are "
            f"back {when}"
        )
    if found.savings is not None:
        yield f"savings against the twin: {_plain(found.savings)}"
    yield from _savings(found.courses)
    for name, value in found.scores().items():
        if value is not None:
            yield f"forecast by {name}, rank correlation: {_plain(value)}"
    for course in found.courses:
        cosines = [f"{f.concept} {f.alignment:+.2f}" for f in course.forecasts]
        aligned = ", ".join(cosines)
        rho = "" if course.rho is None else f"; went {course.rho:+.2%} of the way back"
        yield f"seed {course.training.seed}: gradients aligned {aligned}{rho}"


def _savings(courses: Sequence[FinetuneRun]) -> Iterator[str]:
    """Yield the savings of each fine-tune, with their bounds."""
    for course in courses:
        for name, saved in course.saved.items():
            seed = course.training.seed
            if saved.value is None:
                yield f"savings of {name}, seed {seed}: undefined"
            else:
                value = f"{saved.bound} {saved.value:.2f}"
                if saved.bound == "about":
                    low = "" if saved.low is None else f"{saved.low:.2f} to "
                    value += f" (by its looks {low}{saved.high:.2f})"
                yield f"savings of {name}, seed {seed}: {value}"


def _signed(estimate: Estimate) -> str:
    """Return a difference with its interval."""
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _plain(estimate: Estimate) -> str:
    """Return a value with its interval and n."""
    low, high = f"{estimate.low:.2f}", f"{estimate.high:.2f}"
    return f"{estimate.value:.2f} ({low} to {high}, n = {estimate.n})"
