"""Tables, figures and summaries of the benchmarks, on measurements that are built here.

`test_docs` requires that every block of a document is what these make of the cells.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks.duel import CLOSE, SCREENS, Ring
from benchmarks.figures import digest_of_rows, kept, triangle
from benchmarks.growth import per_doubling
from benchmarks.judges import agreement
from benchmarks.tiers import damage
from benchmarks.unique import KEPT, above, parts
from docs.attacks import attacks_table
from docs.duels import duels_table
from docs.edges import chains_table, edges_table, tiers_table, unique_table
from docs.families import full_size_table
from docs.growth import growth_table
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.statistics import share


def estimate(value, n=48):
    return {"value": value, "low": value - 0.5, "high": value + 0.5, "n": n}


def reading(probe, value, *, concept="Picasso", base=1.0):
    return {"probe": probe, "concept": concept, "base": base, **estimate(value, 96)}


def rows_in(table):
    """Return the cells of each row below the head, without the spaces around them."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[each.strip() for each in line.strip("|").split("|")] for line in lines[2:]]


def read(strength, residual, **others):
    return {
        "strength": strength,
        "residual": {"value": residual},
        "seconds": 1.26,
        "bytes": 2_753_400,
        "readings": [
            reading("ua", 0.75),
            reading("ira", 0.5),
            reading("cra", 0.25, base=0.5),
            reading("presence", 0.0),
            reading("presence", 0.9, concept="Braque"),
            reading("presence", 0.3, concept="cat", base=0.5),
            *(reading(probe, value) for probe, value in others.items()),
        ],
    }


def duel(*, reached=True, n_tries=3, concept="Picasso"):
    return {
        "concept": concept,
        "tries": [None] * n_tries,
        "default": read(1.0, 0.5, drift=2.5),
        "equal": {**read(1234.5, 0.25, alike=0.8), "reached": reached},
    }


def test_a_duel_is_a_row_of_what_stays_as_a_share_of_the_base():
    (row,) = rows_in(duels_table({"ridge-picasso": duel()}, "default"))

    assert row[:3] == ["`ridge`", "Picasso", "0.500"]
    assert row[3] == "0.750 (0.250 to 1.250, n = 96)"
    assert row[4:6] == ["0.500 (0.00 to 1.00)", "0.500 (-0.50 to 1.50)"]
    assert row[6:] == ["none known", "cat 0.600", "2.50", "1.3", "2753"]


def test_at_equal_erasure_its_strength_stands_beside_what_is_left():
    cells = {
        "ridge-picasso": duel(),
        "mim-picasso": duel(reached=False),
        "uce-official-picasso": duel(reached=False, n_tries=1),
    }

    mim, ridge = rows_in(duels_table(cells, "equal"))

    assert mim[:3] == ["`mim`", "Picasso", "1234, 0.250 (not reached)"]
    assert ridge[:3] == ["`ridge`", "Picasso", "1234, 0.250"]
    assert ridge[6] == "0.800 (0.30 to 1.30)"
    assert ridge[8] == ""  # no drift was read
    assert duels_table({}, "equal") == ""


class Screened(Ring):
    """The screen of a duel without a model, where a share of pictures shows."""

    def __init__(self, shown):
        self.shown = shown

    def _shown(self, strength, n):  # noqa: ARG002
        found = share(round(self.shown * n), n)
        return {"value": found.value, "n": found.n, "low": found.low}


@pytest.mark.parametrize(
    ("shown", "few"), [(0.0, False), (CLOSE[1], False), (0.5, True), (1.0, True)]
)
def test_few_pictures_are_painted_of_a_strength_that_is_surely_too_weak(shown, few):
    assert Screened(shown).residual(1.0)["n"] == SCREENS[0 if few else 1]


def chain(style, shared, unique):
    found = {"shared": shared, "unique": unique, "whole": shared + unique}
    rows = {part: estimate(value) for part, value in found.items()}
    return {"style": style, "family": "cubism", **rows}


EDGES = {
    "centre": "Picasso",
    "edges": [
        {
            "style": "Braque",
            "family": "cubism",
            "edge": estimate(0.07, 96),
            "apart": estimate(10.4),
        }
    ],
    "chains": [chain("Picasso", 4.0, 1.25)],
    "whole": {"style": "Picasso", "difference": estimate(6.0)},
    "atoms": {
        "redundant": estimate(5.5),
        "first": estimate(0.0),
        "second": estimate(4.75),
        "synergy": estimate(5.25),
    },
}


def test_an_edge_has_its_interval_and_the_number_of_pictures():
    table = edges_table(EDGES)

    (row,) = rows_in(table)
    assert row == [
        *("Braque", "cubism"),
        *("0.0700 (-0.4300 to 0.5700)", "10.4 (9.9 to 10.9)"),
    ]
    assert table.endswith("n = 96 pictures an edge, half of each style.")


