"""Tables of what `make audit` measured of fine-tunes; `make.py` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from unlearnlog.audits.savings import Savings, mean_savings
from unlearnlog.audits.survival import (
    CHANCE,
    Duration,
    Ends,
    kaplan_meier,
    pooled_change,
)
from unlearnlog.probes.decisions import benjamini_hochberg, returned
from unlearnlog.probes.rank_correlation import FEWEST, rank_correlation
from unlearnlog.probes.statistics import Estimate, share

Cells = Mapping[str, Mapping[str, Any]]
"""What was measured, by name."""

Key = tuple[str, str, str, str]
"""Eraser, concept, data and method."""


@dataclass(frozen=True)
class Fine:
    """One measured fine-tune.

    Attributes:
        key: What it was of.
        course: What was seen of all.
        concept: What was seen of the concept that had been erased.
    """

    key: Key
    course: Mapping[str, Any]
    concept: Mapping[str, Any]

    @property
    def seed(self) -> str:
        """Which of the seeds."""
        return str(self.course["seed"])

    @property
    def ends(self) -> tuple[list[bool], list[bool]]:
        """Whether each picture showed it at the end, and before the first step."""
        return _ends(self.concept)

    @property
    def looks(self) -> Sequence[Mapping[str, Any]]:
        """What was seen, in the order of the steps."""
        found: Sequence[Mapping[str, Any]] = self.concept["looks"]
        return found

    @property
    def change(self) -> float:
        """How much more of it shows at the end."""
        return float(self.looks[-1]["change"]["value"])

    @property
    def duration(self) -> Duration:
        """How long it stayed away."""
        return Duration(
            self.key[1], int(self.concept["steps"]), bool(self.concept["returned"])
        )


def courses_table(cells: Cells) -> str:
    """Return one row an eraser, concept, data and method, over all seeds."""
    groups = _groups(_measured(cells))
    if not groups:
        return ""
    head = (
        "| eraser | concept | data | learns | seeds | before | after | resurgence "
        "| back at step | kept | way back | alignment | S |"
    )
    rows = [head, "|---|---|---|---|--:|--:|--:|---|---|---|--:|--:|---|"]
    rows += [_row(key, found) for key, found in groups.items()]
    return "\n".join(rows)


def overview_table(cells: Cells) -> str:
    """Return one row an eraser and concept: what came back, by data and method."""
    found = _groups(_measured(cells))
    if not found:
        return ""
    columns = sorted({key[2:] for key in found}, key=_own_pictures_last)
    titles = [f"{data}, {method}" for data, method in columns]
    rows = [f"| eraser | concept | {' | '.join(titles)} |"]
    rows.append("|---" * (len(titles) + 2) + "|")
    for eraser, concept in dict.fromkeys(key[:2] for key in found):
        told = [
            _in_points(found.get((eraser, concept, *column), ())) for column in columns
        ]
        rows.append(f"| `{eraser}` | {concept} | {' | '.join(told)} |")
    return "\n".join(rows)


def _own_pictures_last(column: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    return column[0].startswith("target"), column


def _in_points(found: Sequence[Fine]) -> str:
    if not found:
        return ""
    change = _change([each.ends for each in found])
    interval = f"{100 * change.low:+.1f} to {100 * change.high:+.1f}"
    return f"{100 * change.value:+.1f} ({interval}); {len(found)}"


def early_table(cells: Cells) -> str:
    """Return how much of it shows at each look while its own pictures are learned.

    All weights learn; one row an eraser and concept, one number a seed.
    """
    own = (each for each in _measured(cells) if each.key[2:] == ("target:5", "full"))
    found = _groups(own)
    if not found:
        return ""
    steps = [look["step"] for look in next(iter(found.values()))[0].looks]
    rows = [f"| eraser | concept | seeds | {' | '.join(map(str, steps))} |"]
    rows.append("|---|---|---" + "|---" * len(steps) + "|")
    for (eraser, concept, *_), seeds in found.items():
        columns = zip(*(each.looks for each in seeds), strict=True)
        shares = [
            " ".join(
                f"{look['shown'].count('1') / len(look['shown']):.2f}" for look in c
            )
            for c in columns
        ]
        named = " ".join(each.seed for each in seeds)
        rows.append(f"| `{eraser}` | {concept} | {named} | {' | '.join(shares)} |")
    return "\n".join(rows)


def beyond_chance(cells: Cells) -> str:
    """Say which fine-tunes on other pictures brought something back, tested together.

    McNemar's exact test of pairs at the end of each, Benjamini-Hochberg over all.
    """
    found = [e for e in _measured(cells) if not e.key[2].startswith("target")]
    if not found:
        return ""
    beyond = benjamini_hochberg([returned(*each.ends) for each in found], CHANCE)
    back = [each for each, is_back in zip(found, beyond, strict=True) if is_back]
    said = "; ".join(
        f"`{eraser}`, {concept}, {data}, {method}, seed {each.seed} "
        f"({100 * each.change:+.1f})"
        for each in back
        for eraser, concept, data, method in [each.key]
    )
    which = f": {said}" if said else ""
    return (
        f"Of {len(found)} fine-tunes on other pictures {len(back)} brought back more "
        f"than chance would, all of them tested together{which}."
    )


def survival_table(cells: Cells) -> str:
    """Return one row an eraser, data and method, over concepts and seeds."""
    groups: dict[tuple[str, str, str], list[Duration]] = {}
    for each in _measured(cells):
        eraser, _, data, method = each.key
        groups.setdefault((eraser, data, method), []).append(each.duration)
    if not groups:
        return ""
    rows = ["| eraser | data | learns | n | back | still away at the end |"]
    rows.append("|---|---|---|--:|--:|---|")
    for (eraser, data, method), found in groups.items():
        end = kaplan_meier(found)[-1]
        back = sum(each.returned for each in found)
        away = f"{end.away.value:.2f} ({end.away.low:.2f} to {end.away.high:.2f})"
        rows.append(
            f"| `{eraser}` | {data} | {method} | {len(found)} | {back} | {away} |"
        )
    return "\n".join(rows)


def forecasts_table(cells: Cells) -> str:
    """Return how well each forecast put the fine-tunes in order, of all and of some.

    What came back of a concept whose own pictures are learned is everything in the
    end, so among those it is what showed at the first look.
    """
    found = list(_measured(cells))
    if not found:
        return ""
    own = [each for each in found if each.key[2].startswith("target")]
    other = [each for each in found if each not in own]
    rows = ["| fine-tunes | forecast of | alignment | rho |", "|---|---|---|---|"]
    for title, what, some, came in (
        ("all", "the change at the end", found, _at_the_end),
        ("on pictures of it", "the change at the first look", own, _at_the_first_look),
        ("on other pictures", "the change at the end", other, _at_the_end),
    ):
        said = (_ordered(some, name, came) for name in ("alignment", "rho"))
        rows.append(f"| {title} | {what} | {' | '.join(said)} |")
    return "\n".join(rows)


def _at_the_end(fine: Fine) -> float:
    return fine.change


def _at_the_first_look(fine: Fine) -> float:
    return float(fine.looks[1]["change"]["value"])


def _ordered(found: Sequence[Fine], name: str, came: Callable[[Fine], float]) -> str:
    """Return the rank correlation of a forecast with what came; erasures cluster."""
    rows = [
        (each.concept["forecast"][name], came(each), "-".join(each.key[:2]))
        for each in found
        if each.concept["forecast"] and each.concept["forecast"][name] is not None
    ]
    forecast, seen, clusters = zip(*rows, strict=True) if rows else ((), (), ())
    few = min(len(rows), len({*clusters})) < FEWEST
    if few or 1 in map(len, (set(forecast), set(seen))):
        return f"too few to say (n = {len(rows)}, erasures: {len({*clusters})})"
    rho = rank_correlation(forecast, seen, clusters=clusters)
    return f"{rho.value:.2f} ({rho.low:.2f} to {rho.high:.2f}, n = {rho.n})"


def _measured(cells: Cells) -> Iterator[Fine]:
    for cell in cells.values():
        key = (cell["eraser"], cell["concept"], cell["data"], cell["method"])
        for course in cell["courses"]:
            yield Fine(key, course, course["concepts"][0])


def _groups(found: Iterator[Fine]) -> dict[Key, list[Fine]]:
    groups: dict[Key, list[Fine]] = {}
    for each in found:
        groups.setdefault(each.key, []).append(each)
    return groups


def _row(key: Key, found: Sequence[Fine]) -> str:
    eraser, concept, data, method = key
    now = [shows for each in found for shows in each.ends[0]]
    before = [shows for each in found for shows in each.ends[1]]
    steps = [
        str(each.duration.steps)
        if each.duration.returned
        else f"none by {each.duration.steps}"
        for each in found
    ]
    kept = [_ends(each.course["kept"]) for each in found if each.course["kept"]]
    rho = [each.course["rho"] for each in found if each.course["rho"] is not None]
    aligned = [f["alignment"] for each in found if (f := each.concept["forecast"])]
    cells = (
        f"`{eraser}`",
        concept,
        data,
        method,
        str(len(found)),
        f"{share(sum(before), len(before)).value:.3f}",
        f"{share(sum(now), len(now)).value:.3f}",
        _said(_change([each.ends for each in found])),
        ", ".join(steps),
        _said(_change(kept)) if kept else "",
        f"{100 * fmean(rho):+.2f} %" if rho else "",
        f"{fmean(aligned):+.2f}" if aligned else "",
        _saved(found),
    )
    return f"| {' | '.join(cells)} |"


def _ends(curve: Mapping[str, Any]) -> tuple[list[bool], list[bool]]:
    last, first = (curve["looks"][i]["shown"] for i in (-1, 0))
    return [c == "1" for c in last], [c == "1" for c in first[: len(last)]]


def _change(ends: Sequence[tuple[list[bool], list[bool]]]) -> Estimate:
    """Return a paired difference over seeds."""
    return pooled_change([Ends(str(i), "", *each) for i, each in enumerate(ends)])


def _said(change: Estimate) -> str:
    low, high = f"{change.low:+.3f}", f"{change.high:+.3f}"
    return f"{change.value:+.3f} ({low} to {high}, n = {change.n})"


def _saved(found: Sequence[Fine]) -> str:
    saved = [(f.seed, Savings(**s)) for f in found if (s := f.concept["savings"])]
    if not saved:
        return ""
    mean = mean_savings(saved)
    if mean is not None:
        return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f}, n = {mean.n})"
    return ", ".join(_saved_once(s) for _, s in saved)


def _saved_once(found: Savings) -> str:
    if found.value is None or found.bound != "about" or found.high is None:
        return (
            found.bound if found.value is None else f"{found.bound} {found.value:.2f}"
        )
    low = "" if found.low is None else f"{found.low:.2f} to "
    return f"about {found.value:.2f} (by its looks {low}{found.high:.2f})"
