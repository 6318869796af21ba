"""The table of an export: the share of each erasure that its file keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.report.fitted_table import FittedTable

if TYPE_CHECKING:
    from unlearnlog.commands.fidelity import Fidelity
    from unlearnlog.core.reading import Reading


def fidelity_table(fidelity: Fidelity) -> FittedTable:
    """Return the shares erased and kept, in the ledger's state and in the export."""
    table = FittedTable("share", "of", "state", "export", "n")
    for state, other in fidelity.gone:
        shares = _erased(state), _erased(other)
        table.add_row("erased", state.concept, *shares, str(state.n))
    if fidelity.kept:
        means = (f"{mean:.3f}" for mean in fidelity.kept_means)
        n = sum(state.n for state, _ in fidelity.kept)
        table.add_row("kept", f"{len(fidelity.kept)} concepts", *means, str(n))
    return table


def _erased(reading: Reading) -> str:
    """Return the share of pictures without the concept, with its interval."""
    value, low, high = reading.value, reading.low, reading.high
    return f"{1 - value:.3f} ({1 - high:.3f} to {1 - low:.3f})"
