"""An audit as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from unlearnlog.report.terminal import plain_table, rows_table

if TYPE_CHECKING:
    from unlearnlog.probes.statistics import Estimate
    from unlearnlog.run.audit import Audited

_STYLE: Final = {"gone": "green", "resurged": "bold red", "undecided": "yellow"}
_ELSE: Final = ("returned.nats", "collateral", "return.weights", "false-alarms")


def audit_tables(audited: Audited) -> Group:
    """Return the verdict a concept, the readings behind it, and what lost most."""
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
    table = plain_table(
        "concept", "verdict", "shown", "n", "in the state", "base", "came back"
    )
    for each in audited.findings:
        table.add_row(
            each.concept,
            Text(each.word, style=_STYLE[each.word]),
            _share(each.now),
            str(each.now.n),
            f"{each.then.value:.3f}",
            f"{each.base.value:.3f}",
            f"{each.back.value:+.3f} ({each.back.low:+.3f} to {each.back.high:+.3f})",
        )
    parts.append(table)
    parts.append(rows_table([r for r in audited.readings if r.probe in _ELSE]))
    kept = [
        r
        for r in audited.readings
        if r.probe == "presence" and r.better == "higher" and r.base is not None
    ]
    lost = sorted(kept, key=lambda r: r.value - (r.base or 0.0))[:5]
    if lost:
        parts.append(Text("kept concepts that lost most:"))
        parts.append(rows_table(lost))
    return Group(*parts)


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
