"""The page's tabs, forms and buttons, in Gradio."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# Read while Gradio is imported: nothing is reported to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio

from unlearnlog.api.page.page_actions import (
    KINDS,
    MOST_PICTURES,
    PageActions,
    PageProgress,
)

STYLE: Final = Path(__file__).with_name("page.css")

_SANS: Final = (
    *("Avenir Next", "Avenir", "Segoe UI", "Helvetica Neue", "Helvetica", "Arial"),
    *("Liberation Sans", "DejaVu Sans", "sans-serif"),
)
_MONO: Final = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono")
"""Fonts of the system, as in the report: none is fetched."""

_PROGRESS: Final = gradio.Progress()


def theme() -> Any:  # noqa: ANN401 - Gradio's values have no types here
    """Return Gradio's plain theme in the fonts of the system."""
    return gradio.themes.Base(font=_SANS, font_mono=_MONO, primary_hue="blue")


def page_blocks(actions: PageActions) -> Any:  # noqa: ANN401
    """Return the page as Gradio's blocks."""
    with gradio.Blocks(title="unlearnlog", analytics_enabled=False) as page:
        state = _answer("ul-state")
        with gradio.Tabs():
            with gradio.Tab("History"):
                log = _answer("ul-log")
                chosen, shown = _history(actions)
            with gradio.Tab("Concepts", render_children=True):
                of_graph = _graph(actions)
            with gradio.Tab("Paint", render_children=True):
                of_paint = _paint(actions)
            with gradio.Tab("Erase", render_children=True):
                erased = _erase(actions)
            with gradio.Tab("Report", render_children=True):
                of_report = _report(actions)
        revs = [chosen, of_graph, of_paint, of_report]

        def now() -> list[Any]:
            known = actions.revisions()
            newest = known[0][1]
            chosen = [gradio.update(choices=known, value=newest) for _ in revs]
            said = actions.state(), actions.history(), actions.entry(newest)
            return [*said, *chosen]

        for happens in (page.load, erased.then):
            happens(now, None, [state, log, shown, *revs], **_QUIET)
    return page


_SMALL: Final[dict[str, Any]] = {"scale": 0, "min_width": 120}
"""Of buttons beside what they act on."""

_QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}
_SHOWN: Final[dict[str, Any]] = {
    "show_progress": "full",
    "api_visibility": "private",
    "concurrency_id": "model",
    "concurrency_limit": 1,
}
"""Of events that use the model: one at a time."""


def _history(actions: PageActions) -> tuple[Any, Any]:
    """Add the choice of an entry and its readings; return both."""
    rev = _revision("Readings of an entry")
    shown = _answer("ul-entry")
    rev.input(actions.entry, [rev], [shown], **_QUIET)
    return rev, shown


def _graph(actions: PageActions) -> Any:  # noqa: ANN401
    """Add the concept graph; return the choice of a revision."""
    with gradio.Row(elem_classes="ul-form"):
        rev = _revision("Concepts after")
        button = gradio.Button("Draw", variant="primary", elem_id="ul-draw", **_SMALL)
    shown = _answer("ul-drawn")
    button.click(_told(actions.graph), [rev], [shown], **_SHOWN)
    return rev


def _paint(actions: PageActions) -> Any:  # noqa: ANN401
    """Add the prompt box; return the choice of a revision."""
    prompt = gradio.Textbox(
        label="Prompt",
        placeholder="a painting of a cat by Picasso",
        elem_id="ul-prompt",
    )
    with gradio.Row(elem_classes="ul-form"):
        rev = _revision("Base beside")
        n = gradio.Slider(1, MOST_PICTURES, value=2, step=1, label="Pictures")
        seed = gradio.Number(value=0, precision=0, minimum=0, label="First seed")
        button = gradio.Button("Paint", variant="primary", elem_id="ul-paint", **_SMALL)
    shown = _answer("ul-painted")
    asked = [prompt, rev, n, seed]
    for happens in (button.click, prompt.submit):
        happens(_told(actions.paint), asked, [shown], **_SHOWN)
    return rev


def _erase(actions: PageActions) -> Any:  # noqa: ANN401
    """Add the dry run and the erasure; return the event after which there is more."""
    with gradio.Row(elem_classes="ul-form"):
        name = gradio.Textbox(label="Concept", elem_id="ul-name")
        kind = gradio.Dropdown([*KINDS], value="", label="Kind, of a new name")
        policy = gradio.Dropdown(actions.policies(), value="", label="Policy, if other")
        dry = gradio.Button("Dry run", variant="primary", elem_id="ul-dry", **_SMALL)
    forecast = _answer("ul-forecast")
    with gradio.Row(elem_classes="ul-form"):
        again = gradio.Textbox(
            label="To erase it for good, type the concept's name again",
            elem_id="ul-again",
        )
        button = gradio.Button("Erase", variant="stop", elem_id="ul-erase", **_SMALL)
    shown = _answer("ul-erased")
    dry.click(_told(actions.forecast), [name, kind, policy], [forecast], **_SHOWN)
    asked = [name, again, kind, policy]
    return button.click(_told(actions.erase), asked, [shown], **_SHOWN)


def _report(actions: PageActions) -> Any:  # noqa: ANN401
    """Add the report; return the choice of a revision."""
    with gradio.Row(elem_classes="ul-form"):
        rev = _revision("Report up to")
        n = gradio.Slider(0, 6, value=0, step=1, label="Prompts of each concept")
        button = gradio.Button("Read", variant="primary", elem_id="ul-read", **_SMALL)
    shown = _answer("ul-read-report")
    button.click(_told(actions.report), [rev, n], [shown], **_SHOWN)
    return rev


def _answer(name: str) -> Any:  # noqa: ANN401
    """Add a place for an answer."""
    return gradio.HTML(elem_id=name, elem_classes="ul", apply_default_css=False)


def _revision(label: str) -> Any:  # noqa: ANN401
    """Add a choice of a revision, which may also be typed."""
    return gradio.Dropdown(["base"], label=label, allow_custom_value=True, scale=2)


def _told(answer: Callable[..., str]) -> Callable[..., str]:
    """Return an answer that tells its progress on the page.

    Gradio puts its receiver of progress where the default of a parameter is one.
    """

    def run(progress: Any = _PROGRESS, *values: Any) -> str:  # noqa: ANN401
        watch = PageProgress(lambda share, name: progress(share, desc=name))
        return answer(*values, watch=watch)

    return run
