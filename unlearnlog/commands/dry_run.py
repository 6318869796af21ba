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
from typing import TYPE_CHECKING, Final

from unlearnlog.commands import add, attack, audit, finetune, joint_set, rebase
from unlearnlog.commands.counting import WorkCount, another
from unlearnlog.commands.dry_session import DrySession, History
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.forecast import CostForecast, Span, WorkPart, joined
from unlearnlog.commands.judge_choice import judge_for
from unlearnlog.commands.unit_costs import Bench, Costs, peak_bytes, timed
from unlearnlog.core.concept import Concept
from unlearnlog.models.interface import Sampling

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.progress import Progress
    from unlearnlog.erasers.eraser_table import Eraser, Request
    from unlearnlog.policy import Policy


_ASKED: Final = Span(0.5, 0.75, 1.0)
"""Share of the counted predictions that are made.

The posterior over names prunes those that are far behind, which only predictions show.
On the bundled model three quarters are made.
"""


def of_add(at: Session, order: add.AddRequest) -> CostForecast:
    """Forecast ``add``.

    Raises:
        ConceptError: As `add` does before it begins.
    """
    order.watch.stage("counting what there is to do", 1)
    tally, pinned = WorkCount(), at.pinned()
    plan = look_of_add(DrySession.of(pinned, tally), order)
    order.watch.advance(1, {})
    bench = _bench(at, order.policy, order.watch)
    n = _n_erased(pinned, plan.eraser, order.concepts)
    costs = bench.costs(_with_forget_sets(tally, plan.eraser.work(n).pictures))
    request = replace(plan.request, model=at.model)
    parts = (*_erasing(plan.eraser, request, n, costs), *_looking(tally, costs))
    return CostForecast(parts, peak_bytes(at.model))


def look_of_add(there: DrySession, order: add.AddRequest) -> add.ErasurePlan:
    """Go through all that ``add`` looks at, and return its plan.

    Raises:
        ConceptError: As `add` does before it begins; that the base does not paint a
            concept is only known where all of its pictures were seen before.
    """
    plan, before = add.planned(there, order), there.tally.painted
    for concept in order.concepts:
        add.base_shows(plan.look, concept)
    if there.tally.painted == before:  # nothing is guessed, so it can be refused
        plan = add.plan_of(there, order)
    base = there.model.base
    plan.look.first({**base, **another(base, 1)})
    return plan


def of_attack(at: Session, wish: attack.AttackRequest) -> CostForecast:
    """Forecast ``attack``.

    Raises:
        UnlearnlogError: As `attack.attacked` does before it begins.
    """
    tally = WorkCount()
    attack.attacked(DrySession.of(at, tally), replace(wish, record=False))
    return _forecast(at, wish.policy, wish.watch, tally)


def of_audit(at: Session, wish: audit.AuditRequest) -> CostForecast:
    """Forecast ``audit MODEL``.

    Raises:
        UnlearnlogError: As `audit.audit` does before it begins.
    """
    tally = WorkCount()
    audit.audit(DrySession.of(at, tally), replace(wish, record=False))
    return _forecast(at, wish.policy, wish.watch, tally)


def of_finetune(at: Session, wish: finetune.FinetuneRequest) -> CostForecast:
    """Forecast ``audit --finetune``.

    Raises:
        UnlearnlogError: As `finetune.finetuned` does before it begins.
    """
    tally = WorkCount()
    finetune.finetuned(DrySession.of(at, tally), wish)
    bench = replace(_bench(at, wish.policy, wish.watch), method=wish.method)
    parts = _looking(tally, bench.costs(tally))
    return CostForecast(parts, peak_bytes(at.model))


