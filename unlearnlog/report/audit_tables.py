"""An audit as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.report.fitted_table import FittedTable
from unlearnlog.report.reading_rows import ReadingRows

if TYPE_CHECKING:
    from unlearnlog.audits.verdict import AuditFinding
    from unlearnlog.commands.audit import Audited
    from unlearnlog.commands.rebase import Rebased
    from unlearnlog.probes.statistics import Estimate

_STYLE: Final = {"gone": "green", "resurged": "bold red", "undecided": "yellow"}
_FURTHER: Final = ("returned.nats", "collateral", "return.weights", "false-alarms")


def audit_tables(audited: Audited) -> Group:
    """Return the findings of an audit, its readings, and the most damaged concepts."""
    made = audited.made
    moved = ", ".join(f"{name} {share:.3g}" for name, share in made.moved.items())
    parts: list[RenderableType] = [
        Text(
            f"{made.path} ({made.form}, {made.n_tensors} tensors) against "
            f"{audited.rev[:12]}; moved, as a share of its weights: "
            f"{moved or 'nothing but what is erased'}"
        )
    ]
    parts += [Text(f"note: {note}") for note in made.notes]
    parts.append(findings_table(audited.findings))
    if any(each.at_random for each in audited.findings):
        parts += [Text("textual inversions, beside their controls:")]
        parts.append(controls_table(audited.findings))
    parts.append(ReadingRows([r for r in audited.readings if r.probe in _FURTHER]))
    kept = [
        r
        for r in audited.readings
        if r.probe == "presence" and r.better == "higher" and r.base is not None
    ]
    lost = [r for r in kept if r.value < (r.base or 0.0)]
    if lost:
        parts.append(
            Text(f"kept concepts that lost most, of {len(lost)} that lost any:")
        )
        parts.append(
            ReadingRows(sorted(lost, key=lambda r: r.value - (r.base or 0.0))[:5])
        )
    elif kept:
        parts.append(
            Text(f"none of {len(kept)} kept concepts shows less than on the base")
        )
    return Group(*parts)


def findings_table(findings: Iterable[AuditFinding]) -> Table:
    """Return the finding of each erased concept, a row each."""
    table = FittedTable(
        *("concept", "verdict", meaning_of("presence").title, "n"),
        *("in the state", "base", meaning_of("resurgence").title),
    )
    for each in findings:
        table.add_row(
            each.called,
            Text(each.word, style=_STYLE[each.word]),
            _share(each.now),
            str(each.now.n),
            f"{each.then.value:.3f}",
            f"{each.base.value:.3f}",
            f"{each.back.value:+.3f} ({each.back.low:+.3f} to {each.back.high:+.3f})",
        )
    return table


def controls_table(findings: Iterable[AuditFinding]) -> Table:
    """Return the controls of each textual inversion, a row each.

    Random vectors of the same norms show what any vectors would do, and the base what
    the inversion carries.
    """
    table = FittedTable("concept", "shown", "n", "at random", "on the base", "why")
    for each in findings:
        if each.at_random is not None and each.carried is not None:
            table.add_row(
                *(each.called, _share(each.now), str(each.now.n)),
                *(_share(each.at_random), _share(each.carried), each.why),
            )
    return table


def rebased_tables(done: Rebased) -> Group:
    """Return the findings before and after a rebase, and where its ledger is."""
    names = ", ".join(c.name for entry in done.entries for c in entry.concepts)
    return Group(
        Text("before, as it was given:"),
        findings_table(done.before),
        Text("after, erased anew:"),
        findings_table(done.after),
        Text(
            f"erased anew: {names}; the ledger is in {done.folder}, on {done.base}; "
            f"take the model away: unlearnlog checkout HEAD -o DIR "
            f"--ledger {done.folder}"
        ),
    )


def _share(estimate: Estimate) -> str:
    """Return a share with its interval."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
