"""Tables of what was measured on the real drawings; `make.py` writes them.

A count is ``[n, now, base]``: pictures, those that show what they must, and those of
the base that do, on the same prompts and latents. What is kept is a share of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import harmonic_mean
from typing import Any, Final

from benchmarks.glyph_choice import CHOSEN, STYLES, SUBJECTS
from unlearnlog.probes.statistics import share

Row = Mapping[str, Any]
Count = Sequence[int]

UA_LEAST: Final = 0.95
WORDS_LEAST: Final = 0.90
KEPT_LEAST: Final = 0.95
ALIKE_LEAST: Final = 0.90
"""The aims of one concept alone: names, keywords, what is kept, look-alikes."""

_KEPT: Final = ("ira", "cra", "near", "alike", "inside")
_ROWS: Final = {
    "real": "real drawings, moved and coloured anew",
    "encoded and decoded": "the same, encoded and decoded",
    "trained cells": "painted, cells that were trained",
    "held-out cells": "painted, cells that were held out",
    "keywords": "painted by a keyword in place of the name",
    "unseen keywords": "painted by a keyword that no training had",
    "pairs": "two subjects side by side, both right",
    "background": "the background's colour",
}
"""Figures of the model, with their titles."""


def glyph_quality_table(figures: Mapping[str, Sequence[float]]) -> str:
    """Return what the judge makes of real and of painted pictures."""
    rows = ["| judged on | subject | style |", "|---|--:|--:|"]
    for key, title in _ROWS.items():
        if key in figures:
            has_style = len(figures[key]) == 2 and key != "pairs"
            style = f"{figures[key][1]:.3f}" if has_style else ""
            rows.append(f"| {title} | {figures[key][0]:.3f} | {style} |")
    return "\n".join(rows)


def glyph_erasers_table(cells: Mapping[str, Row]) -> str:
    """Return one row an eraser over all concepts it erased alone, the best first."""
    found = {
        label: _pooled(rows)
        for label, rows in _alone(cells).items()
        if {each["concept"] for each in rows} >= {*STYLES, *_subjects()}
    }
    if not found:
        return ""
    head = (
        "| eraser | gone: styles | subjects | seen keywords | own kind kept "
        "| other kind | family | look-alike | name inside | beside it | background "
        "| worst kept | s | score |"
    )
    lines = [head, "|---|" + "--:|" * 10 + "---|--:|--:|"]
    for label in sorted(found, key=lambda each: -_score(found[each])):
        lines.append(_eraser_row(label, found[label], _alone(cells)[label]))
    return "\n".join([*lines, _sizes(found), *_refusals(cells)])


def _sizes(found: Mapping[str, Mapping[str, Count]]) -> str:
    """Return a sentence on the numbers of pictures, of the eraser with most."""
    questions = {
        "own style": "gone of styles",
        "own": "of subjects",
        "seen words": "of keywords",
        "ira": "own kind",
        "cra": "other kind",
        "near": "family",
        "alike": "look-alike",
        "inside": "name inside",
        "pairs": "beside it",
        "background": "background",
    }
    most = {q: max(each.get(q, (0,))[0] for each in found.values()) for q in questions}
    told = ", ".join(f"{title} {most[q]:,}" for q, title in questions.items())
    return f"\nPictures an eraser: {told}. Intervals are Wilson's, 95 %."


def _refusals(cells: Mapping[str, Row]) -> Iterator[str]:
    """Yield a sentence about the erasers that refused to erase a concept, if any."""
    names = [name for name, cell in cells.items() if "failed" in cell]
    if names:
        listed = ", ".join(f"`{name}`" for name in names)
        yield f"\nRefused by the eraser, and in no row above: {listed}."


def glyph_kinds_table(cells: Mapping[str, Row]) -> str:
    """Return, for each eraser, what each kind of subject is like to erase."""
    kinds = list(SUBJECTS)
    lines = [
        "| eraser | " + " | ".join(f"{k}: gone, family kept" for k in kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for label, rows in _alone(cells).items():
        shares = []
        for names in SUBJECTS.values():
            part = _pooled([r for r in rows if r["concept"] in names])
            shares.append(f"{_gone(part.get('own'))}, {_kept(part.get('near'))}")
        lines.append(f"| `{label}` | {' | '.join(shares)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def glyph_hundred_table(cells: Mapping[str, Row]) -> str:
    """Return how much is gone and left at each mark, one row an eraser and order."""
    lines = [
        "| eraser | order | erased | gone | least gone | siblings kept | kin | others "
        "| styles | came back | s | kB |",
        "|---|--:|" + "--:|" * 10,
    ]
    for name, cell in cells.items():
        if not name.startswith("hundred-"):
            continue
        label, _, order = name.removeprefix("hundred-").rpartition("-")
        for i, row in enumerate(cell["rows"]):
            lines.append(
                f"| `{label}` | {order} | "
                + " | ".join(_hundred_row(cell["rows"][:i], row))
                + " |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def glyph_sixty_table(cells: Mapping[str, Row]) -> str:
    """Return how many of sixty concepts alone meet each aim, with those that do not."""
    rows = [cell for name, cell in cells.items() if name.startswith("sixty-")]
    if not rows:
        return ""
    words = ("seen words", "unseen words")
    aims: Mapping[str, Callable[[Row], bool | None]] = {
        f"gone by its name, at least {UA_LEAST}": lambda c: _falls(
            c, ("own",), UA_LEAST
        ),
        f"gone by its keywords, at least {WORDS_LEAST}": lambda c: _falls(
            c, words, WORDS_LEAST
        ),
        f"own kind kept, at least {KEPT_LEAST} of base": lambda c: _stays(
            c, "ira", KEPT_LEAST
        ),
        f"other kind kept, at least {KEPT_LEAST} of base": lambda c: _stays(
            c, "cra", KEPT_LEAST
        ),
        f"look-alikes kept, at least {ALIKE_LEAST} of base": lambda c: _stays(
            c, "alike", ALIKE_LEAST
        ),
    }
    lines = [f"| aim, one concept at a time by `{CHOSEN}` | met by | not by |"]
    lines.append("|---|--:|---|")
    for title, meets in aims.items():
        asked = {r["concept"]: met for r in rows if (met := meets(r)) is not None}
        missed = [name for name, met in asked.items() if not met]
        n = f"{len(asked) - len(missed)} of {len(asked)}"
        lines.append(f"| {title} | {n} | {', '.join(missed) or 'none'} |")
    return "\n".join(lines)


def glyph_words_table(cells: Mapping[str, Row]) -> str:
    """Return what every keyword brings back, beside the base and other keywords."""
    lines = [
        "| eraser | subject | keywords | by the base | after | best keyword "
        "| other keywords, after | best of these |",
        "|---|---|--:|--:|--:|---|--:|--:|",
    ]
    for name, cell in cells.items():
        if not name.startswith("words-"):
            continue
        words, others = cell["words"], cell["controls"]
        all_of = _sum(words.values())
        told = [
            f"`{cell['eraser']}`",
            cell["concept"],
            str(len(words)),
            _share(all_of[2], all_of[0]),
            _share(all_of[1], all_of[0]),
            _best(words),
            _share(*_sum(others.values())[1::-1]),
            _best(others).rpartition(" ")[2],
        ]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _alone(cells: Mapping[str, Row]) -> dict[str, list[Row]]:
    """Return the cells of one concept each by the label of their eraser."""
    found: dict[str, list[Row]] = {}
    for name, cell in cells.items():
        if "counts" in cell and not name.startswith("sixty-"):
            tail = f"-{cell['concept'].casefold().replace(' ', '-')}"
            found.setdefault(name.removesuffix(tail), []).append(cell)
    return found


def _subjects() -> Iterator[str]:
    yield from (name for each in SUBJECTS.values() for name in each)


def _sum(counts: Iterable[Count]) -> list[int]:
    """Return the sum of counts, n, now and base."""
    return [sum(part) for part in zip([0, 0, 0], *counts, strict=True)]


def _pooled(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Return the counts of several concepts together; names of styles by themselves."""
    parts: dict[str, list[Count]] = {}
    for row in rows:
        for question, count in row["counts"].items():
            is_style = question == "own" and row["slot"] == "style"
            parts.setdefault("own style" if is_style else question, []).append(count)
    return {question: _sum(counts) for question, counts in parts.items()}