def test_a_chain_stands_beside_the_other_estimate_and_the_atoms_that_are_not_nothing():
    table = chains_table(EDGES)

    (row,) = rows_in(table)
    assert row[2:] == [
        "4.00 (3.50 to 4.50)",
        "1.25 (0.75 to 1.75)",
        "5.25 (4.75 to 5.75)",
    ]
    assert "The whole of Picasso by the difference of predictions: 6.00 (5.50" in table
    assert "only the subject 4.75" in table
    assert "only the style" not in table


def split(style, *, shared, unique, whole=None):
    def part(base, now):
        kept = {"kept": now / base}
        return {"base": estimate(base), "now": estimate(now), "above": kept}

    found = {"style": style, "shared": part(*shared), "unique": part(*unique)}
    return found | ({"whole": part(*whole)} if whole else {})


def erased_by(eraser, *rows, **others):
    return {"eraser": eraser, "target": "anchor", "rows": [*rows], **others}


def test_what_an_erasure_left_of_each_part_is_said_in_percent():
    shows = {
        "name": estimate(0.25, 32),
        "family": {when: {"Picasso": estimate(0.5)} for when in ("base", "now")},
    }
    braque = split("Braque", shared=(4.0, 4.0), unique=(1.0, 0.5))
    picasso = split("Picasso", shared=(3.0, 3.0), unique=(1.0, 0.0), whole=(4.0, 3.0))
    cells = {
        "a": erased_by("mim", picasso),
        "b": erased_by("mim-unique", braque, erased="Picasso", shown=shows),
    }

    table = unique_table(cells)

    own, other, shown = (row for row in rows_in(table) if row[0].startswith("mim"))
    assert own[:3] == ["mim-unique", "anchor", "Braque"]
    assert own[-3:] == ["5.00 to 4.50", "50 %", "90 %"]
    assert other[-3:] == ["4.00 to 3.00 (2.50 to 3.50)", "0 %", "75 %"]
    assert shown[2:] == [
        "0.25 (-0.25 to 0.75) (n = 32)",
        "0.50 to 0.50 (0.00 to 1.00) (n = 48)",
    ]
    assert unique_table({}) == ""


def test_what_stays_of_a_part_is_held_against_the_share_that_must_stay():
    cells = tuple(ProbeCase("a cat", seed, "cat", "Braque") for seed in range(4))
    pictures = PromptedPictures(cells, torch.empty(4, 1, 1, 1))
    before = torch.tensor([1.0, 2.0, 3.0, 4.0])

    all_of_it, half = (above(before, k * before, pictures) for k in (1.0, 0.5))

    assert all_of_it["kept"] == 1
    assert half["kept"] == 0.5
    for found in (all_of_it, half):
        margin = (found["kept"] - KEPT) * 2.5
        assert found["margin"]["value"] == pytest.approx(margin)
    assert half["margin"]["high"] < 0 < all_of_it["margin"]["low"]


def test_shared_and_unique_make_the_whole():
    found = parts(torch.tensor([[9.0, 8.0], [5.0, 6.0], [4.0, 2.0]]))

    assert found["shared"].tolist() == [4.0, 2.0]
    assert found["unique"].tolist() == [1.0, 4.0]
    assert torch.equal(found["shared"] + found["unique"], found["whole"])


def test_damage_is_what_kept_concepts_lost_and_the_worst_comes_first():
    readings = [
        reading("presence", 0.0, concept="Picasso"),
        reading("presence", 0.75, concept="Monet"),
        reading("presence", 0.25, concept="Braque"),
        reading("ua", 0.9, concept="Braque"),
    ]

    found = damage(readings, {"Picasso"})

    assert [(row["concept"], row["lost"]) for row in found] == [
        ("Braque", 0.75),
        ("Monet", 0.25),
    ]


def test_a_tier_that_could_not_be_compared_is_said_to_be_all_the_same():
    lost = [{"lost": 0.5}, {"lost": 0.1}, {"lost": 0.05}]
    tiers = [{"probe": "tiers.1-2", **estimate(0.25, 31)}]
    rows = [
        {"concept": "cat", "eraser": "cure", "tiers": tiers, "damage": lost},
        {"concept": "dog", "eraser": "esd", "tiers": [], "damage": lost[2:]},
    ]

    first, second = rows_in(tiers_table({"rows": rows}))

    same, found = "all the same", "0.25 (-0.25 to 0.75)"
    assert first == ["1", "cat", "cure", "2 of 3", same, found, same, "31"]
    assert second == ["2", "dog", "esd", "0 of 1", same, same, same, "0"]


def test_nothing_measured_is_no_table():
    tables = edges_table, chains_table, tiers_table

    assert {table(None) for table in tables} == {""}
    assert attacks_table({}) == ""


