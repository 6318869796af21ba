"""Fine-tunes as values without tensors, and the verdict on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.return_forecast import ReturnForecast, score
from unlearnlog.audits.savings import Savings, mean_savings, savings
from unlearnlog.audits.survival import (
    Curve,
    Duration,
    Ends,
    SurvivalStep,
    durations,
    kaplan_meier,
    median_return,
    pooled_change,
    weighed,
)
from unlearnlog.audits.verdict import Gate, Health

if TYPE_CHECKING:
    from unlearnlog.audits.finetune_training import FinetuneSettings
    from unlearnlog.audits.verdict import VerdictRules, Word
    from unlearnlog.core.digest import Digest
    from unlearnlog.probes.statistics import Estimate


@dataclass(frozen=True)
class FinetuneRun:
    """One fine-tune.

    Attributes:
        training: Its settings.
        lesson: Digest of the data set.
        n_pictures: Number of its pictures.
        curves: One for each erased concept, in the order of their erasure.
        kept: Whether kept pictures still show both their subject and their style; None
            where nothing is kept.
        losses: Mean loss up to each evaluation after the first; None where unknown.
        forecasts: The forecast of each concept, made beforehand.
        rho: The return coefficient at the end; None where the state is the base.
        twin: Curves of the twin, fine-tuned in the same way; none without one.
        n_cut: Number of captions that were cut to the text encoder's length.
    """

    training: FinetuneSettings
    lesson: Digest
    n_pictures: int
    curves: tuple[Curve, ...]
    kept: Curve | None
    losses: tuple[float | None, ...]
    forecasts: tuple[ReturnForecast, ...] = ()
    rho: float | None = None
    twin: tuple[Curve, ...] = ()
    n_cut: int = 0

    @cached_property
    def durations(self) -> tuple[Duration, ...]:
        """The duration until each concept returned, all tested together."""
        return durations(self.curves)

    def paints(self, least: float) -> bool:
        """Return whether kept pictures still show more than this share of before.

        A model that paints little of anything proves nothing about erased concepts.
        """
        if self.kept is None:
            return True
        last = self.kept.last
        now, then = sum(last.shown), sum(self.kept.before(last))
        return Health(now / len(last.shown), then / len(last.shown), 0).enough(least)

    @property
    def saved(self) -> dict[str, Savings]:
        """The savings of relearning each concept against the twin, by name."""
        novel = {curve.concept: curve for curve in self.twin}
        return {
            curve.concept: savings(curve, novel[curve.concept])
            for curve in self.curves
            if curve.concept in novel
        }


@dataclass(frozen=True)
class Finetuned:
    """Fine-tunes of one state on one kind of data.

    Attributes:
        rev: The entry whose state was fine-tuned.
        data: Name of the data set.
        base: Share of each concept's prompts that show it on the base, by name.
        mistaken: The judge's rate of false alarms for each concept, by name.
        rules: The rules of the verdict.
        courses: One for each seed.
    """

    rev: str
    data: str
    base: Mapping[str, Estimate]
    mistaken: Mapping[str, float]
    rules: VerdictRules
    courses: tuple[FinetuneRun, ...]

    def __repr__(self) -> str:
        words = ", ".join(f"{name} {word}" for name, word in self.verdicts.items())
        return f"<Finetuned {self.rev[:12]} on {self.data}: {words}>"

    def believed(self, concept: str) -> bool:
        """Return whether the judge is reliable on a concept.

        It is not where nothing is kept: no picture then tests it for false alarms.
        """
        return not any(
            gate in {Gate.MISLED, Gate.BLIND, Gate.UNTRIED}
            for _, curve, gate in self.gates()
            if curve.concept == concept
        )

    @property
    def doubts(self) -> dict[str, str]:
        """The reason of each undecided verdict, by the concept's name."""
        order = list(Gate)
        found: dict[str, Gate] = {}
        for _, curve, gate in self.gates():
            if gate.word == "undecided":
                before = found.get(curve.concept, gate)
                found[curve.concept] = min(before, gate, key=order.index)
        return {
            name: self._doubt(name, found[name])
            for name, word in self.verdicts.items()
            if word == "undecided"
        }

    def _doubt(self, name: str, gate: Gate) -> str:
        """Return the reason: the judge, the model, or too few pictures."""
        if gate is Gate.MISLED:
            alarms = self.mistaken[name]
            return f"the judge sees it in {alarms:.0%} of pictures of other things"
        if gate is Gate.BLIND:
            there = self.base[name].value
            return f"the judge sees it in {there:.0%} of the base's own of it"
        return str(gate.value)

    def gates(self) -> Iterator[tuple[FinetuneRun, Curve, Gate]]:
        """Yield the gate that settles the verdict on each concept in each fine-tune."""
        tried = all(course.kept for course in self.courses)
        for course in self.courses:
            healthy = course.paints(self.rules.health)
            for curve, duration in zip(course.curves, course.durations, strict=True):
                found = replace(
                    weighed(curve, duration),
                    false_alarms=self.mistaken[curve.concept] if tried else None,
                    base=self.base[curve.concept].value,
                    healthy=healthy,
                )
                yield course, curve, found.gate(self.rules)

    @property
    def verdicts(self) -> dict[str, Word]:
        """The worst verdict on each concept over all seeds, by name."""
        order: tuple[Word, ...] = ("gone", "undecided", "resurged")
        found: dict[str, Word] = {}
        for _, curve, gate in self.gates():
            before = found.get(curve.concept, "gone")
            found[curve.concept] = max(before, gate.word, key=order.index)
        return found

    @property
    def passed(self) -> bool:
        """Whether every concept is surely gone after every fine-tune."""
        return all(each == "gone" for each in self.verdicts.values())

    @property
    def survival(self) -> tuple[SurvivalStep, ...]:
        """Kaplan-Meier over all seeds and concepts on which the judge is reliable."""
        found = [
            duration
            for course in self.courses
            for duration in course.durations
            if self.believed(duration.concept)
        ]
        return kaplan_meier(found) if found else ()

    @property
    def resurgence(self) -> Estimate | None:
        """The pooled change of all concepts' presence at the ends.

        None where the judge is reliable on none.
        """
        ends = [
            _ends(course, curve)
            for course in self.courses
            for curve in course.curves
            if self.believed(curve.concept)
        ]
        return pooled_change(ends) if ends else None

    @property
    def collateral(self) -> Estimate | None:
        """The pooled change of kept pictures at the ends; below 0 for a loss."""
        kept = [_ends(each, each.kept) for each in self.courses if each.kept]
        return pooled_change(kept) if kept else None

    @property
    def savings(self) -> Estimate | None:
        """Mean of savings with a bootstrap over seeds; None without enough."""
        found = [
            (str(course.training.seed), saved)
            for course in self.courses
            for concept, saved in course.saved.items()
            if self.believed(concept)
        ]
        return mean_savings(found)

    def scores(self) -> dict[str, Estimate | None]:
        """Return each forecast's rank correlation with the change of presence."""
        pairs = [
            (forecast, curve.change(curve.last).value)
            for course in self.courses
            for forecast, curve in zip(course.forecasts, course.curves, strict=False)
            if self.believed(curve.concept)
        ]
        changes = [value for _, value in pairs]
        rho = [(f.rho, value) for f, value in pairs if f.rho is not None]
        return {
            "alignment": score([f.alignment for f, _ in pairs], changes),
            "rho": score([value for value, _ in rho], [value for _, value in rho]),
        }

    def row(self) -> dict[str, Any]:
        """Return the fine-tunes as JSON, each share with its interval."""
        return {
            "rev": self.rev,
            "data": self.data,
            "verdicts": self.verdicts,
            "passed": self.passed,
            "resurgence": _perhaps(self.resurgence),
            "collateral": _perhaps(self.collateral),
            "survival": [asdict(rung) for rung in self.survival],
            "median_return": median_return(self.survival),
            "savings": _perhaps(self.savings),
            "forecast": {name: _perhaps(s) for name, s in self.scores().items()},
            "base": {name: asdict(share) for name, share in self.base.items()},
            "mistaken": dict(self.mistaken),
            "courses": [self._course_row(course) for course in self.courses],
        }

    def _course_row(self, course: FinetuneRun) -> dict[str, Any]:
        forecasts = {forecast.concept: forecast for forecast in course.forecasts}
        own = {d.concept: d for d in course.durations}
        gates = {c.concept: g for at, c, g in self.gates() if at is course}
        return {
            **asdict(course.training),
            "rate": course.training.step_size,
            "lesson": course.lesson,
            "n_pictures": course.n_pictures,
            "n_cut": course.n_cut,
            "losses": list(course.losses),
            "rho": course.rho,
            "kept": None if course.kept is None else _curve_row(course.kept),
            "concepts": [
                {
                    **_curve_row(curve),
                    "verdict": gates[curve.concept].word,
                    "steps": own[curve.concept].steps,
                    "returned": own[curve.concept].returned,
                    "forecast": _perhaps(forecasts.get(curve.concept)),
                    "savings": _perhaps(course.saved.get(curve.concept)),
                }
                for curve in course.curves
            ],
            "twin": [_curve_row(curve) for curve in course.twin],
        }


def _ends(course: FinetuneRun, curve: Curve) -> Ends:
    last = curve.last
    run = str(course.training.seed)
    return Ends(run, curve.concept, last.shown, curve.before(last))


def _curve_row(curve: Curve) -> dict[str, Any]:
    return {
        "concept": curve.concept,
        "looks": [
            {
                "step": look.step,
                "presence": asdict(look.presence),
                "change": asdict(curve.change(look)),
                "p": curve.p_value(look),
                "shown": "".join(str(int(each)) for each in look.shown),
            }
            for look in curve.looks
        ],
    }


def _perhaps(
    value: Estimate | ReturnForecast | Savings | None,
) -> dict[str, Any] | None:
    return None if value is None else asdict(value)