def of_rebase(at: Session, wish: rebase.RebaseRequest) -> CostForecast:
    """Forecast ``rebase``: every erasure made anew, and an audit before and after.

    Raises:
        UnlearnlogError: As `rebase.rebase` does before it begins.
    """
    at = at.at_rev(wish.rev)
    tally, parts, watch = WorkCount(), list[WorkPart](), wish.watch
    asked = rebase.asked_of(at, wish)
    bench = _bench(at, wish.policy, watch)
    jobs: list[tuple[add.ErasurePlan, rebase.RepeatedErasure]] = []
    upon: History = ()
    for again in asked.again:
        there = _rebased(DrySession.of(at, tally), upon)
        order = rebase.order_of(at, again, wish)
        jobs.append((look_of_add(there, order), again))
        entry = EntryBuilder("erase", again.concepts, again.eraser, ()).entry(there)
        upon = (*upon, (entry.id, entry))
    there = DrySession.of(at, tally)
    made = rebase.derived_of(at, wish)
    for n in (1, 2):
        rebase.found(there, asked.live, another(at.model.base, n), made, wish)
    anew = [(plan, again) for plan, again in jobs if again.delta is None]
    n_forget = sum(p.eraser.work(len(a.concepts)).pictures for p, a in anew)
    costs = bench.costs(_with_forget_sets(tally, n_forget))
    for plan, again in anew:
        request = replace(plan.request, model=at.model)
        parts += _erasing(plan.eraser, request, len(again.concepts), costs)
    return CostForecast(joined([*parts, *_looking(tally, costs)]), peak_bytes(at.model))


def _rebased(there: DrySession, upon: History) -> DrySession:
    """Return the place on another base, of which nothing was seen yet."""
    manifest = there.manifest.model_copy(update={"source": "rebased"})
    return replace(there, ledger=None, manifest=manifest, upon=upon)


def _forecast(
    at: Session, policy: Policy, watch: Progress, tally: WorkCount
) -> CostForecast:
    costs = _bench(at, policy, watch).costs(tally)
    return CostForecast(_looking(tally, costs), peak_bytes(at.model))


def _bench(at: Session, policy: Policy, watch: Progress) -> Bench:
    judge = judge_for(at, policy.judge, at.book().world, watch)
    return Bench(at.model, judge, policy.painting(), watch)


def _with_forget_sets(tally: WorkCount, n_pictures: int) -> WorkCount:
    """Return the counted work with the pictures that the erasers paint."""
    return replace(tally, painted=tally.painted + n_pictures)


def _looking(tally: WorkCount, costs: Costs) -> tuple[WorkPart, ...]:
    """Return what is done on pictures, each kind by itself; nothing that is not."""
    rows = (
        ("painting", tally.painted, "pictures", costs.picture),
        ("judging", tally.judged, "pictures", costs.judgement),
        ("nats", tally.predicted, "predictions", costs.prediction),
        ("searching", tally.differentiated, "predictions", costs.gradient),
        ("fine-tuning", tally.learned, "pictures learned from", costs.lesson),
    )
    return tuple(
        WorkPart(
            what,
            n,
            unit,
            costs.span(n * cost) * (_ASKED if what == "nats" else Span(1, 1, 1)),
        )
        for what, n, unit, cost in rows
        if n
    )


def _n_erased(at: Session, eraser: Eraser, concepts: tuple[Concept, ...]) -> int:
    """Return for how many concepts an eraser works: a joint one for its whole group."""
    if not eraser.joint:
        return len(concepts)
    group = joint_set.group_of(at, eraser)
    members = joint_set.live_groups(at.history()).get(group.name, group).members
    return len({*members, *(concept.id for concept in concepts)})


def _erasing(
    eraser: Eraser, request: Request, n: int, costs: Costs
) -> tuple[WorkPart, ...]:
    """Return what an eraser does for ``n`` concepts."""
    work = eraser.work(n)
    watch = request.watch
    watch.stage("timing the eraser", 1)
    if eraser.joint:
        seconds = _solving(eraser, request, n)
    else:
        seconds = _training(eraser, request, costs)
    watch.advance(1, {})
    painting = WorkPart(
        "painting the forget set",
        work.pictures,
        "pictures",
        costs.span(work.pictures * costs.picture),
    )
    training = WorkPart(
        "erasing", work.steps, "steps", costs.span(seconds), shared=False
    )
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

    watch: Progress
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
