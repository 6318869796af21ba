"""The policy's verdict on a revision, and its worst readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.core.doubt import own_doubts
from unlearnlog.core.limits import N_LEAST
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.findings.report_parts import Judgement, Row, Weakness, Word
from unlearnlog.findings.step import Step

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

_SAYS: Final[dict[Word, str]] = {
    "passed": "Every limit of the policy “{policy}” holds after the last entry.",
    "failed": "{n} of the policy “{policy}” {do} not hold after the last entry.",
    "undecided": "{n} of the policy “{policy}” could not be decided; the entry was "
    "accepted all the same.",
    "unmeasured": "No picture was judged after the last entry: the effect of the "
    "erasure is unknown.",
}


_OPEN: Final = "The erasure is in doubt all the same; the reasons are listed below."

_ENDS: Final[dict[Word, str]] = {
    "failed": "does not hold",
    "undecided": "undecided",
    "unmeasured": "not measured",
}


def judgement(
    steps: Sequence[Step], policy: Policy | None = None, model: str = "the model"
) -> Judgement:
    """Return the policy's verdict on the last entry, as a word and as a sentence.

    Args:
        steps: The history; at least one.
        policy: The last entry's policy, where there is one of its name.
        model: Name of the base.
    """
    last = steps[-1].entry
    verdict, word = last.verdict, word_of(last)
    open_ = steps[-1].doubts if word == "passed" else {}
    n = len(verdict.failures if word == "failed" else verdict.undecided)
    limits = "A limit" if n == 1 else f"{n} limits"
    do = "does" if n == 1 else "do"
    doubted = tuple(
        step.number for step in steps[:-1] if word_of(step.entry) != "passed"
    )
    return Judgement(
        word=word,
        headline=_headline(steps[-1], word, model),
        sentence=_SAYS[word].format(policy=last.policy, n=limits, do=do)
        + (f" {_OPEN}" if open_ else ""),
        failures=verdict.failures,
        undecided=verdict.undecided,
        doubted=doubted,
        caveat=_caveat(steps[-1], policy),
    )


def _headline(last: Step, word: Word, model: str) -> str:
    """Return the erased concepts, as far as the verdict and the pictures allow."""
    n, sure = len(last.live), len(last.sure)
    if not n:
        return f"Nothing is erased from {model}"
    if word != "passed":
        return f"Erasure of {_concepts(n)} from {model}: {_ENDS[word]}"
    if not any(last.presence(name) for name in last.live):
        return f"Erasure of {_concepts(n)} from {model}: no picture was judged"
    if not sure:
        return f"Erasure of {_concepts(n)} from {model}: in doubt"
    doubt = f", {n - sure} more in doubt" if sure < n else ""
    return f"{_concepts(sure)} erased from {model}{doubt}"


def _concepts(n: int) -> str:
    return f"{n} concept" if n == 1 else f"{n} concepts"


def weakest(steps: Sequence[Step], triangle: Sequence[Row]) -> tuple[Weakness, ...]:
    """Return the worst erased concept, kept concept, return and drift."""
    last = steps[-1]
    return (
        _erased(last),
        _kept(last),
        _returned(triangle, last),
        _drift(last),
    )


def word_of(entry: Entry) -> Word:
    """Return the policy's verdict on an entry, as a word."""
    verdict = entry.verdict
    if verdict.failures or not verdict.may_stand:
        return "failed"
    if verdict.undecided:
        return "undecided"
    return "passed" if entry.readings else "unmeasured"


def listed(entry: Entry) -> Word:
    """Return the verdict on an entry in a list, undecided where it is in doubt."""
    word = word_of(entry)
    return "undecided" if word == "passed" and own_doubts(entry) else word


_OF_EARLIER: Final = frozenset({"presence", "resurgence", "resurgence.found"})
"""Readings of earlier erasures, on which a policy may set limits."""


def _caveat(last: Step, policy: Policy | None) -> str:
    """Return the limits that the policy does not set although it could."""
    if policy is None or word_of(last.entry) == "unmeasured":
        return ""
    asked = {limit.reading for limit in policy.limits}
    own = {concept.name for concept in last.entry.concepts}
    open_ = []
    if {*last.live} - own and not asked & _OF_EARLIER:
        open_.append("what was erased before that entry")
    if "presence" not in asked:
        open_.append("any single kept concept")
    return f"It sets no limit on {' or on '.join(open_)}." if open_ else ""


def _erased(last: Step) -> Weakness:
    title = "Erased concept that shows most"
    found = [r for name in last.live if (r := last.presence(name))]
    if not found:
        return Weakness(title, None, "no erased concept was judged")
    worst = max(found, key=lambda r: (r.value, r.high))
    note = meaning_of("presence").says
    if not worst.value:
        note = f"no picture shows any of {len(found)}; this one's interval is widest"
    if unread := len(last.live) - len(found):
        note += f"; {unread} more were not judged"
    return Weakness(title, worst, note + _few(worst))


def _kept(last: Step) -> Weakness:
    title = "Kept concept that lost most"
    found = [
        r
        for r in last.entry.readings
        if r.probe == "presence" and r.better == "higher" and r.base is not None
    ]
    if not found:
        return Weakness(title, None, "no kept concept was judged")
    worst = max(found, key=lambda r: ((r.base or 0) - r.value, (r.base or 0) - r.low))
    lost = sum((r.base or 0) > r.value for r in found)
    note = f"{meaning_of('presence').says}; {lost} of {len(found)} lost any"
    if not lost:
        note = f"none of {len(found)} lost any; this one's interval reaches lowest"
    return Weakness(title, worst, note + _few(worst))


def _returned(triangle: Iterable[Row], last: Step) -> Weakness:
    title = "Erased concept most likely to be back"
    found = [back for row in triangle if (back := row.at(last.number).back)]
    if not found:
        return Weakness(title, None, "no concept was judged twice")
    worst = max(found, key=lambda r: (r.high, r.value))
    more = sum(r.value > 0 for r in found)
    note = f"more than right after its erasure; {more} of {len(found)} show more"
    return Weakness(title, worst, note + _few(worst))


def _drift(last: Step) -> Weakness:
    title = "Drift of prompts that stay"
    found = [r for r in last.entry.readings if r.probe == "drift"]
    if not found:
        return Weakness(title, None, "no drift was read")
    worst = max(found, key=lambda r: r.value)
    return Weakness(title, worst, meaning_of("drift").says)


def _few(reading: Reading) -> str:
    """Return a note on a share of too few pictures to decide anything."""
    return "" if reading.n >= N_LEAST else f"; under {N_LEAST} pictures, a screen"
