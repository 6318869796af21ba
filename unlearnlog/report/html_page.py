"""A report as one file of HTML, which loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from unlearnlog.core.note import cells
from unlearnlog.core.resources import PACKAGE
from unlearnlog.core.visible import visible
from unlearnlog.report import formatting
from unlearnlog.report.charts import WIDTH, chart
from unlearnlog.report.graph_layout import layout
from unlearnlog.report.reading_rows import by_question, reading_title
from unlearnlog.report.truncation import tabled_steps, truncated

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import BeforeAfter, ConceptDamage, Findings

TEMPLATES: Final = PACKAGE / "report" / "templates"

BACK: Final = 0.005
"""Share from which the graph marks an erased concept as shown."""

CHARTS: Final = ("judge-mi", "bound-mi", "drift")
"""Readings that are drawn as charts; the others stand in tables."""


def html(findings: Findings) -> str:
    """Return the whole page, with every text escaped."""
    n_steps, (findings, omitted) = len(findings.steps), truncated(findings)
    drawn = (chart(m, findings.nats, findings.steps) for m in CHARTS)
    return (
        _environment()
        .get_template("report.html")
        .render(
            f=findings,
            n_steps=n_steps,
            omitted=omitted,
            tabled=tabled_steps(findings),
            place=layout(findings.graph),
            charts=[each for each in drawn if each.lines],
            chart_width=WIDTH,
            states=[[_state(each) for each in harm] for harm in findings.graph.harm],
            ties=_ties(findings),
            groups=_groups(findings.pairs),
            names=[
                visible(f"{s.number} of {n_steps}: {s.label}") for s in findings.steps
            ],
            rises=_why_nats_rise(findings),
        )
    )


@cache
def _environment() -> Environment:
    """Return the environment of the templates, with their filters."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {
        "value": formatting.value,
        "interval": formatting.interval,
        "base": formatting.base,
        "called": formatting.called,
        "titled": reading_title,
        "meaning": formatting.meaning,
        "by_question": by_question,
        "points": formatting.points,
        "outcome": formatting.outcome,
        "moment": formatting.moment,
        "cells": cells,
        "signed": formatting.signed,
        "level": formatting.level,
    }
    made.globals |= {
        name: getattr(formatting, name)
        for name in ("WORD", "MARK", "AUDITED", "ATTACKED", "TRIED")
    }
    return made


def _shown(value: object) -> object:
    """Return a value for a template, with control characters of a text spelt out."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value


def _state(harm: ConceptDamage) -> dict[str, Any]:
    """Return classes, caption and title of a concept's mark after a step."""
    title = visible(described(harm))
    return {"look": classes(harm), "text": caption(harm), "title": title}


def classes(harm: ConceptDamage) -> str:
    """Return the CSS classes of a concept's mark."""
    sure = " sure" if harm.sure else ""
    level = formatting.level(harm.damage) if harm.status == "kept" else 0
    return f"node {harm.status} d{level}{sure}"


def caption(harm: ConceptDamage) -> str:
    """Return the text beside a concept: its damage, status, or share that shows."""
    if harm.status == "kept":
        text = formatting.points(harm)
        return "" if text == "0" else text
    if harm.status == "unread":
        return "not read"
    back = harm.presence.value if harm.presence else 0.0
    shows = f"shows {100 * back:.0f} %" if back >= BACK else ""
    if harm.status == "doubtful":
        return f"{shows}, in doubt" if shows else "in doubt"
    return shows or "erased"


def described(harm: ConceptDamage) -> str:
    """Return the title of a concept's mark: status, presence and interval."""
    found = harm.presence
    if found is None:
        return f"{harm.concept}: {caption(harm)}"
    shown = f"{formatting.value(found)} of its prompts show it"
    interval, base = formatting.interval(found), formatting.base(found)
    numbers = f"{interval}, n = {found.n}, base {base}"
    what = {"erased": "erased; ", "doubtful": "erased in doubt; "}.get(harm.status, "")
    return f"{harm.concept}: {what}{shown} ({numbers})"


def _why_nats_rise(findings: Findings) -> str:
    """Return the note on rising readings in nats; empty where none rises."""
    points = (r for each in findings.nats for _, r in each.points)
    return formatting.why_it_rises(points)


def _groups(pairs: Iterable[BeforeAfter]) -> dict[str, list[BeforeAfter]]:
    """Return the pairs by their concept, in their order."""
    found: dict[str, list[BeforeAfter]] = {}
    for pair in pairs:
        found.setdefault(pair.about, []).append(pair)
    return found


def _ties(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the edges that are drawn; siblings of one box need none."""
    family = {node.name: node.family for node in findings.graph.nodes}
    return [
        (edge.one, edge.other, edge.type)
        for edge in findings.graph.edges
        if edge.type in ("look-alike", "synonym")
        or (edge.type == "sibling" and family[edge.one] != family[edge.other])
    ]
