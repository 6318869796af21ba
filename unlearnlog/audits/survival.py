"""The survival of erasures along fine-tunes: durations and the Kaplan-Meier estimate.

D(t) is the share of a concept's own prompts that show it after t steps, each time from
the same latents. It has returned at the first evaluation where more pictures show it
than before the fine-tune, beyond chance; a fine-tune that ends without is censored.

Source:
    Kaplan and Meier, "Nonparametric estimation from incomplete observations", 1958;
    Greenwood's variance; the interval on the scale of log(-log S), as in Kalbfleisch
    and Prentice, "The Statistical Analysis of Failure Time Data", 2002, section 1.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unlearnlog.audits.verdict import Weighed
from unlearnlog.probes.decisions import benjamini_hochberg, returned
from unlearnlog.probes.statistics import (
    Estimate,
    Z,
    clustered_change,
    paired_share,
    share,
)

_ROUNDING: Final = 1e-9
CHANCE: Final = 0.05
"""False discovery rate of the tests of all evaluations."""


@dataclass(frozen=True)
class StepPresence:
    """One concept's pictures after some steps.

    Attributes:
        step: Number of steps.
        shown: Whether each picture shows the concept.
    """

    step: int
    shown: tuple[bool, ...]

    @property
    def presence(self) -> Estimate:
        """Share of the pictures that show it, with Wilson's interval."""
        return share(sum(self.shown), len(self.shown))


@dataclass(frozen=True)
class Curve:
    """The presence of one concept along a fine-tune.

    An evaluation of fewer pictures than the first one is of the first of them.

    Attributes:
        concept: Its name.
        looks: The evaluations; the first is before the fine-tune, at step 0.

    Raises:
        ValueError: There is no evaluation at step 0, or one of more pictures than that.
    """

    concept: str
    looks: tuple[StepPresence, ...]

    def __post_init__(self) -> None:
        sizes = [len(look.shown) for look in self.looks]
        if not sizes or self.looks[0].step or not 0 < max(sizes) == sizes[0]:
            message = f"the evaluations of {self.concept} have {sizes} pictures"
            raise ValueError(message)

    def before(self, look: StepPresence) -> tuple[bool, ...]:
        """Return whether the same pictures showed it before the fine-tune."""
        return self.looks[0].shown[: len(look.shown)]

    def change(self, look: StepPresence) -> Estimate:
        """Return the change of presence on the same pictures (Newcombe)."""
        return paired_share(look.shown, self.before(look))

    def p_value(self, look: StepPresence) -> float:
        """Return the p-value of no return (McNemar, one-sided)."""
        return returned(look.shown, self.before(look))

    def reached(self, level: float) -> int | None:
        """Return the first evaluated step with at least this presence, or None."""
        found = (look.step for look in self.looks if look.presence.value >= level)
        return next(found, None)

    @property
    def last(self) -> StepPresence:
        """The evaluation after the last step."""
        return self.looks[-1]


@dataclass(frozen=True)
class Duration:
    """The steps until a concept returned, or until the end.

    Attributes:
        concept: Its name.
        steps: The first evaluated step at which it was back; else the last one.
        returned: Whether it came back.
    """

    concept: str
    steps: int
    returned: bool


def durations(curves: Sequence[Curve]) -> tuple[Duration, ...]:
    """Return the duration until each concept returned along one fine-tune.

    All evaluations of all concepts are tested together (Benjamini-Hochberg).
    """
    tests = [(curve, look) for curve in curves for look in curve.looks[1:]]
    back = benjamini_hochberg([curve.p_value(look) for curve, look in tests], CHANCE)
    first: dict[str, int] = {}
    for (curve, look), is_back in zip(tests, back, strict=True):
        if is_back:
            first.setdefault(curve.concept, look.step)
    return tuple(
        Duration(c.concept, first.get(c.concept, c.last.step), c.concept in first)
        for c in curves
    )


def weighed(curve: Curve, duration: Duration) -> Weighed:
    """Return the inputs of a verdict, for a judge that is reliable."""
    return Weighed(curve.change(curve.last), duration.returned)


@dataclass(frozen=True)
class SurvivalStep:
    """Survival right after some steps.

    Attributes:
        step: Number of steps.
        at_risk: Concepts that had stayed away until then and were still evaluated.
        returned: How many of them came back at this step.
        away: Share that stays away beyond it, with its interval.
        error: Greenwood's standard error of that share.
    """

    step: int
    at_risk: int
    returned: int
    away: Estimate
    error: float


def kaplan_meier(found: Sequence[Duration]) -> tuple[SurvivalStep, ...]:
    """Return the share of concepts that stay away, step by step.

    One value for each step at which a concept came back or a fine-tune ended. While
    none came back the interval is Wilson's, which has a width there. Concepts and seeds
    count as independent, and a return is dated by the evaluation that found it.

    Raises:
        ValueError: There are no durations.
    """
    if not found:
        message = "no fine-tune has been evaluated"
        raise ValueError(message)
    rungs, alive, hazard = [], 1.0, 0.0
    for step in sorted({each.steps for each in found}):
        at_risk = sum(each.steps >= step for each in found)
        came = sum(each.steps == step and each.returned for each in found)
        alive *= 1 - came / at_risk
        left = at_risk - came
        hazard += came / (at_risk * left) if left else math.inf
        error = alive * math.sqrt(hazard) if alive else 0.0
        low, high = _interval(alive, hazard, at_risk)
        rungs.append(
            SurvivalStep(
                step, at_risk, came, Estimate(alive, low, high, len(found)), error
            )
        )
    return tuple(rungs)


def _interval(alive: float, hazard: float, at_risk: int) -> tuple[float, float]:
    """Return the interval of a survival that is strictly between 0 and 1, or Wilson's.

    Args:
        alive: The estimate.
        hazard: Sum of Greenwood's terms.
        at_risk: Number of concepts behind it.
    """
    if not 0 < alive < 1:
        plain = share(round(alive * at_risk), at_risk)
        return plain.low, plain.high
    half = Z * math.sqrt(hazard) / abs(math.log(alive))
    return alive ** math.exp(half), alive ** math.exp(-half)


def median_return(rungs: Sequence[SurvivalStep]) -> int | None:
    """Return the first step beyond which at most half stay away, or None.

    A product of ratios of whole numbers that is one half may round to above it.
    """
    half = 0.5 + _ROUNDING
    return next((rung.step for rung in rungs if rung.away.value <= half), None)


@dataclass(frozen=True)
class Ends:
    """The first and the last evaluation of one concept in one fine-tune.

    Attributes:
        run: Name of the fine-tune, such as its seed.
        concept: Name of the concept.
        now: Whether each picture shows it after the last step.
        before: Whether it did before the first one.
    """

    run: str
    concept: str
    now: Sequence[bool]
    before: Sequence[bool]


def pooled_change(ends: Sequence[Ends]) -> Estimate:
    """Return the change of presence at the ends over all fine-tunes and concepts.

    The wider of two intervals: Newcombe's of pairs takes pictures as independent; the
    bootstrap over fine-tunes and pictures takes the pictures that fine-tunes share into
    account, and has no width where all agree.

    Raises:
        ValueError: There are no pictures.
    """
    now = [shows for each in ends for shows in each.now]
    before = [shows for each in ends for shows in each.before]
    plain = paired_share(now, before)
    runs = [each.run for each in ends for _ in each.now]
    if len({*runs}) == 1:
        return plain
    pictures = [f"{each.concept} {i}" for each in ends for i in range(len(each.now))]
    return clustered_change(now, before, runs, pictures)
