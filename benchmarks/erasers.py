"""The second part of ``make bench``: every eraser on the same concepts.

A *duel* erases one concept on the base with each eraser, with default or preset
settings and at equal erasure: its strength is searched, in three tries at most, until
about one in twenty pictures still shows the concept, on prompts of the forget set; the
readings then use the probes' own prompts. A *sequence* erases styles one after another.
A measured cell is kept while the weights, the eraser's settings and computation, and
the sizes are the same. ``--fresh`` also repeats cells that were read by other code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console

from benchmarks.__main__ import ALONE
from benchmarks.computed import eraser_witness, reading_witness
from benchmarks.duel import Duel
from benchmarks.looks import Entrant
from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.sequence import Sequence
from benchmarks.suite import Suite
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.presets.preset_table import PRESET, expanded, presets_of

SUITE: Final = Suite.called("erasers")
UNPROJECTED: Final = {
    "esd-unprojected": ("esd", (("project", False),)),
    "sdd-unprojected": ("sdd", (("project", False), ("rate", 3e-4))),
    "concept-ablation-unprojected": (
        "concept-ablation",
        (("project", False), ("rate", 3e-4)),
    ),
}
"""Trained erasers as their losses have them: no gradient is projected."""

ALSO: Final = {
    **UNPROJECTED,
    "esd-context": ("esd", (("target", "context"), ("project", False))),
    "sdd-context": (
        "sdd",
        (("target", "context"), ("project", False), ("rate", 3e-4)),
    ),
    "ridge-context": ("ridge", (("target", "context"),)),
    "mim-unique-sibling": ("mim-unique", (("target", "sibling"),)),
    "uce-last": ("uce", (("span", "last"), ("erase_scale", 1.0))),
    "esd-best": (
        "esd",
        (*expanded("esd", {PRESET: "official"}).items(), ("strength", 4.0)),
    ),
    "esd-official-1e-3": ("esd", ((PRESET, "official"), ("rate", 1e-3))),
}
"""Further rows beside the defaults: a label, an eraser, its settings."""

JOINT: Final = ("uce", "speed", "oce", "ridge")
TRAINED: Final = ("mim", "hybrid", "mim-unique")
"""Erasers that erase all styles, in every order."""

SOLVED: Final = ("rece",)
"""Closed forms that are not joint."""

N_ORDERS: Final = 5
N_SHORT: Final = 6


def entrants() -> list[Entrant]:
    """Return every eraser with its defaults."""
    return [Entrant(name, name) for name in ERASERS]


def also() -> list[Entrant]:
    """Return the further rows with other settings."""
    return [Entrant(label, *said) for label, said in ALSO.items()]


def official() -> list[Entrant]:
    """Return every eraser with each of its presets."""
    return [
        Entrant(f"{name}-{preset}", name, ((PRESET, preset),))
        for name in ERASERS
        for preset in presets_of(name)
    ]


def cells() -> Iterator[Duel | Sequence]:
    """Yield every cell: solved erasers, then trained ones, then further rows."""
    yield from (d for d in duels([*official(), *entrants()]) if is_solved(d.entrant))
    yield from sequences(JOINT)
    trained = duels([*official(), *entrants()])
    yield from (d for d in trained if not is_solved(d.entrant))
    yield from sequences(TRAINED)
    for each in entrants():
        if each.label not in (*JOINT, *TRAINED):
            yield Sequence(each, 1, N_SHORT)
    for label in UNPROJECTED:
        yield Sequence(_called(label), 1, N_SHORT)
    yield from duels(also())
    yield from sequences(("uce-last",))


def duels(of: list[Entrant]) -> Iterator[Duel]:
    """Yield a duel with each concept, one concept after another."""
    yield from (Duel(each, concept) for concept in ALONE for each in of)


def sequences(names: tuple[str, ...]) -> Iterator[Sequence]:
    """Yield whole sequences, one order after another."""
    n = len(world().styles)
    for order in range(1, N_ORDERS + 1):
        yield from (Sequence(_called(name), order, n) for name in names)


def _called(label: str) -> Entrant:
    return Entrant(label, *ALSO.get(label, (label, ())))


def is_solved(entrant: Entrant) -> bool:
    """Return whether an eraser is solved, in seconds."""
    return ERASERS[entrant.eraser].joint or entrant.eraser in SOLVED


def made_of(cell: Duel | Sequence) -> MadeOf:
    """Return the inputs of a cell: base, eraser and settings, concepts, sizes."""
    entrant = cell.entrant
    plain = {
        "weights": bundled_weights(),
        "eraser": entrant.eraser,
        "settings": entrant.policy({}).chosen_eraser({cell.slot}).settings,
        "concepts": [cell.concept] if isinstance(cell, Duel) else cell.styles,
        "sizes": cell.sizes,
    }
    return MadeOf(plain, {"eraser": eraser_witness(entrant.eraser, entrant.settings)})


def measured(cell: Duel | Sequence, console: Console) -> dict[str, Any]:
    """Measure a cell."""
    if isinstance(cell, Duel):
        return cell.measured(console)
    return cell.measured(console, digest_of(canonical_json(made_of(cell).written())))


def measured_of(cell: Duel | Sequence) -> Measured:
    """Return a cell with its measurement and its inputs."""
    return Measured(
        SUITE,
        cell.name,
        lambda: made_of(cell),
        lambda console: measured(cell, console),
        reading_witness(),
    )


def main() -> None:
    """Measure the cells that are missing or out of date."""
    make_missing(map(measured_of, cells()), __doc__)


if __name__ == "__main__":
    main()
