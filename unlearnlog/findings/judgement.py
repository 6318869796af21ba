"""May it be released? What the policy said, and what is weakest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.core.doubt import own_doubts
from unlearnlog.core.limits import N_LEAST
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.findings.report_parts import Judgement, Row, Step, Weakness, Word

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

_SAYS: Final[dict[Word, str]] = {
    "passed": "Every limit of the policy “{policy}” holds after the last entry.",
    "failed": "{n} of the policy “{policy}” {do} not hold after the last entry.",
    "undecided": "{n} of the policy “{policy}” could not be decided; somebody "
    "accepted that.",
    "unmeasured": "Nobody looked after the last entry, so nothing is known of this "
    "model.",
}


_OPEN: Final = "What is erased is in doubt all the same; the reasons stand below."

_ENDS: Final[dict[Word, str]] = {
    "failed": "does not hold",
    "undecided": "undecided",
    "unmeasured": "not measured",
}


def judgement(
    steps: Sequence[Step], policy: Policy | None = None, model: str = "the model"
) -> Judgement:
    """Return what the policy said of the last entry, in a word and in a sentence.

    Args:
        steps: The history; at least one.
        policy: The last entry's policy, where one of its name is known.
        model: What the base is called.
    """
    last = steps[-1].entry
    said, word = last.verdict, word_of(last)
    open_ = steps[-1].doubts if word == "passed" else {}
    n = len(said.failures if word == "failed" else said.undecided)
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
        failures=said.failures,
        undecided=said.undecided,
        doubted=doubted,
        caveat=_caveat(steps[-1], policy),
    )


def _headline(last: Step, word: Word, model: str) -> str:
    """Say what is erased, and no more than the verdict and the pictures allow."""
    n, sure = len(last.live), len(last.sure)
    if not n:
        return f"Nothing is erased from {model}"
    if word != "passed":
        return f"Erasure of {_concepts(n)} from {model}: {_ENDS[word]}"
    if not any(last.presence(name) for name in last.live):
        return f"Erasure of {_concepts(n)} from {model}: no picture was looked at"
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
    """Return what the policy said of an entry, in a word."""
    said = entry.verdict
    if said.failures or not said.may_stand:
        return "failed"
    if said.undecided:
        return "undecided"
    return "passed" if entry.readings else "unmeasured"


def listed(entry: Entry) -> Word:
    """Return the word beside an entry in a list: no claim is made of what is open."""
    word = word_of(entry)
    return "undecided" if word == "passed" and own_doubts(entry) else word


_OF_EARLIER: Final = frozenset({"presence", "resurgence", "resurgence.found"})
"""Readings that a limit on what was erased earlier may be on."""


def _caveat(last: Step, policy: Policy | None) -> str:
    """Say what the policy does not ask, although there is something to ask."""
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
        return Weakness(title, None, "no erased concept was looked at")
    worst = max(found, key=lambda r: (r.value, r.high))
    note = meaning_of("presence").says
    if not worst.value:
        note = f"no picture shows any of {len(found)}; this one is known least well"
    if unread := len(last.live) - len(found):
        note += f"; {unread} more were not looked at"
    return Weakness(title, worst, note + _few(worst))


def _kept(last: Step) -> Weakness:
    title = "Kept concept that lost most"
    found = [
        r
        for r in last.entry.readings
        if r.probe == "presence" and r.better == "higher" and r.base is not None
    ]
    if not found:
        return Weakness(title, None, "no kept concept was looked at")
    worst = max(found, key=lambda r: ((r.base or 0) - r.value, (r.base or 0) - r.low))
    lost = sum((r.base or 0) > r.value for r in found)
    note = f"{meaning_of('presence').says}; {lost} of {len(found)} lost any"
    if not lost:
        note = f"none of {len(found)} lost any; this one is known least well"
    return Weakness(title, worst, note + _few(worst))


def _returned(triangle: Iterable[Row], last: Step) -> Weakness:
    title = "Erased concept most likely to be back"
    found = [back for row in triangle if (back := row.at(last.number).back)]
    if not found:
        return Weakness(title, None, "no concept was looked at twice")
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
    """Say so where too few pictures stand behind a share to decide anything."""
    return "" if reading.n >= N_LEAST else f"; under {N_LEAST} pictures, a screen"
