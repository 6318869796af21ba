"""The table of readings knows every one that there is, and limits are held to it."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from unlearnlog.commands.checks import ATTACKS
from unlearnlog.concepts.concept_file import RELATIONS
from unlearnlog.core.reading_registry import MEANINGS, Question, meaning_of
from unlearnlog.errors import PolicyError
from unlearnlog.policy import Policy
from unlearnlog.probes.probe_table import PROBES

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def readings_in(data):
    """Yield what looks like a reading, wherever in a JSON document it stands."""
    if isinstance(data, dict):
        if {"probe", "concept", "unit", "value"} <= data.keys():
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from readings_in(each)


def spelled(node):
    """Return a text of the code, with a star for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "*"
            for part in node.values
        )
    return None


@cache
def parsed():
    """Return every file of the package, with its tree."""
    paths = sorted((ROOT / "unlearnlog").rglob("*.py"))
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def named_in_code():
    """Return the name of each reading that is made in the package, as it is spelled."""
    found = set()
    for _, tree in parsed():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            made = getattr(node.func, "id", "")
            if made == "About":
                found.add(spelled(node.args[0]))
            if made == "Reading":
                found |= {spelled(k.value) for k in node.keywords if k.arg == "probe"}
    return found - {"", None}


def test_every_probe_and_every_name_in_the_code_is_known():
    """A limit on an unknown name is refused: a name that is missing here would make a
    good policy wrong."""
    known = {*MEANINGS}
    families = {name.partition(".")[0] for name in known}

    assert {each.name for each in PROBES} - {"lands", "family", "damage"} <= known
    for name in named_in_code():
        first, star, rest = name.partition("*")
        if not star:
            assert name in known
        elif first:
            assert first.rstrip(".") in families, name
        elif rest != ".*":  # a probe's own name and a word: its kind is checked below
            assert any(each.endswith(rest) for each in known), name
    assert {each.name for each in PROBES} <= families
    assert {f"damage.{relation}" for relation in RELATIONS} <= known
    assert {f"attack.{name}" for name in ATTACKS} <= known


def test_every_entry_of_the_registry_says_all_that_tables_and_documents_need():
    titles = [each.title for each in MEANINGS.values()]
    standard = [each.standard for each in MEANINGS.values() if each.standard]

    assert len({*titles}) == len(titles)
    assert len({*standard}) == len(standard)
    accuracies = {"UA", "IRA", "CRA", "NRA", "ORA"}
    assert {*accuracies, "FD", "FID", "KID", "CLIP score"} == {*standard}
    for name, each in MEANINGS.items():
        assert each.title not in MEANINGS or each.title == name
        assert len(each.title) <= 30
        assert each.says.isprintable()
        assert 15 < len(each.says) < 100
        assert each.question in get_args(Question)[:-1]
        assert each.called.startswith(each.title)
    assert {each.question for each in MEANINGS.values()} == {*get_args(Question)[:-1]}


def test_no_title_and_no_explanation_of_a_reading_is_written_twice():
    """Tables, reports and charts each had words of their own for the same number."""
    said = {each.says for each in MEANINGS.values()}
    titles = {each.title for each in MEANINGS.values() if each.title.count(" ") > 1}
    texts = [
        (path, node.value)
        for path, tree in parsed()
        if path.stem != "reading_registry"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for path in (ROOT / "unlearnlog").rglob("*.html"):
        texts.append((path, path.read_text(encoding="utf-8")))

    again = [(path, each) for path, text in texts for each in said if each in text]
    again += [(path, text) for path, text in texts if text in titles]

    assert again == []


def test_an_unknown_reading_is_called_by_its_name():
    assert meaning_of("later.new").called == "later.new"
    assert meaning_of("later.new").question == get_args(Question)[-1]


def test_every_reading_that_was_ever_measured_has_the_unit_of_the_table():
    read = [
        (reading["probe"], reading["unit"], reading.get("better"))
        for path in RESULTS
        for reading in readings_in(json.loads(path.read_text(encoding="utf-8")))
    ]

    assert len({probe for probe, _, _ in read}) > 25
    for probe, unit, better in {*read}:
        known = MEANINGS[probe]
        assert known.unit == unit
        assert better in (None, known.better) or known.better == "either"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"reading": "uaa", "at_least": 0.9}, "did you mean 'ua'?"),
        ({"reading": "resurgence.fuond", "at_most": 0}, "'resurgence.found'"),
        ({"reading": "colour", "at_most": 1}, "no probe reads 'colour'"),
        ({"reading": "uaa", "at_least": 1, "optional": True}, "did you mean 'ua'?"),
        ({"reading": "ua", "at_least": 90}, "such as at_least = 0.9"),
        ({"reading": "presence", "at_most": -0.1}, "give 0 to 1"),
        ({"reading": "ira", "at_least": 95, "of_base": True}, "a multiple of the base"),
        ({"reading": "damage.sibling", "at_most": 5}, "give -1 to 1"),
        ({"reading": "fd", "at_most": -1}, "give 0 or more"),
        ({"reading": "ua", "at_most": 0.1}, "higher is better"),
        ({"reading": "drift", "at_least": 0.1}, "give it at_most"),
    ],
)
def test_a_limit_that_could_not_hold_or_not_fail_is_refused(limit, message):
    """`reading = "uaa"` made every erasure undecided, after it was trained and painted;
    `at_least = 90` refused each of them."""
    with pytest.raises(PolicyError) as caught:
        Policy.of({"name": "p", "eraser": {"name": "mim"}, "limits": [limit]}, "p")

    assert message in str(caught.value)
    assert "is wrong at limits.0" in caught.value.message


@pytest.mark.parametrize(
    "limit",
    [
        {"reading": "self-mi", "at_most": -3.0},
        {"reading": "ira", "at_least": 1.05, "of_base": True},
        {"reading": "presence", "at_least": 0.75, "at_most": 0.25},
        {"reading": "resurgence.found", "at_most": 0},
        {"reading": "moved", "at_most": 0.5},
        {"reading": "attack.prefix", "at_most": 0.1},
    ],
)
def test_a_limit_that_makes_sense_is_taken(limit):
    data = {"name": "p", "eraser": {"name": "mim"}, "limits": [limit]}

    assert Policy.of(data, "p").limits[0].reading == limit["reading"]