def judged(concept, atelier, base, same):
    row = {"concept": concept, "atelier": atelier, "base": base, "same": same}
    return {**row, "n": 8}


def test_judges_that_count_alike_have_a_rank_correlation_of_one():
    rows = [judged(f"c{i}", i / 10, i / 20, 0.5 + 0.5 * (i % 2)) for i in range(8)]
    turned = [{**row, "base": 1 - row["base"]} for row in rows]

    found, other = agreement(rows), agreement(turned)

    assert found["rank_correlation"] == pytest.approx(1)
    assert other["rank_correlation"] == pytest.approx(-1)
    assert found["low"] <= found["rank_correlation"] <= found["high"]
    assert (found["n"], found["n_pictures"]) == (8, 64)
    assert found["same_answer"] == 0.75


def attacked(eraser, *controls):
    return {
        "concept": "cat",
        "eraser": eraser,
        "attack": "prefix",
        "verdict": "held",
        "success": estimate(0.5),
        "plain": {"value": 0.0},
        "controls": [
            {"null": null, "about": about, "success": estimate(0.25)}
            for null, about in controls
        ],
        "search_s": 12.34,
    }


def test_an_attack_stands_beside_its_controls():
    controls = ("random", "cat"), ("held-out", "cactus")
    cells = {"a": attacked("base", *controls), "b": attacked("mim")}

    unerased, erased = rows_in(attacks_table(cells))

    assert unerased[1:4] == ["nobody", "`prefix`", "held"]
    assert unerased[4:] == [
        *("0.500 (0.000 to 1.000, n = 48)", "0.000", "0.250 (n = 48)"),
        *("cactus 0.250 (n = 48)", "none", "12.3"),
    ]
    assert erased[1] == "`mim`"
    assert erased[6:9] == ["none"] * 3


def step(name, shown, *, ira=1.0):
    presence = [
        reading("presence", value, concept=each) for each, value in shown.items()
    ]
    readings = [reading("ira", ira, base=2.0), *presence]
    return {"concepts": [{"name": name}], "readings": readings}


def test_a_history_is_drawn_from_each_concept_s_own_step_on():
    rows = [
        step("cat", {"cat": 0.0, "dog": 0.9}),
        step("dog", {"cat": 0.25, "dog": 0.125}, ira=1.5),
    ]

    names, shown = triangle(rows)

    assert names == ["cat", "dog"]
    assert np.array_equal(shown, [[0.0, 0.25], [np.nan, 0.125]], equal_nan=True)
    assert kept(rows, "ira") == [0.5, 0.75]
    assert digest_of_rows([rows]) != digest_of_rows([rows[:1]])


def test_growth_is_per_doubling_whatever_the_step_from_size_to_size():
    linear = {str(n): 0.01 * n for n in (1000, 100, 316)}
    square = {str(n): 0.01 * n**2 for n in (10, 40)}

    assert per_doubling(linear) == pytest.approx([2.0, 2.0])
    assert per_doubling(square) == pytest.approx([4.0])
    assert per_doubling({"10": 3.0, "10000": 3.0}) == [1.0]


def test_a_command_is_said_to_grow_as_it_does_at_the_large_sizes(tmp_path):
    at = {str(n): {"seconds": n / 64, "bytes": n * 2**20} for n in (16, 32, 64, 128)}
    row = {"at": at, "per_doubling": [9.0, 1.5, 2.0]}
    data = {"sizes": [16, 32, 64, 128], "commands": {"log": row, "report, JSON": row}}
    path = tmp_path / "growth.json"
    path.write_text(json.dumps(data), encoding="utf-8")

    log, report = rows_in(growth_table(path))

    assert log == ["`log`", "0.25", "0.50", "1.00", "2.00", "2.00", "128"]
    assert report[0] == "`report`, JSON"
    assert growth_table(tmp_path / "none.json") == ""


def test_commands_at_full_size_have_time_and_memory_in_a_row(tmp_path):
    """Settings of the ledger are no work."""
    costs = {
        "seconds": 99,
        "cpu_seconds": 61.4,
        "peak_bytes": 17_040_000_000,
        "code": 0,
    }
    commands = {"init": costs, "config side": costs, "add": costs}
    found = {"parameters": 8_130_000_000, "threads": 1, "commands": commands}
    found |= {"kept_prompts": 36, "erasing_s": 45.6}
    path = tmp_path / "full_size.json"
    path.write_text(json.dumps(found))

    table = full_size_table(path)

    assert rows_in(table) == [["`init`", "61", "17.0 GB"], ["`add`", "61", "17.0 GB"]]
    assert "8.13 billion parameters, threads: 1" in table
    assert "encoded: 36. Of `add`, the closed form took 46 s" in table
    assert full_size_table(tmp_path / "none.json") == ""
