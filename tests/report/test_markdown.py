"""Markdown and JSON carry what the page carries."""

import json

import pytest

from tests.histories import DOT, shown, some_findings, step, three_steps
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.as_json import as_data
from unlearnlog.report.markdown_page import markdown
from unlearnlog.report.reading_rows import reading_title


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def test_the_verdict_is_the_first_thing_said():
    lines = markdown(some_findings()).splitlines()

    assert lines[0] == "# 3 concepts erased from atelier"
    assert lines[2].startswith("**✓ Passed.** Every limit of the policy")


def test_the_triangle_is_a_table():
    text = markdown(some_findings())

    assert ["Picasso", "0", "0", "25", "+25.0 points", "+12.6 to +42.1"] in [
        [cell.strip(" |") for cell in row] for row in rows(text)
    ]


def test_every_reading_is_in_it():
    text = markdown(some_findings())

    for each in three_steps():
        for reading in each.entry.readings:
            name = reading.concept
            title = reading_title(reading)
            row = f"| {each.number} | {title} | {reading.probe} | {name} |"
            assert row in text


def test_a_name_does_not_break_a_table():
    evil = "a|b*c `d` [e] <f>"
    text = markdown(some_findings([step(1, [evil], [evil], [shown(evil, 1)])], ()))

    assert "a\\|b\\*c \\`d\\` \\[e\\] &lt;f>" in text
    assert evil not in text


def test_pictures_stand_at_the_end():
    text = markdown(some_findings())

    assert text.index("How it was measured") < text.index(DOT)
    assert text.count("![before]") == 4


def test_what_failed_is_listed():
    refused = VerdictRecord(passed=False, failures=("ua of Monet is 0.100",))
    steps = [step(1, ["Monet"], ["Monet"], [shown("Monet", 9)], refused)]

    text = markdown(some_findings(steps, ()))

    assert "- does not hold: ua of Monet is 0.100" in text
    assert "✕ does not hold" in text


def test_json_holds_every_part_under_stable_names():
    data = json.loads(json.dumps(as_data(some_findings())))

    assert list(data) == [
        "model",
        "base",
        "revision",
        "judgement",
        "weakest",
        "steps",
        "pairs",
        "unpainted",
        "graph",
        "triangle",
        "nats",
        "relations",
        "method",
        "audits",
        "attacks",
        "live",
        "doubts",
    ]
    assert data["judgement"]["word"] == "passed"
    assert data["triangle"][0]["cells"][2]["shown"]["value"] == 0.25
    dog = next(h for h in data["graph"]["harm"][2] if h["concept"] == "dog")
    assert dog["damage"] == 0.75
    assert data["steps"][0]["entry"]["seed"] == 1
    assert data["pairs"][0]["before"] == DOT


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="JSON cannot hold a set"):
        as_data({"a": {1}})
