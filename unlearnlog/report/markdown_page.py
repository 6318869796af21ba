"""A report as Markdown, with each figure as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, get_args

from unlearnlog.core.note import cells
from unlearnlog.core.reading_registry import Question
from unlearnlog.findings.markdown_text import in_markdown
from unlearnlog.report import formatting
from unlearnlog.report.reading_rows import by_question, reading_title
from unlearnlog.report.truncation import tabled_steps, truncated

if TYPE_CHECKING:
    from unlearnlog.core.reading import Reading
    from unlearnlog.findings.attack_history import TriedAttack
    from unlearnlog.findings.audit_history import AuditLine
    from unlearnlog.findings.report_parts import Findings, Row, Weakness
    from unlearnlog.findings.step import Step

Cells = Sequence[object]


def markdown(findings: Findings) -> str:
    """Return the whole report; pictures stand at the end, as data links."""
    parts = (
        *(_verdict, _pictures, _graph, _triangle, _audits, _attacks, _nats),
        *(_entries, _method, _images),
    )
    findings, omitted = truncated(findings)
    lines = [line for part in parts for line in part(findings)]
    if omitted:
        lines[1:1] = ["", in_markdown(omitted)]
    return "\n".join(lines).rstrip() + "\n"


def table(head: Cells, rows: Iterable[Cells], numbers: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table, with its cells escaped.

    Args:
        head: Titles of the columns.
        rows: Cells of each row.
        numbers: Columns that are aligned right.
    """
    rule = ["--:" if i in numbers else "---" for i in range(len(head))]
    lines = [_line(head), f"|{'|'.join(rule)}|"]
    return ["", *lines, *(_line(row) for row in rows), ""]


def _line(cells: Cells) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(in_markdown(str(cell)) for cell in cells) + " |"


def _numbers(reading: Reading) -> tuple[str, str, str, str]:
    """Return value, interval, n and base of a reading."""
    shown = formatting.value(reading), formatting.interval(reading)
    return (*shown, str(reading.n), formatting.base(reading))


def _verdict(f: Findings) -> Iterator[str]:
    """Yield the verdict, its reasons, and the weakest readings."""
    judgement, last = f.judgement, f.last
    yield f"# {in_markdown(judgement.headline)}"
    yield ""
    yield (
        f"**{formatting.MARK[judgement.word]} {formatting.WORD[judgement.word]}.** "
        + in_markdown(judgement.sentence)
    )
    yield ""
    if judgement.caveat:
        yield in_markdown(judgement.caveat)
        yield ""
    yield from (f"- does not hold: {in_markdown(each)}" for each in judgement.failures)
    yield from (f"- undecided: {in_markdown(each)}" for each in judgement.undecided)
    if judgement.doubted:
        numbers = ", ".join(map(str, judgement.doubted))
        yield f"- recorded against a limit, in doubt or without a look: entry {numbers}"
    head = ("weakest", "of", "value", "95 %", "n", "base", "note")
    yield from table(head, map(_weak, f.weakest), (2, 4, 5))
    nothing = "nothing that is in no doubt" if last.live else "nothing"
    yield f"Erased now: {in_markdown(', '.join(last.sure)) or nothing}."
    yield ""
    for name, reasons in last.doubts.items():
        yield f"- in doubt: {in_markdown(name)}: {in_markdown('; '.join(reasons))}"
    if last.doubts:
        yield ""


def _audits(f: Findings) -> Iterator[str]:
    """Yield the audits; nothing where there are none."""
    if not f.audits:
        return
    yield "## Did it come back in other hands?"
    yield ""
    for audit in f.audits:
        mark, word = formatting.MARK[audit.word], formatting.AUDITED[audit.word]
        yield f"**{mark} {in_markdown(audit.model)}**: {word}."
        yield f"It is a {audit.form}, held against the state of {audit.at[:12]};"
        yield f"{in_markdown(formatting.signed(audit.entry))}."
        head = (
            *("concept", "verdict", formatting.called("presence"), "95 %", "n"),
            *(
                formatting.called("resurgence"),
                "95 %",
                formatting.called("returned.nats"),
            ),
        )
        yield from table(head, map(_audit_line, audit.lines), (2, 4, 5, 7))
        if audit.collateral is not None:
            value, interval, n, _ = _numbers(audit.collateral)
            yield f"Everything else: {value} ({interval}, n = {n}) against the state."
            yield ""


