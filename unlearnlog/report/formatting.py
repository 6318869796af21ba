"""Numbers, dates and verdicts as text, the same in every form of a report."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.core.note import cells
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.findings.bounds import bounds_on
from unlearnlog.findings.judgement import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading
    from unlearnlog.findings.report_parts import ConceptDamage
    from unlearnlog.policy import Policy

MINUS: Final = "\N{MINUS SIGN}"
DASH: Final = "\N{EN DASH}"
ERASED: Final = "✕"
DOUBTFUL: Final = "✕?"
UNREAD: Final = "?"

AUDITED: Final = {
    "passed": "nothing came back",
    "failed": "something came back",
    "undecided": "not decided",
}

ATTACKED: Final = (
    "Vectors, words or a map of tokens, searched for with a stated budget and tried on "
    "prompts and latents that the search never saw. The control is the best that the "
    "same budget finds at random, or on a model that never learned the concept."
)

TRIED: Final = {"reached": "✕", "not reached": "✓", "undecided": "?"}
"""The sign beside an attack's verdict: a reached concept is a failure."""

WORD: Final = {
    "passed": "Passed",
    "failed": "Does not hold",
    "undecided": "Undecided",
    "unmeasured": "Not measured",
}
"""The name of a verdict in a report."""

OUTCOME: Final = {
    "passed": "passed",
    "failed": "failed",
    "undecided": "in doubt",
    "unmeasured": "not read",
}
"""The name of a verdict in a list of entries."""

MARK: Final = {"passed": "✓", "failed": "✕", "undecided": "?", "unmeasured": DASH}
"""The sign beside a verdict, which colour alone would not convey."""


def value(reading: Reading, number: float | None = None) -> str:
    """Return a number in the unit of a reading: the reading's value, or ``number``.

    Shares are in percent and differences in points, to one digit.
    """
    found = reading.value if number is None else number
    if reading.unit == "share":
        return f"{100 * found:.1f} %"
    if reading.unit == "difference":
        return f"{_signed(100 * found)} points"
    return f"{_plain(found)} {reading.unit}"


def interval(reading: Reading) -> str:
    """Return the interval of a reading, without the unit."""
    scale = 100 if reading.unit in ("share", "difference") else 1
    if reading.unit == "difference":
        return f"{_signed(scale * reading.low)} to {_signed(scale * reading.high)}"
    if scale == 1:
        return f"{_plain(reading.low)} to {_plain(reading.high)}"
    return f"{scale * reading.low:.1f} to {scale * reading.high:.1f}"


def base(reading: Reading) -> str:
    """Return the value on the base; empty where it was not measured."""
    return "" if reading.base is None else value(reading, reading.base)


def called(probe: str) -> str:
    """Return the title of a reading, with its standard name."""
    return meaning_of(probe).called


def meaning(probe: str) -> str:
    """Return the meaning of a reading; empty for an unknown one."""
    return meaning_of(probe).says


def outcome(entry: Entry) -> str:
    """Return the verdict of an entry, with its sign."""
    word = listed(entry)
    verdict = entry.verdict
    accepted = ", accepted" if verdict.may_stand and not verdict.holds else ""
    return f"{MARK[word]} {WORD[word].lower()}{accepted}"


def why_it_rises(readings: Iterable[Reading]) -> str:
    """Return why ``self-mi`` of a concept that is gone rises; empty where none does.

    Gone means that ``judge-mi`` is less than half of that on the base.

    Args:
        readings: Readings of one entry, or of several.
    """
    found = list(readings)
    gone = {
        r.concept
        for r in found
        if r.probe == "judge-mi" and r.base is not None and r.high < r.base / 2
    }
    rises = {
        r: r.value - r.base
        for r in found
        if r.probe == "self-mi" and r.base is not None and r.low > r.base
    }
    rising = {r: by for r, by in rises.items() if r.concept in gone}
    if not rising:
        return ""
    worst = max(rising, key=lambda r: rising[r])
    known = meaning_of("self-mi")
    judged, target, gap = map(called, ("judge-mi", "bound-mi", "self-mi.gap"))
    return (
        f"'{known.called}' of {worst.concept} rises from {worst.base:.2f} to "
        f"{worst.value:.2f} nats and is no return of it: it is {known.says}, whatever "
        "that is. An anchor such as a photo is not in the context, so the erased "
        "prompt says more than before, of the anchor. What is left of the concept "
        f"stands in '{judged}' and '{target}'; '{gap}' says how far to trust it."
    )


def signed(entry: Entry) -> str:
    """Return date, author, reference and reason of an entry."""
    by, ref, message = cells(entry.note)
    when = f"recorded {moment(entry.date)}" if entry.date else "recorded"
    who = f"{when} by {by}" if by else when
    return "; ".join(filter(None, (who, ": ".join(filter(None, (ref, message))))))


def moment(text: str) -> str:
    """Return a time to the minute; a text that is no time is returned unchanged.

    Example:
        >>> moment("2026-01-02T03:04:05+00:00")
        '2 January 2026, 03:04 UTC'
    """
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{found.day} {found:%B %Y, %H:%M} UTC"


def limits(reading: Reading, policy: Policy | None) -> str:
    """Return the limits on a reading, each with the sign of its verdict."""
    found = bounds_on(reading, policy)
    return "; ".join(f"{MARK[each.word]} {each.asks}" for each in found)


def limit_rows(reading: Reading, policy: Policy | None) -> list[dict[str, Any]]:
    """Return the limits on a reading as data."""
    return [asdict(each) for each in bounds_on(reading, policy)]


def points(harm: ConceptDamage) -> str:
    """Return a damage in points; a sign where there is none."""
    if harm.damage is None:
        return {"erased": ERASED, "doubtful": DOUBTFUL}.get(harm.status, UNREAD)
    return _signed(-100 * harm.damage, digits=0)


def level(share: float | None) -> int:
    """Return the step of a share or a loss on a colour scale, 0 to 5.

    Example:
        >>> [level(x) for x in (None, 0.0, 0.03, 0.08, 0.2, 0.4, 0.9)]
        [0, 0, 1, 2, 3, 4, 5]
    """
    if share is None or share <= 0:
        return 0
    return next((i for i, top in enumerate(STEPS, 1) if share <= top), 5)


STEPS: Final = (0.05, 0.10, 0.25, 0.50)
"""Upper ends of the steps of a colour scale but the last one."""


def _signed(number: float, digits: int = 1) -> str:
    """Return a number with its sign; 0 has none."""
    text = f"{abs(number):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{MINUS if number < 0 else '+'}{text}"


def _plain(number: float) -> str:
    """Return a number to two digits, with a minus that is one."""
    text = f"{abs(number):.2f}"
    return f"{MINUS if number < 0 and float(text) else ''}{text}"
