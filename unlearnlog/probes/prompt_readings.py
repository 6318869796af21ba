"""The readings of a file of prompts: what its pictures show, and what stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from unlearnlog.core.concept import Slot
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult
from unlearnlog.probes.picture_probe import About, Better, reading
from unlearnlog.probes.statistics import clustered_mean, share


def prompted_readings(
    seen: Sequence[CaseResult], counted: Mapping[str, Slot], gone: Collection[str]
) -> tuple[Reading, ...]:
    """Return the share of pictures that show each concept, and that of same answers.

    A concept that some prompts are about is counted in the pictures of these; any other
    in all pictures. Prompts of a file count as independent: Wilson's interval. A CLIP
    judge tells how well pictures fit their prompts, too.

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
    fits = [each.fits for each in seen if each.fits is not None]
    return (
        *found,
        reading(about, share(same, len(seen))),
        *clip_score(
            [now for _, now in fits],
            [each.cell.prompt for each in seen],
            [before for before, _ in fits],
        ),
    )


def clip_score(
    scores: Sequence[float], prompts: Sequence[str], before: Sequence[float] = ()
) -> list[Reading]:
    """Return the mean CLIP score; pictures of one prompt are one cluster.

    Args:
        scores: Of each picture; none where the judge gives none.
        prompts: Of each picture.
        before: Those of the base's pictures; none without a base.
    """
    if not scores:
        return []
    found = clustered_mean(scores, prompts, [""] * len(scores))
    base = sum(before) / len(before) if before else None
    return [reading(About("clip", "", "higher", "score"), found, base)]


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
