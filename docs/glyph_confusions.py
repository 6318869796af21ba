"""The judge's confusions on the real drawings, as `make.py` writes them.

A table by family, and what a person found who looked at a hundred of its verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from unlearnlog.core.probe_case import REJECT
from unlearnlog.probes.statistics import share

Count = Mapping[str, Any]

KINDS: Final = {
    "real": "real drawings",
    "encoded and decoded": "encoded and decoded",
    "painted": "painted by the base",
}
"""Kinds of pictures, with their titles."""

FAULTS: Final = {
    "still there": "read as gone, and it is still there",
    "not there": "read as still there, and it is gone",
    "another name": "gone, and read as another thing than it shows",
    "unclear": "nobody can tell",
}
"""What can be wrong with a verdict, by its name in ``looked``."""


def glyph_confusions_table(found: Mapping[str, Any]) -> str:
    """Return one row a family, subjects first: how often right, and what else is said.

    Args:
        found: What `recipes/glyphs/confusions.py` counted.
    """
    titles = (f"{title} | instead" for title in KINDS.values())
    lines = [f"| family | {' | '.join(titles)} |", "|---" + "|--:|---" * 3 + "|"]
    for slot in ("subject", "style"):
        families: Mapping[str, Mapping[str, Count]] = found[slot]
        lines += [_row(name, counts) for name, counts in families.items()]
        lines.append(_row(f"**all {slot}s**", _all(families.values())))
    return "\n".join([*lines, "", *_sentences(found)])


def _row(name: str, counts: Mapping[str, Count]) -> str:
    parts = [part for kind in KINDS for part in _parts(counts.get(kind))]
    return f"| {name} | {' | '.join(parts)} |"


def _parts(count: Count | None) -> tuple[str, str]:
    """Return the share of right answers with its interval, and the commonest other."""
    if count is None:
        return "", ""
    told = share(count["right"], count["n"])
    right = f"{told.value:.3f} ({told.low:.3f} to {told.high:.3f}) of {told.n:,}"
    if not count["wrong"]:
        return right, ""
    must, said, n = count["wrong"][0]
    return right, f"{must} as {_called(said)}, {n}"


def _called(said: str) -> str:
    """Return a judge's answer in words."""
    return {"": "an empty page", REJECT: "nothing known"}.get(said, said)


def _all(families: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    """Return the counts of all families together, by kind of picture."""
    found: dict[str, dict[str, Any]] = {}
    for counts in families:
        for kind, count in counts.items():
            whole = found.setdefault(kind, {"n": 0, "right": 0, "inside": 0})
            for key in whole:
                whole[key] += count[key]
    return {kind: {**whole, "wrong": []} for kind, whole in found.items()}


def _sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many wrong answers on subjects stay in the family, for each kind."""
    told = []
    for kind, count in _all(found["subject"].values()).items():
        wrong = count["n"] - count["right"]
        told.append(f"{count['inside']} of {wrong} ({KINDS[kind]})")
    yield (
        "Wrong answers that name another subject of the same family: "
        f"{', '.join(told)}."
    )


def glyph_verdicts_said(cell: Mapping[str, Any]) -> str:
    """Return what the judge says on the sheet, and what a person found wrong in it.

    Args:
        cell: What `benchmarks/glyph_sheet.py` stored.
    """
    verdicts = cell["verdicts"]
    n = len(verdicts)
    shown = sum(each["read"] == each["erased"] for each in verdicts)
    empty = sum(not each["read"] for each in verdicts)
    unknown = sum(each["read"] == REJECT for each in verdicts)
    said = (
        f"Of {n}, the judge reads {shown} as still the erased concept, {empty} as an "
        f"empty page, {unknown} as nothing known and {n - shown - empty - unknown} as "
        "something else."
    )
    looked: Mapping[str, list[int]] | None = cell["looked"]
    if looked is None:
        return f"{said} Nobody has looked at this sheet yet."
    parts = [
        f"{title}: {len(looked[key])} ({', '.join(map(str, looked[key]))})"
        if looked[key]
        else f"{title}: none"
        for key, title in FAULTS.items()
    ]
    wrong = share(len(looked["still there"]) + len(looked["not there"]), n)
    return (
        f"{said} Looked at on this sheet, the doubtful ones enlarged beside the real "
        f"drawings: {'; '.join(parts)}. So "
        f"whether the concept is gone is read wrongly on {wrong.value:.2f} "
        f"({wrong.low:.2f} to {wrong.high:.2f}) of {n}."
    )
