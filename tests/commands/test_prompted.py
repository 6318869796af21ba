"""Files of prompts at a revision: seeds, guidance, readings, rows, and a policy's."""

from __future__ import annotations

import csv
import json

import pytest

from tests.tiny import build_pipeline
from unlearnlog.core.concept import Slot
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.policy import Policy
from unlearnlog.probes.evidence import CaseResult
from unlearnlog.probes.prompt_readings import prompted_readings

RULES = """
name = "one"
judge = "atelier"
eraser = { name = "ridge" }
[sampling]
steps = 1
[probes]
information = 0
"""


def seen(style, base, now):
    return CaseResult(
        ProbeCase("p", 0, "(not known)", style), Answer("cat", base), Answer("cat", now)
    )


def test_a_concept_of_some_rows_is_counted_in_these_and_any_other_in_all():
    rows = [
        seen("Picasso", "Picasso", "photo"),
        seen("Picasso", "Picasso", "Picasso"),
        seen("Monet", "Monet", "Monet"),
    ]

    counted: dict[str, Slot] = {
        "Picasso": "style",
        "Monet": "style",
        "cat": "subject",
    }
    found = prompted_readings(rows, counted, {"Picasso"})

    assert [(r.probe, r.concept, r.value, r.base, r.n, r.better) for r in found] == [
        ("prompts", "Picasso", 0.5, 1.0, 2, "lower"),
        ("prompts", "Monet", 1.0, 1.0, 1, "higher"),
        ("prompts", "cat", 1.0, 1.0, 3, "lower"),
        ("prompts.same", "", pytest.approx(2 / 3), None, 3, "higher"),
    ]


def test_rows_are_painted_with_their_own_seeds_and_guidance(typed, tmp_path):
    build = ["case_number,prompt,evaluation_seed,evaluation_guidance,artist"]
    build += [
        "1,a boat,7,2.5,Picasso",
        "2,a cat,3,,Van_Gogh",
        "3,a boat,7,2.5,Bob Ross",
    ]
    (tmp_path / "art.csv").write_text("\n".join(build) + "\n")
    (tmp_path / "one.toml").write_text(RULES)
    typed("init")

    done = typed(
        *("probe", "base", "--policy", "one.toml", "--prompts", "art.csv"),
        *("-o", "rows.csv", "--json"),
    )

    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["used"]["seed"] == "evaluation_seed"
    assert told["unknown"] == ["Bob Ross"]
    assert {r["concept"]: r["n"] for r in told["readings"]} == {
        "Picasso": 1,
        "Van Gogh": 1,
        "": 3,
    }
    same = told["readings"][-1]
    assert (same["probe"], same["value"]) == ("prompts.same", 1.0)
    rows = [*csv.DictReader((tmp_path / "rows.csv").read_text().splitlines())]
    assert [(r["case"], r["seed"], r["guidance"]) for r in rows] == [
        ("1", "7", "2.5"),
        ("2", "3", ""),
        ("3", "7", "2.5"),
    ]
    assert rows[0]["style"] == rows[2]["style"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rows", "3"), "--rows 3 would do nothing without --prompts"),
        (("--prompts", "no.csv"), "the prompts in 'no.csv' cannot be read"),
        (("--prompts", "no.csv", "-o", "a.txt"), "a.txt"),
        (
            ("--prompts", "no.csv", "--tier", "1"),
            "--tier 1 would do nothing beside --prompts",
        ),
    ],
)
def test_what_cannot_be_done_is_told_before_any_work(typed, words, said):
    typed("init")

    done = typed("probe", "base", *words)

    assert done.code == 2
    assert said in done.err


def test_a_policy_finds_its_prompts_beside_itself_and_records_their_name(tmp_path):
    (tmp_path / "p.csv").write_text("prompt\na boat\n")
    (tmp_path / "one.toml").write_text(RULES + 'prompts = "p.csv"\n')

    policy = Policy.load(str(tmp_path / "one.toml"))

    assert policy.probes.prompts == str(tmp_path / "p.csv")
    file, again = policy.prompt_file(), Policy.in_force("one", policy.rules)
    assert file is not None
    assert [row.prompt for row in file.rows] == ["a boat"]
    assert policy.rules["probes"]["prompts"] == "p.csv"
    assert again is not None
    assert again.prompt_file() is None


def test_a_policy_without_prompts_is_recorded_as_before():
    assert "prompts" not in Policy.load("default").rules["probes"]


@pytest.mark.slow
def test_an_erasure_is_measured_on_the_prompts_of_its_policy(typed, tmp_path):
    build_pipeline(tmp_path / "model")
    (tmp_path / "p.csv").write_text("prompt,artist\na boat by Monet,Monet\na cat,\n")
    rules = RULES.replace('"atelier"', '"base"') + 'prompts = "p.csv"\nerased = 1\n'
    (tmp_path / "one.toml").write_text(
        rules + "kept_share = 0.1\n[require]\nbase_presence = 0.0\n"
    )
    typed("init", "--model", str(tmp_path / "model"))

    done = typed("add", "Monet", "--policy", "one.toml", "--json")

    found = [r for r in json.loads(done.out)["readings"] if "prompts" in r["probe"]]
    assert [(r["probe"], r["concept"], r["n"]) for r in found] == [
        ("prompts", "Monet", 1),
        ("prompts.same", "", 2),
    ]
