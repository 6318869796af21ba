"""``--dry-run``: what a command would paint, judge, predict and train, and how long.

The command is gone through on a model and a judge that only count (`tally`), so the
counts come from the code that does the work. A few of each kind are then done and
timed. Where too few pictures decide a limit, the command looks at more: these are not
counted, for nobody knows beforehand. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unlearnlog.concept import Concept
from unlearnlog.model.protocol import Sampling
from unlearnlog.run import attack, audit, erase, finetune, joint, rebase
from unlearnlog.run.costs import Bench, Costs, peak_bytes, timed
from unlearnlog.run.judging import judge_for
from unlearnlog.run.record import Draft
from unlearnlog.run.rehearsal import History, Rehearsal
from unlearnlog.run.tally import Tally, another

if TYPE_CHECKING:
    from unlearnlog.erasers import Eraser, Request
    from unlearnlog.policy import Policy
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


@dataclass(frozen=True)
class Part:
    """One kind of work.

    Attributes:
        what: What is done.
        count: How often.
        unit: Of what.
        seconds: How long all of it takes here.
    """

    what: str
    count: int
    unit: str
    seconds: float


@dataclass(frozen=True)
class Forecast:
    """What a command would cost.

    Attributes:
        parts: Each kind of work that there would be.
        peak_bytes: The most memory that a few of each kind took here: of the process
            on a CPU, of the device elsewhere.
    """

    parts: tuple[Part, ...]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """How long all of it would take here."""
        return round(sum(part.seconds for part in self.parts), 1)

    def count(self, what: str) -> int:
        """Return how often something is done; 0 for never."""
        return sum(part.count for part in self.parts if part.what == what)

    def row(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            "forget": self.count("painting the forget set"),
            "looked": self.count("painting"),
            "judged": self.count("judging"),
            "predictions": self.count("nats"),
            "gradients": self.count("searching"),
            "lessons": self.count("fine-tuning"),
            "steps": self.count("erasing"),
            "seconds": self.seconds,
            "seconds_of": {part.what: round(part.seconds, 1) for part in self.parts},
            "peak_bytes": self.peak_bytes,
        }


def of_add(at: Place, order: erase.Order) -> Forecast:
    """Forecast ``add``.

    Raises:
        ConceptError: As `add` does before it begins.
    """
    order.watch.stage("counting what there is to do", 1)
    tally, pinned = Tally(), at.pinned()
    plan = look_of_add(Rehearsal.of(pinned, tally), order)
    order.watch.advance(1, {})
    bench = _bench(at, order.policy, order.watch)
    costs = bench.costs(tally)
    request = replace(plan.request, model=at.model)
    n = _n_erased(pinned, plan.eraser, order.concepts)
    parts = (*_erasing(plan.eraser, request, n, costs), *_looking(tally, costs))
    return Forecast(parts, peak_bytes(at.model))


def look_of_add(there: Rehearsal, order: erase.Order) -> erase.Plan:
    """Go through all that ``add`` looks at, and return its plan.

    Raises:
        ConceptError: As `add` does before it begins; that the base does not paint a
            concept is only known where all of its pictures were seen before.
    """
    plan, before = erase.planned(there, order), there.tally.painted
    for concept in order.concepts:
        erase.base_shows(plan.look, concept)
    if there.tally.painted == before:  # nothing is guessed, so it can be refused
        plan = erase.plan_of(there, order)
    base = there.model.base
    plan.look.first({**base, **another(base, 1)})
    return plan


def of_attack(at: Place, wish: attack.Wish) -> Forecast:
    """Forecast ``attack``.

    Raises:
        UnlearnlogError: As `attack.attacked` does before it begins.
    """
    tally = Tally()
    attack.attacked(Rehearsal.of(at, tally), replace(wish, record=False))
    return _forecast(at, wish.policy, wish.watch, tally)


def of_audit(at: Place, wish: audit.Wish) -> Forecast:
    """Forecast ``audit MODEL``.

    Raises:
        UnlearnlogError: As `audit.audit` does before it begins.
    """
    tally = Tally()
    audit.audit(Rehearsal.of(at, tally), replace(wish, record=False))
    return _forecast(at, wish.policy, wish.watch, tally)


def of_finetune(at: Place, wish: finetune.Wish) -> Forecast:
    """Forecast ``audit --finetune``.

    Raises:
        UnlearnlogError: As `finetune.finetuned` does before it begins.
    """
    tally = Tally()
    finetune.finetuned(Rehearsal.of(at, tally), wish)
    bench = replace(_bench(at, wish.policy, wish.watch), method=wish.method)
    parts = _looking(tally, bench.costs(tally))
    return Forecast(parts, peak_bytes(at.model))


def of_rebase(at: Place, wish: rebase.Wish) -> Forecast:
    """Forecast ``rebase``: every erasure made anew, and an audit before and after.

    Raises:
        UnlearnlogError: As `rebase.rebase` does before it begins.
    """
    at = replace(at, pin=(at.resolved(wish.rev), at.the_ledger().branch))
    tally, parts, watch = Tally(), list[Part](), wish.watch
    asked = rebase.asked_of(at, wish)
    bench = _bench(at, wish.policy, watch)
    jobs: list[tuple[erase.Plan, rebase.Again]] = []
    upon: History = ()
    for again in asked.again:
        there = _rebased(Rehearsal.of(at, tally), upon)
        order = rebase.order_of(at, again, wish)
        jobs.append((look_of_add(there, order), again))
        entry = Draft("erase", again.concepts, again.eraser, ()).entry(there)
        upon = (*upon, (entry.id, entry))
    there = Rehearsal.of(at, tally)
    made = rebase.derived_of(at, wish)
    for n in (1, 2):
        rebase.found(there, asked.live, another(at.model.base, n), made, wish)
    costs = bench.costs(tally)
    for plan, again in jobs:
        if again.delta is None:
            request = replace(plan.request, model=at.model)
            parts += _erasing(plan.eraser, request, len(again.concepts), costs)
    return Forecast(_joined([*parts, *_looking(tally, costs)]), peak_bytes(at.model))


def _rebased(there: Rehearsal, upon: History) -> Rehearsal:
    """Return the place on another base, of which nothing was seen yet."""
    manifest = there.manifest.model_copy(update={"source": "rebased"})
    return replace(there, ledger=None, manifest=manifest, upon=upon)


def _forecast(at: Place, policy: Policy, watch: Watch, tally: Tally) -> Forecast:
    costs = _bench(at, policy, watch).costs(tally)
    return Forecast(_looking(tally, costs), peak_bytes(at.model))


def _bench(at: Place, policy: Policy, watch: Watch) -> Bench:
    judge = judge_for(at, policy.judge, at.book().world, watch)
    return Bench(at.model, judge, policy.painting(), watch)


def _looking(tally: Tally, costs: Costs) -> tuple[Part, ...]:
    """Return what is done on pictures, each kind by itself; nothing that is not."""
    rows = (
        ("painting", tally.painted, "pictures", costs.picture),
        ("judging", tally.judged, "pictures", costs.judgement),
        ("nats", tally.predicted, "predictions", costs.prediction),
        ("searching", tally.differentiated, "predictions", costs.gradient),
        ("fine-tuning", tally.learned, "pictures learned from", costs.lesson),
    )
    return tuple(Part(what, n, unit, n * cost) for what, n, unit, cost in rows if n)


def _n_erased(at: Place, eraser: Eraser, concepts: tuple[Concept, ...]) -> int:
    """Return for how many concepts an eraser works: a joint one for its whole group."""
    if not eraser.joint:
        return len(concepts)
    group = joint.group_of(at, eraser)
    members = joint.live_groups(at.history()).get(group.name, group).members
    return len({*members, *(concept.id for concept in concepts)})


def _erasing(
    eraser: Eraser, request: Request, n: int, costs: Costs
) -> tuple[Part, ...]:
    """Return what an eraser does for ``n`` concepts, at most."""
    work = eraser.work(n)
    watch = request.watch
    watch.stage("timing the eraser", 1)
    if eraser.joint:
        seconds = _solving(eraser, request, n)
    else:
        seconds = _training(eraser, request, costs)
    watch.advance(1, {})
    painting = Part(
        "painting the forget set",
        work.pictures,
        "pictures",
        work.pictures * costs.picture,
    )
    training = Part("erasing", work.steps, "steps", seconds)
    return (painting, training) if work.pictures else (training,)


def _training(eraser: Eraser, request: Request, costs: Costs) -> float:
    """Return how long all steps of a training take, and what comes before them, in s.

    The fewest steps are trained; the first one, with what is only done once, is no
    measure of the others.
    """
    small, least = eraser.rehearsal()
    clock = _Clock(request.watch)
    one = replace(
        request, forget=request.forget[:1], names=request.names[:1], watch=clock
    )
    took = timed(lambda: small.erase(one))[1] - costs.picture * least.pictures
    steps = eraser.work(1).steps
    if len(clock.ends) < 2:
        return max(took, 0.0) / least.steps * steps
    each = (clock.ends[-1] - clock.ends[0]) / (len(clock.ends) - 1)
    return max(took - each * len(clock.ends), 0.0) + each * steps


@dataclass
class _Clock:
    """Passes stages on, and writes down when each step of a training ended.

    Attributes:
        watch: Who wants to see it advance.
        ends: Times of the steps' ends, in s.
    """

    watch: Watch
    ends: list[float] = field(default_factory=list)
    _trains: bool = False

    def stage(self, name: str, total: int) -> None:
        """Begin a stage; of several trainings the last one counts."""
        self._trains = name == "erasing"
        self.ends = [] if self._trains else self.ends
        self.watch.stage(name, total)

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Write the time down where a step of a training ended."""
        if units and self._trains:
            self.ends.append(time.monotonic())
        self.watch.advance(units, numbers)


def _solving(eraser: Eraser, request: Request, n: int) -> float:
    """Return how long equations for ``n`` concepts take to state and to solve, in s.

    One concept is solved twice, for the first time encodes what is kept; then a few
    more, to see what each adds.
    """
    request = replace(request, old=request.model.base, sampling=Sampling(1, 1.0))

    def of(k: int) -> float:
        some = replace(request, forget=request.forget[:k], names=request.names[:k])
        return timed(lambda: eraser.erase(some))[1]

    first = of(1)
    few = min(len(request.forget), 4)
    if n == 1 or few == 1:
        return first * (1 if n == 1 else n**0.5)
    again = of(1)
    each = max(of(few) - again, 0.0) / (few - 1)
    return first + (n - 1) * each


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Put parts of one kind together."""
    found: dict[str, Part] = {}
    for part in parts:
        old = found.get(part.what)
        if old is not None:
            count, seconds = old.count + part.count, old.seconds + part.seconds
            part = replace(part, count=count, seconds=seconds)
        found[part.what] = part
    return tuple(found.values())