def _left(count: Count | None) -> float | None:
    """Return what is left as a share of the base's, at most 1; None where it has none.

    Args:
        count: A count, or None.
    """
    if count is None or not count[2]:
        return None
    return min(1.0, count[1] / count[2])


def _score(found: Mapping[str, Count]) -> float:
    """Return the harmonic mean of what is gone and what is kept; 0 where one is 0."""
    lost = (_left(found.get(q)) for q in ("own style", "own", "seen words"))
    shares = [1 - each for each in lost if each is not None]
    shares += [s for q in _KEPT if (s := _left(found.get(q))) is not None]
    return harmonic_mean(shares) if shares and min(shares) > 0 else 0.0


def _eraser_row(label: str, found: Mapping[str, Count], rows: Sequence[Row]) -> str:
    gone = [_gone_within(found.get(q)) for q in ("own style", "own", "seen words")]
    kept = [_kept(found.get(q)) for q in (*_KEPT, "pairs", "background")]
    worst = [each["worst"] for each in rows if each["worst"]]
    seconds = sum(each["seconds"] for each in rows) / len(rows)
    told = [
        f"`{label}`",
        *gone,
        *kept,
        _worst(worst),
        f"{seconds:.1f}",
        f"{_score(found):.3f}",
    ]
    return f"| {' | '.join(told)} |"


