"""Tables of what the base's styles share; `make.py` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def edges_table(path: Path) -> str:
    """Return one row a style, the nearest first; nothing where it is not measured."""
    if not path.exists():
        return ""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        f"| to {data['centre']} from | movement | edge | nats apart |",
        "|---|---|--:|--:|",
    ]
    for row in data["edges"]:
        edge, apart = _interval(row["edge"], 4), _interval(row["apart"], 1)
        rows.append(f"| {row['style']} | {row['family']} | {edge} | {apart} |")
    n = data["edges"][0]["edge"]["n"]
    return "\n".join([*rows, "", f"n = {n} pictures an edge, half of each style."])


def chains_table(path: Path) -> str:
    """Return one row a style, and the other readings of the centre's pictures."""
    if not path.exists():
        return ""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        "| style | movement | shared, nats | unique, nats | whole, nats |",
        "|---|---|--:|--:|--:|",
    ]
    for row in data["chains"]:
        parts = (_interval(row[part], 2) for part in ("shared", "unique", "whole"))
        rows.append(f"| {row['style']} | {row['family']} | {' | '.join(parts)} |")
    other, atoms = data["whole"], data["atoms"]
    named = ("redundant", "first", "second", "synergy")
    words = ("redundant", "only the style", "only the subject", "synergy")
    said = ", ".join(
        f"{word} {_interval(atoms[name], 2)}"
        for name, word in zip(named, words, strict=True)
        if atoms[name]["value"]  # of the two alone, one is 0 by definition
    )
    return "\n".join(
        [
            *rows,
            "",
            f"n = {data['chains'][0]['whole']['n']} pictures a style. The whole of "
            f"{other['style']} by the difference of predictions: "
            f"{_interval(other['difference'], 2)}. Style x subject of its pictures: "
            f"{said}.",
        ]
    )


def _interval(estimate: Mapping[str, float], digits: int) -> str:
    value, low, high = (
        f"{estimate[key]:.{digits}f}" for key in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})"
