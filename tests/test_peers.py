"""What the documents say of methods as their authors run them is what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import ALONE
from benchmarks.erasers import SUITE, official
from benchmarks.suite import Suite
from docs.duels import of_base, one
from docs.peers import NOT_YET, peers_table
from unlearnlog.erasers.presets.preset_table import presets_of
from unlearnlog.probes.statistics import share

CELLS = SUITE.cells()
PEERS = Suite.called("peers").cells()
DOCUMENT = Path(__file__).parents[1] / "docs" / "ERASERS.md"
PROSE = " ".join(DOCUMENT.read_text(encoding="utf-8").split())


def cell(label, concept):
    return CELLS[f"{label}-{concept.casefold()}"]


def test_every_preset_is_a_row_of_the_bench_and_of_the_table():
    rows = peers_table(CELLS, PEERS).splitlines()

    for entrant in official():
        preset = dict(entrant.settings)["preset"]
        mine = [row for row in rows if row.startswith(f"| `{entrant.eraser}` |")]
        assert any(f"`preset={preset}`" in row for row in mine)
        assert any("| by default |" in row for row in mine)
        assert any("| at equal erasure |" in row for row in mine)


def test_what_was_not_measured_is_said_to_be_so():
    rows = peers_table({}, {}).splitlines()[2:]

    assert rows
    assert all(row.count(NOT_YET) == len(ALONE) for row in rows)


@pytest.mark.parametrize("name", PEERS)
def test_the_authors_program_reads_as_the_preset_does(name):
    """Where their tensors are ours but for rounding, so are the pictures."""
    theirs = PEERS[name]
    label = name.removesuffix(f"-{theirs['concept'].casefold()}")
    (entrant,) = (each for each in official() if each.label == label)
    preset = presets_of(entrant.eraser)[dict(entrant.settings)["preset"]]
    read = one(theirs, "ua") or theirs["screen"]

    assert theirs["code"] == preset.code
    counted = share(round(read["value"] * read["n"]), read["n"])
    assert (counted.low, counted.high) == pytest.approx((read["low"], read["high"]))
    if name in CELLS and theirs["readings"] and theirs.get("apart", 1) < 0.05:
        mine = one(CELLS[name]["default"], "ua")
        assert mine["low"] <= read["high"]
        assert read["low"] <= mine["high"]


def of_preset(label, probe):
    """Return what a preset reads of each concept, in the order of the table."""
    rows = [one(cell(label, concept)["default"], probe) for concept in ALONE]
    return [row["value"] for row in rows]


def short(value):
    """Return a share as the prose writes it: .46, 1.00."""
    return f"{value:.2f}".removeprefix("0")


def from_to(values):
    return f"{short(min(values))} to {short(max(values))}"


def test_numbers_of_the_prose_are_those_of_the_cells():
    ua = dict(zip(ALONE, of_preset("speed-official-many", "ua"), strict=True))
    drift = one(cell("uce-official", "cat")["default"], "drift")
    left = one(cell("esd-official", "cat")["default"], "ua")
    of_mace = (of_preset("mace-official", probe) for probe in ("ua", "drift"))
    first, second = (sorted(values) for values in of_mace)

    assert f"at {drift['value']:.0f} nats of drift" in PROSE
    assert f"most castles ({ua['castle']:.3f})".replace("(0", "(") in PROSE
    assert f"erases {from_to(of_preset('scapre-official', 'ua'))} of" in PROSE
    assert f"(`esd` {left['value'] * left['n']:.0f} cats of {left['n']})" in PROSE
    assert (
        f"alone erases {from_to(first)}, at {short(second[0])} to {second[-1]:.0f} nats"
    ) in PROSE


def least_kept(label):
    """Return the least that is left of the base's IRA, CRA and look-alike."""
    read = [cell(label, name)["default"] for name in ALONE]
    found = [one(each, probe) for each in read for probe in ("ira", "cra", "alike")]
    return min(of_base(reading) for reading in found if reading)


def cra_left(*labels):
    return [
        of_base(one(cell(label, name)["default"], "cra"))
        for label in labels
        for name in ALONE
    ]


def test_projected_defaults_keep_what_the_losses_alone_do_not():
    """`esd` as it once was by default kept .07 to .15 of the other kind."""
    esd, sdd = of_preset("esd", "ua"), of_preset("sdd", "ua")
    best = [one(cell("esd-best", name)["equal"], "ua")["value"] for name in ALONE]
    lost = cra_left("esd-unprojected", "sdd-unprojected")

    assert min(*esd, *of_preset("concept-ablation", "ua")) == 1.0
    assert min(map(least_kept, ("esd", "sdd", "concept-ablation"))) > 0.99
    assert f"`sdd` erases {from_to(sdd)};" in PROSE
    assert f"keep {from_to(lost)} of the other kind" in PROSE
    assert f"own rate erases {from_to(best)} (" in PROSE
    assert (
        f"erases {from_to(of_preset('esd-official-1e-3', 'ua'))} of the four;" in PROSE
    )


@pytest.mark.parametrize("label", ["scapre-official", "speed-official"])
def test_a_program_is_as_far_from_the_preset_as_from_itself_with_another_seed(label):
    cells = [PEERS[f"{label}-{name.casefold()}"] for name in ALONE]

    apart, seeds = (max(e[key] for e in cells) for key in ("apart", "seeds_apart"))

    assert apart < 1.1 * seeds
