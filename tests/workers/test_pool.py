"""Any number of workers returns what this process does, whoever dies on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import pytest
import torch

from tests.probes.mixture import SHARE, NearestMean, mixture
from tests.probes.test_panel import Diary, NoAlbum, Table, asked_about, cells
from tests.workers.fake_workers import WANTED, Backend, other, pool
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import UsageError, WorkerError
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.runner import ProbeRunner
from unlearnlog.workers import pool_run
from unlearnlog.workers.executor import COMPUTED_BY, HERE, in_order
from unlearnlog.workers.work_unit import Workbench

SAMPLING = Sampling(steps=1, guidance=1.0, batch=4)
TIMES = count()


@dataclass(frozen=True)
class Square:
    """A unit that needs no model."""

    n: int
    weights: None = None
    size: int = 1

    def computed(self, bench, tell):  # noqa: ARG002
        if self.n < 0:
            message = f"{self.n} is below zero"
            raise UsageError(message, fix="give another")
        return float(self.n**2)


@dataclass(frozen=True)
class OwnAnswer(Square):
    """A unit that is answered otherwise each time."""

    step: float = 1.0

    def computed(self, bench, tell):  # noqa: ARG002
        return self.step * (next(TIMES) ** 2 * 7_919 % 1_009)


class Counted(NoProgress):
    def __init__(self):
        self.done = 0

    def advance(self, units, numbers):
        del numbers
        self.done += units


@pytest.fixture
def model():
    return mixture({"left": -2.0, "middle": 0.0, "right": 2.0}, sd=0.3)


class TwoFeatures(NearestMean):
    """A judge whose features have a covariance."""

    def features(self, painted):
        x = painted.latents.flatten(1)
        return torch.cat([x, x.square()], 1)


def runner(model, crew=HERE, album=None):
    judge = TwoFeatures(model)
    return ProbeRunner(model, judge, album or NoAlbum(), SAMPLING, Diary(), crew=crew)


def run(backend, units, watch=None):
    crew = pool(backend)
    return crew, in_order(
        crew.computed(units, Workbench(backend.model), watch or NoProgress())
    )


def all_of(panel):
    new = {SHARE: torch.full((), 0.5)}
    plan = replace(asked_about(), kept=cells("right", 32))
    return (
        panel.looked(plan, new),
        panel.information(plan, new),
        panel.distance(plan, new, 32),
    )


@pytest.mark.parametrize("room", [1, 2, 3])
def test_any_number_of_workers_returns_what_this_process_does(model, room):
    crew = pool(Backend(model, room, seed=room))

    there = all_of(runner(model, crew))

    assert there == all_of(runner(model))


def test_calls_that_are_prepared_together_are_the_same_batches(model):
    new = {SHARE: torch.full((), 0.5)}
    backend = Backend(model, 2)
    ahead, after = runner(model, pool(backend), Table()), runner(model, album=Table())
    some, more = cells("left", 6), cells("left", 11)

    ahead.prepare([(some, new), (more, new), (some, None), (some, new)])
    n_units = sum(backend.n_computed.values())
    found = [ahead.judged(part, new, "judging") for part in (some, more)]

    assert found == [after.judged(part, new, "judging") for part in (some, more)]
    assert (
        sum(backend.n_computed.values()) == n_units == 6
    )  # of 4 + 2, 4 + 1, 4 + 2 cells


def test_a_worker_that_dies_is_replaced_and_nothing_changes(model):
    backend = Backend(model, 2, deaths=(2, 5, 9))
    crew = pool(backend)

    there = all_of(runner(model, crew))

    assert there == all_of(runner(model))
    assert crew.deaths == 3
    assert len(backend.started) == 5


def test_each_of_a_thousand_units_comes_back_once_though_a_worker_dies_each_hundred(
    model,
):
    backend = Backend(model, 2, deaths=range(100, 1_200, 100))
    watch = Counted()

    crew, found = run(backend, [Square(n) for n in range(1_000)], watch)

    assert found == [float(n**2) for n in range(1_000)]
    assert watch.done == 1_000
    twice = sum(n == 2 for n in backend.n_computed.values())
    assert max(backend.n_computed.values()) == 2
    assert 1 <= twice <= 30  # a fixed hundredth, for comparison
    assert crew.deaths == 10


def test_the_fixed_hundredth_is_computed_by_two_workers_which_must_agree(model):
    units = [OwnAnswer(n) for n in range(300)]

    with pytest.raises(WorkerError, match="disagree on a unit: 1 of 1 values differ"):
        run(Backend(model, 2), units)


def test_workers_of_two_kinds_may_differ_by_a_tolerance(model):
    near = Backend(model, 2, identities=(WANTED, other(kind="another")))
    far = Backend(model, 2, identities=(WANTED, other(kind="another")))

    _, found = run(near, [OwnAnswer(n, step=1e-9) for n in range(200)])

    assert len(found) == 200
    with pytest.raises(WorkerError, match="disagree on a unit: numbers differ by"):
        run(far, [OwnAnswer(n, step=1e9) for n in range(200)])


def test_one_worker_computes_nothing_twice(model):
    backend = Backend(model, 1)

    run(backend, [Square(n) for n in range(300)])

    assert set(backend.n_computed.values()) == {1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"package": "0.9"}, "its version of unlearnlog is 0.9, here 1.0"),
        (
            {"code": "d" * 64},
            "its code of unlearnlog is dddddddddddd, here cccccccccccc",
        ),
        ({"base": "e" * 64}, "its base model is eeeeeeeeeeee, here bbbbbbbbbbbb"),
        ({"threads": 2}, "its number of threads is 2, here 1"),
    ],
)
def test_a_worker_that_differs_is_refused_by_name_and_the_others_go_on(
    model, changes, why
):
    backend = Backend(model, 2, identities=(other(**changes),))

    crew, found = run(backend, [Square(n) for n in range(5)])

    assert crew.refused == {"worker 0": why}
    assert backend.stopped == ["worker 0"]
    assert len(found) == 5
    assert "1 workers refused" in crew.provenance()[COMPUTED_BY]


def test_where_every_worker_is_refused_the_error_names_each(model):
    missing = UsageError("there is no model in '/data/sd'", fix="put one there")
    backend = Backend(model, 2, identities=(other(package="0.9"), missing))

    with pytest.raises(WorkerError) as caught:
        run(backend, [Square(n) for n in range(5)])

    assert "its version of unlearnlog is 0.9" in caught.value.message
    assert "there is no model in '/data/sd'" in caught.value.message
    assert not backend.is_open


def test_a_worker_with_another_judge_is_refused(model):
    class Moody(NearestMean):
        def __init__(self, model):
            super().__init__(model)
            self.names = iter(["mine", *(f"another {i}" for i in range(9))])

        def __getattribute__(self, name):
            own = super().__getattribute__
            return next(own("names")) if name == "identity" else own(name)

    crew = pool(Backend(model, 1))
    bench = Workbench(model, Moody(model))

    with pytest.raises(WorkerError, match=r"its judge is another \d+, here mine"):
        in_order(crew.computed([Square(2)], bench, NoProgress()))


def test_an_error_of_a_unit_is_the_users_and_ends_the_workers(model):
    backend = Backend(model, 2)

    with pytest.raises(UsageError, match="-3 is below zero"):
        run(backend, [Square(1), Square(-3), Square(2)])

    assert not backend.is_open


def test_ctrl_c_ends_the_workers_and_keeps_the_answers_that_came(model):
    album = Table()

    class Stopped(Backend):
        def wait(self, tickets, seconds):
            if len(album.kept) >= 8:
                raise KeyboardInterrupt
            return super().wait(tickets, seconds)

    backend = Stopped(model, 2)
    panel = runner(model, pool(backend), album)
    weights = model.base
    with pytest.raises(KeyboardInterrupt):
        panel.judged(cells("left", 40), weights, "judging")

    assert not backend.is_open
    assert len(album.kept) >= 8


def test_a_unit_that_ends_one_worker_after_another_ends_the_run(model):
    backend = Backend(model, 1, deaths=range(1, 10))

    with pytest.raises(WorkerError, match="3 workers died in turn with unit"):
        run(backend, [Square(1)])

    assert len(backend.started) == pool_run.MOST_LOST


def test_a_state_is_sent_once_for_all_and_once_to_each(model):
    backend = Backend(model, 2)
    panel = runner(model, pool(backend))
    one, two = {SHARE: torch.full((), 0.5)}, {SHARE: torch.full((), 0.2)}

    for weights in (one, two, one):
        panel.judged(cells("left", 16), weights, "judging")

    assert backend.n_shared == 3  # two states and the judge


def test_a_model_that_no_worker_holds_computes_here(model):
    backend, twin = Backend(model, 2), mixture({"left": 1.0, "right": 3.0})
    panel = replace(runner(model, pool(backend)), model=twin, judge=NearestMean(twin))

    panel.judged(cells("left", 16), None, "judging")

    assert not backend.started


def test_what_computed_is_recorded_by_kind(model):
    crew, _ = run(Backend(model, 1), [Square(n) for n in range(7)])

    assert crew.provenance() == {COMPUTED_BY: "fake, units: 7 on plain"}
    assert HERE.provenance() == {}
