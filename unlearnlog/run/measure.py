"""What a state shows of everything that is meant to be gone in it, and of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unlearnlog.probes import PROBES
from unlearnlog.probes.panel import Asked
from unlearnlog.run.judging import panel_for

if TYPE_CHECKING:
    from unlearnlog.concept import Concept
    from unlearnlog.delta import Weights
    from unlearnlog.policy import Policy
    from unlearnlog.reading import Reading
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


def state_readings(
    at: Place, gone: Sequence[Concept], new: Weights, policy: Policy, watch: Watch
) -> tuple[Reading, ...]:
    """Look at every erased concept and at everything else.

    Args:
        at: Where the model is.
        gone: What is meant to be erased in the state.
        new: Every text projection as the state has it.
        policy: How many pictures, how painted, who judges.
        watch: Who wants to see it advance.

    Returns:
        Presence of each concept, resurgence, and what is kept; none without a judge.
    """
    book, sizes = at.book(gone), policy.probes
    panel = panel_for(at, policy, book, watch)
    if panel.judge is None:
        return ()
    names = {concept.name for concept in gone}
    earlier = {
        concept.name: tuple(
            cell
            for cell in book.erased(concept, sizes.earlier)
            if not {cell.subject, cell.style} & (names - {concept.name})
        )
        for concept in gone
    }
    asked = Asked((), kept=book.kept(names, sizes.kept), earlier=earlier)
    evidence = panel.looked(asked, new)
    return tuple(r for probe in PROBES for r in probe.readings(evidence))
