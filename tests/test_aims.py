"""What is wanted of an erasure, and which readings are below it."""

import pytest

from docs.aims import aims_table, missed


def read(*, ua=1.0, ira=1.0, cra=1.0, alike=1.0, base=1.0):
    found = {"ua": ua, "ira": ira, "cra": cra, "alike": alike}
    return {
        "readings": [
            {"probe": probe, "concept": "Picasso", "value": value, "base": base}
            for probe, value in found.items()
            if value is not None
        ]
    }


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({}, ""),
        ({"ua": 0.99, "ira": 0.98, "cra": 0.98, "alike": 0.95}, ""),
        ({"ua": 95 / 96}, "UA 0.989"),
        ({"ira": 0.9, "alike": 0.5}, "IRA 0.900, look-alike 0.500"),
        ({"ira": 0.49, "cra": 0.48, "alike": 0.5, "base": 0.5}, "CRA 0.960"),
        ({"alike": None}, ""),
    ],
)
def test_what_is_below_what_is_wanted_is_named(shown, said):
    assert missed(read(**shown)) == said


def test_erasers_that_miss_least_come_first_and_then_those_measured_most():
    cells = {
        f"{name}-{concept}": {"concept": concept, "default": read(ua=ua)}
        for name, concept, ua in (
            ("one", "cat", 1.0),
            ("two", "cat", 1.0),
            ("two", "dog", 1.0),
            ("bad", "cat", 0.5),
        )
    }

    rows = aims_table(cells).splitlines()[2:]

    assert rows == [
        "| `two` | 2 | 2 |  |",
        "| `one` | 1 | 1 |  |",
        "| `bad` | 0 | 1 | cat: UA 0.500 |",
    ]
    assert aims_table({}) == ""
