"""The readings of a file of prompts: what its pictures show, and what stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from unlearnlog.core.concept import Slot
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult
from unlearnlog.probes.picture_probe import About, Better, reading
from unlearnlog.probes.statistics import share


def prompted_readings(
    seen: Sequence[CaseResult], counted: Mapping[str, Slot], gone: Collection[str]
) -> tuple[Reading, ...]:
    """Return the share of pictures that show each concept, and that of same answers.

    A concept that some prompts are about is counted in the pictures of these; any other
    in all pictures. Prompts of a file count as independent: Wilson's interval.

    Args:
        seen: The judge's answers to each prompt's picture, by the base and now.
        counted: The concepts to count, each with its place in an answer.
        gone: Names of erased concepts.
    """
    if not seen:
        return ()
    found = [_shown(seen, name, slot, gone) for name, slot in counted.items()]
    same = sum(each.now == each.base for each in seen)
    about = About("prompts.same", "", "higher")
    return (*found, reading(about, share(same, len(seen))))


def counted_readings(
    seen: Sequence[tuple[ProbeCase, Answer]], counted: Mapping[str, Slot]
) -> tuple[Reading, ...]:
    """Return the share of pictures that show each concept, where there is no base.

    Args:
        seen: The judge's answer to each picture.
        counted: The concepts to count, each with its place in an answer.
    """
    found = []
    for name, slot in counted.items():
        own = [answer for case, answer in seen if case.shows(slot) == name]
        some = own or [answer for _, answer in seen]
        hits = sum(answer.of(slot) == name for answer in some)
        found.append(reading(About("prompts", name, "none"), share(hits, len(some))))
    return tuple(found)


def _shown(
    seen: Sequence[CaseResult], name: str, slot: Slot, gone: Collection[str]
) -> Reading:
    own = [each for each in seen if each.cell.shows(slot) == name]
    better: Better = "higher" if own and name not in gone else "lower"
    some = own or seen
    now = sum(each.now.of(slot) == name for each in some)
    before = sum(each.base.of(slot) == name for each in some) / len(some)
    return reading(About("prompts", name, better), share(now, len(some)), before)
