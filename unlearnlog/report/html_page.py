"""A report as one file of HTML that asks nobody for anything."""

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
from unlearnlog.report.reading_rows import by_question, called
from unlearnlog.report.truncation import recent, tabled

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import BeforeAfter, ConceptDamage, Findings

TEMPLATES: Final = PACKAGE / "report" / "templates"

BACK: Final = 0.005
"""From which share on the graph says that an erased concept shows."""

CHARTS: Final = ("judge-mi", "bound-mi", "drift")
"""Measures that are drawn; the others stand in tables."""


def html(findings: Findings) -> str:
    """Return the whole page; every text of somebody's is escaped."""
    n_steps, (findings, omitted) = len(findings.steps), recent(findings)
    drawn = (chart(m, findings.nats, findings.steps) for m in CHARTS)
    return (
        _environment()
        .get_template("report.html")
        .render(
            f=findings,
            n_steps=n_steps,
            omitted=omitted,
            tabled=tabled(findings),
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
        "titled": called,
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
    """Return what a template writes: of a text that is no HTML what can be seen."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value


def _state(harm: ConceptDamage) -> dict[str, Any]:
    """Return how a concept's mark looks after a step, and what is said of it."""
    title = visible(described(harm))
    return {"look": look(harm), "text": said(harm), "title": title}


def look(harm: ConceptDamage) -> str:
    """Return the classes of a concept's mark."""
    sure = " sure" if harm.sure else ""
    level = formatting.level(harm.damage) if harm.status == "kept" else 0
    return f"node {harm.status} d{level}{sure}"


def said(harm: ConceptDamage) -> str:
    """Return what stands beside a concept: its damage, or in a word what it is.

    Of an erased one that shows all the same, how often.
    """
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
    """Return a sentence on a concept."""
    seen = harm.presence
    if seen is None:
        return f"{harm.concept}: {said(harm)}"
    shown = f"{formatting.value(seen)} of its prompts show it"
    numbers = f"{formatting.interval(seen)}, n = {seen.n}, base {formatting.base(seen)}"
    what = {"erased": "erased; ", "doubtful": "erased in doubt; "}.get(harm.status, "")
    return f"{harm.concept}: {what}{shown} ({numbers})"


def _why_nats_rise(findings: Findings) -> str:
    points = (r for each in findings.nats for _, r in each.points)
    return formatting.why_it_rises(points)


def _groups(pairs: Iterable[BeforeAfter]) -> dict[str, list[BeforeAfter]]:
    """Return the pairs by the concept beside which they are shown, in their order."""
    found: dict[str, list[BeforeAfter]] = {}
    for pair in pairs:
        found.setdefault(pair.about, []).append(pair)
    return found


def _ties(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the edges that are drawn: a shared box says sibling already."""
    family = {node.name: node.family for node in findings.graph.nodes}
    return [
        (edge.one, edge.other, edge.type)
        for edge in findings.graph.edges
        if edge.type in ("look-alike", "synonym")
        or (edge.type == "sibling" and family[edge.one] != family[edge.other])
    ]
