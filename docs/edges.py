"""Tables of what styles share, before and after an erasure; `make.py` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def edges_table(data: Row | None) -> str:
    """Return one row a style, the nearest first; nothing where it is not measured."""
    if data is None:
        return ""
    rows = [
        f"| to {data['centre']} from | movement | edge | nats apart |",
        "|---|---|--:|--:|",
    ]
    for row in data["edges"]:
        edge, apart = _interval(row["edge"], 4), _interval(row["apart"], 1)
        rows.append(f"| {row['style']} | {row['family']} | {edge} | {apart} |")
    n = data["edges"][0]["edge"]["n"]
    return "\n".join([*rows, "", f"n = {n} pictures an edge, half of each style."])


def chains_table(data: Row | None) -> str:
    """Return one row a style, and the other readings of the centre's pictures."""
    if data is None:
        return ""
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


def unique_table(measured: Mapping[str, Row]) -> str:
    """Return what each erasure left of both styles; nothing if not measured."""
    cells = sorted(
        measured.values(),
        key=lambda cell: (cell["eraser"] != "mim-unique", cell["eraser"]),
    )
    if not cells:
        return ""
    rows = [
        "| erased by | target | of | shared, nats | unique, nats | whole, nats "
        "| unique kept | whole kept |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for cell in cells:
        for row in cell["rows"]:
            base, now = (
                sum(row[part][when]["value"] for part in ("shared", "unique"))
                for when in ("base", "now")
            )
            said = (
                *(cell["eraser"], cell["target"], row["style"]),
                *(_from_to(row[part]) for part in ("shared", "unique")),
                _from_to(row["whole"])
                if "whole" in row
                else f"{base:.2f} to {now:.2f}",
                f"{100 * row['unique']['above']['kept']:.0f} %",
                f"{100 * now / base:.0f} %",
            )
            rows.append(f"| {' | '.join(said)} |")
    n = cells[0]["rows"][0]["unique"]["now"]["n"]
    shown = [cell for cell in cells if "shown" in cell]
    rows += ["", f"n = {n} pictures a style, the base's own."]
    if shown:
        name = shown[0]["erased"]
        rows += [
            *("", f"Pictures that still show {name} afterwards:", ""),
            "| erased by | target | asked for by name | by the movement's word |",
            "|---|---|--:|--:|",
            *map(_shows, shown),
        ]
    return "\n".join(rows)


def _from_to(part: Mapping[str, Any]) -> str:
    return f"{part['base']['value']:.2f} to {_interval(part['now'], 2)}"


def _shows(cell: Mapping[str, Any]) -> str:
    """Return a row: how often the erased style shows, by name and by movement."""
    erased = cell["erased"]
    family, name = (cell["shown"][by] for by in ("family", "name"))
    now, base = family["now"][erased], family["base"][erased]
    said = (
        *(cell["eraser"], cell["target"]),
        f"{_interval(name, 2)} (n = {name['n']})",
        f"{base['value']:.2f} to {_interval(now, 2)} (n = {now['n']})",
    )
    return f"| {' | '.join(said)} |"


def tiers_table(data: Row | None) -> str:
    """Return how well cheap looks foretold dear ones; nothing if not measured."""
    if data is None:
        return ""
    rows = [
        "| entry | erased | by | lost a tenth or more | 0 to 1 | 1 to 2 | 0 to 2 | n |",
        "|--:|---|---|--:|--:|--:|--:|--:|",
    ]
    for number, row in enumerate(data["rows"], 1):
        found = {each["probe"]: each for each in row["tiers"]}
        cells = [
            _interval(found[probe], 2) if probe in found else "all the same"
            for probe in ("tiers.0-1", "tiers.1-2", "tiers.0-2")
        ]
        lost = sum(each["lost"] >= 0.1 for each in row["damage"])
        n = row["tiers"][0]["n"] if row["tiers"] else 0
        said = (row["concept"], row["eraser"], f"{lost} of {len(row['damage'])}")
        rows.append(f"| {number} | {' | '.join((*said, *cells))} | {n} |")
    return "\n".join(rows)


def _interval(estimate: Mapping[str, float], digits: int) -> str:
    value, low, high = (
        f"{estimate[key]:.{digits}f}" for key in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})"
