"""The readings of probes and audits as tables of a document, from their registry."""

from __future__ import annotations

from typing import get_args

from unlearnlog.core.reading_registry import MEANINGS, Question

_UNITS = {"nats": "nats", "difference": "difference of shares"}
_WAYS = {"higher": "more is better", "lower": "less is better", "either": ""}


def readings_tables() -> str:
    """Return a table for each question, one row a reading."""
    found = []
    for question in get_args(Question):
        rows = [
            f"| {each.title} | {each.standard} | `{name}` | {each.says} "
            f"| {_UNITS.get(each.unit, each.unit)} | {_WAYS[each.better]} |"
            for name, each in MEANINGS.items()
            if each.question == question
        ]
        if rows:
            head = "| title | standard name | name | what its number is | in | |"
            found += [
                f"## {question}",
                "",
                head,
                "|---|---|---|---|---|---|",
                *rows,
                "",
            ]
    return "\n".join(found).rstrip()