def _audit_line(line: AuditLine) -> Cells:
    """Return the row of a concept in an audit."""
    shown = ("", "", "", "") if line.shown is None else _numbers(line.shown)
    back = ("", "") if line.back is None else _numbers(line.back)[:2]
    nats = "" if line.nats is None else formatting.value(line.nats)
    return line.concept, line.word, *shown[:3], *back, nats


def _attacks(f: Findings) -> Iterator[str]:
    """Yield the attacks; nothing where there are none."""
    if not f.attacks:
        return
    yield "## Can it be brought back?"
    yield ""
    yield formatting.ATTACKED
    yield ""
    head = ("entry", "concept", "attack", "verdict", "shown", "95 %", "n", "control")
    yield from table((*head, "best of"), map(_attack_line, f.attacks), (4, 6, 7, 8))


def _attack_line(tried: TriedAttack) -> Cells:
    """Return the row of an attack."""
    shown = ("", "", "", "") if tried.shown is None else _numbers(tried.shown)
    where = f"{tried.at[:12]} ({tried.kind})"
    verdict = f"{formatting.TRIED.get(tried.verdict, '')} {tried.verdict}"
    return where, tried.concept, tried.attack, verdict, *shown, str(tried.best_of)


def _weak(weakness: Weakness) -> Cells:
    """Return the row of a weakest reading."""
    if weakness.reading is None:
        return weakness.title, "", "", "", "", "", weakness.note
    return (
        weakness.title,
        weakness.reading.concept,
        *_numbers(weakness.reading),
        weakness.note,
    )


def _pictures(f: Findings) -> Iterator[str]:
    """Yield the pictures before and after."""
    if not f.pairs:
        return
    yield "## Before and after"
    yield ""
    yield "From the same starting noise: the base's picture, and this model's."
    yield ""
    head = ("beside", "role", "shows", "prompt", "seed", "before", "after")
    yield _line(head)
    yield "|---|---|---|---|--:|---|---|"
    for i, pair in enumerate(f.pairs, 1):
        texts = pair.about, pair.role, pair.shows, pair.prompt, pair.seed
        yield f"{_line(texts)} ![before][before-{i}] | ![after][after-{i}] |"
    yield ""
    if f.unpainted:
        yield f"{f.unpainted} more prompts are left out."
        yield ""


def _images(f: Findings) -> Iterator[str]:
    """Yield the data of the pictures, as link targets."""
    for i, pair in enumerate(f.pairs, 1):
        yield f"[before-{i}]: {pair.before}"
        yield f"[after-{i}]: {pair.after}"


def _graph(f: Findings) -> Iterator[str]:
    """Yield the damage of each concept after each entry."""
    yield "## What each erasure did to everything else"
    yield ""
    shown = formatting.meaning("presence")
    yield f"Change in points, after each entry, of the {shown};"
    yield f"{formatting.ERASED} is erased,"
    yield f"{formatting.DOUBTFUL} is erased in doubt, {formatting.UNREAD} was not read."
    ties: dict[str, list[str]] = {}
    for edge in f.graph.edges:
        if edge.type == "look-alike":
            ties.setdefault(edge.one, []).append(edge.other)
            ties.setdefault(edge.other, []).append(edge.one)
    head = ("concept", "family", "look-alike", *(s.number for s in f.steps))
    rows = (
        (
            node.name,
            node.family,
            ", ".join(ties.get(node.name, ())),
            *(formatting.points(harm[i]) for harm in f.graph.harm),
        )
        for i, node in enumerate(f.graph.nodes)
    )
    yield from table(head, rows, range(3, len(head)))
    if f.graph.left_out:
        yield f"{f.graph.left_out} concepts that lost least are left out."
        yield ""
    if f.relations:
        yield "Loss of kept concepts by their relation to what was erased:"
        head = ("entry", "of", "reading", "loss", "95 %", "n")
        found = (
            (number, r.concept, formatting.called(r.probe), *_numbers(r)[:3])
            for number, r in f.relations
        )
        yield from table(head, found, (0, 3, 5))