def _worst(found: Sequence[Row]) -> str:
    """Return the kept concept that lost most over all erasures."""
    if not found:
        return ""
    least = min(found, key=lambda w: w["count"][1] / w["count"][2])
    n, now, base = least["count"]
    return f"{least['concept']} {now} of {base} ({n})"


def _gone(count: Count | None) -> str:
    """Return the share of pictures that do not show a concept, beside the base's."""
    if count is None or not count[0]:
        return ""
    n, now, base = count
    return f"{1 - now / n:.3f} ({1 - base / n:.2f})"


def _gone_within(count: Count | None) -> str:
    """Return the share of pictures without a concept, its interval, and the base's."""
    if count is None or not count[0]:
        return ""
    n, now, base = count
    gone = share(n - now, n)
    return (
        f"{gone.value:.3f} ({gone.low:.3f} to {gone.high:.3f}; base {1 - base / n:.2f})"
    )


def _kept(count: Count | None) -> str:
    """Return what is left as a share of the base's."""
    if count is None or not count[2]:
        return ""
    return f"{count[1] / count[2]:.3f}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else ""


def _best(words: Mapping[str, Count]) -> str:
    """Return the word with most pictures that show the subject, and their share."""
    if not words:
        return ""
    best = max(words, key=lambda word: (words[word][1] / words[word][0], word))
    return f"{best} {words[best][1] / words[best][0]:.2f}"


def _hundred_row(before: Sequence[Row], row: Row) -> Iterator[str]:
    """Yield the cells of one mark.

    A subject came back where it was not shown at an earlier mark and is now.
    """
    shown: Mapping[str, Count] = row["shown"]
    whole = _sum(shown.values())
    least = max(shown.values(), key=lambda c: c[1] / c[0])
    yield str(row["erased"])
    yield _gone(whole)
    yield f"{1 - least[1] / least[0]:.2f}"
    yield from (
        _kept(row["kept"].get(group)) for group in ("siblings", "kin", "others")
    )
    yield _kept(row["styles"])
    pairs = [
        (earlier["shown"][name], shown[name])
        for earlier in before[-1:]
        for name in earlier["shown"]
    ]
    back = sum(then[1] == 0 and now[1] > 0 for then, now in pairs)
    yield f"{back} of {len(pairs)}" if pairs else ""
    yield f"{row['seconds']:.1f}"
    yield f"{row['bytes'] / 1000:.0f}"


def _falls(cell: Row, questions: Sequence[str], least: float) -> bool | None:
    """Return whether a concept is gone often enough; None where it was not asked."""
    n, now, base = _sum(cell["counts"].get(q, (0, 0, 0)) for q in questions)
    return 1 - now / n >= least if n and base else None


def _stays(cell: Row, question: str, least: float) -> bool | None:
    """Return whether enough of the base's is left; None where it was not asked."""
    _, now, base = cell["counts"].get(question, (0, 0, 0))
    return now / base >= least if base else None
