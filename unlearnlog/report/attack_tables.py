"""Attacks as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.text import Text

from unlearnlog.report.fitted_table import FittedTable

if TYPE_CHECKING:
    from unlearnlog.audits.attacks.attack_evaluation import AttackResult
    from unlearnlog.commands.attack import Attacked
    from unlearnlog.probes.statistics import Estimate

_STYLE: Final = {
    "not reached": "green",
    "reached": "bold red",
    "undecided": "yellow",
}


def attack_table(attacked: Attacked) -> Group:
    """Return a table of the attacks, each beside its null controls."""
    where = (attacked.head or "the base")[:12]
    twin = attacked.twin or "none: no control on a model that never learned it"
    head = Text(f"attacks on {where}, budget {attacked.budget}; twin: {twin}")
    table = FittedTable(
        "concept", "attack", "verdict", "shown", "n", "without it", "controls", "more"
    )
    for each in attacked.results:
        table.add_row(
            each.concept,
            each.attack,
            Text(each.verdict, style=_STYLE[each.verdict]),
            _share(each.success),
            str(each.success.n),
            f"{each.plain.value:.3f}",
            ", ".join(f"{c.null} {c.success.value:.3f}" for c in each.controls),
            _more(each),
        )
    table.padding = (0, 1, 0, 0)  # so that a row fits a hundred characters
    return Group(head, table)


def _more(result: AttackResult) -> str:
    """Return the smallest excess over a control, with its interval."""
    more = result.above.more
    return f"{more.value:+.3f} ({more.low:+.3f} to {more.high:+.3f})"


def _share(estimate: Estimate) -> str:
    """Return a share with its interval."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