def _triangle(f: Findings) -> Iterator[str]:
    """Yield the presence of each erased concept after each later entry."""
    yield "## Does anything come back?"
    yield ""
    shown, more = (formatting.meaning(each) for each in ("presence", "resurgence"))
    yield f"Of each erased concept the {shown}, in percent, after"
    yield f"each entry; and the {more}."
    back = formatting.called("resurgence")
    head = ("erased", *(s.number for s in f.steps), back, "95 %, points")
    rows = ((row.concept, *_shown(row), *_back(row)) for row in f.triangle)
    yield from table(head, rows, range(1, len(f.steps) + 2))
    head = ("concept", "entry", formatting.called("presence"), "95 %", "n", "base")
    cells = (
        (row.concept, cell.number, *_numbers(cell.shown))
        for row in f.triangle
        for cell in row.cells
        if cell.shown
    )
    yield from table(head, cells, (1, 2, 4, 5))


def _shown(row: Row) -> Iterator[str]:
    """Yield the presence after each entry, in percent."""
    for cell, erased in zip(row.shown, row.erased_at, strict=True):
        yield f"{100 * cell.value:.0f}" if cell else "?" if erased else ""


def _back(row: Row) -> tuple[str, str]:
    """Return the resurgence with its interval; a dash where there is none."""
    back = row.now.back
    return (
        (formatting.value(back), formatting.interval(back))
        if back
        else (formatting.DASH, "")
    )


def _nats(f: Findings) -> Iterator[str]:
    """Yield the readings in nats."""
    yield "## Information left, in nats"
    head = ("measure", "name", "of", "entry", "value", "95 %", "n", "base")
    rows = (
        (
            *(formatting.called(each.measure), each.measure, each.concept, number),
            *_numbers(reading),
        )
        for each in f.nats
        for number, reading in each.points
    )
    yield from table(head, rows, (3, 4, 6, 7))
    if rises := formatting.why_it_rises(r for each in f.nats for _, r in each.points):
        yield in_markdown(rises)
        yield ""


def _entries(f: Findings) -> Iterator[str]:
    """Yield every entry and every reading."""
    yield "## Every entry, every reading"
    head = ("entry", "id", "what", "eraser", "policy", "verdict", "seconds")
    yield from table(head, map(_entry, f.steps), (0, 6))
    yield from _records(f)
    for question, found in _by_question(f).items():
        yield f"### {question}"
        titles = ("entry", "reading", "name", "of", "value", "95 %", "n", "base")
        yield from table(titles, found, (0, 4, 6, 7))


def _by_question(f: Findings) -> dict[str, list[Cells]]:
    """Return the readings of all entries by the question that they answer."""
    found: dict[str, list[Cells]] = {each: [] for each in get_args(Question)}
    for step in tabled_steps(f):
        for question, readings in by_question(step.entry.readings).items():
            found[question] += [
                (step.number, reading_title(r), r.probe, r.concept, *_numbers(r))
                for r in readings
            ]
    return {question: rows for question, rows in found.items() if rows}


def _records(f: Findings) -> Iterator[str]:
    """Yield the table of each entry's date, author, reference and reason."""
    head = ("entry", "recorded", "by", "reference", "reason")
    rows = (
        (step.number, formatting.moment(step.entry.date), *cells(step.entry.note))
        for step in f.steps
    )
    yield from table(head, rows, (0,))


def _entry(step: Step) -> Cells:
    """Return the row of an entry."""
    entry = step.entry
    return (
        step.number,
        entry.id[:12],
        f"{entry.kind} {step.names}",
        entry.eraser.name,
        entry.policy,
        formatting.outcome(entry),
        f"{entry.seconds:.0f}",
    )


def _method(f: Findings) -> Iterator[str]:
    """Yield the policy, the sampling and the digests."""
    how, last = f.method, f.last.entry
    yield "## How it was measured"
    facts = {"policy": how.policy}
    if how.known:
        facts |= {
            "its content": f"as recorded in the entry, {how.rules}"
            if how.rules
            else "what a policy of that name says today; the entry keeps only its name",
            "limits": "; ".join(how.limits) or "none",
            "pictures": how.sampling,
            "judge": how.judge,
            "asked for": ", ".join(f"{k} {n}" for k, n in how.probes.items()),
        }
    facts |= {
        "seeds": ", ".join(str(step.entry.seed) for step in f.steps),
        "base": f.base,
        "state": last.state.after,
        "entry": last.id,
        **how.made_with,
    }
    yield from table(("what", "is"), facts.items())
    head = ("entry", "digest", "state after it", "delta", "its kind")
    rows = (
        (
            step.number,
            step.entry.id,
            step.entry.state.after,
            step.entry.delta.digest if step.entry.delta else "none",
            step.delta_kind,
        )
        for step in f.steps
    )
    yield from table(head, rows, (0,))
