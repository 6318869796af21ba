from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch

from tests.erasers.test_uce import asked, of_prompts
from tests.looking_back import (
    KEPT,
    KEYS,
    LENGTH,
    VALUES,
    LookingBack,
    prompts_of,
    request_of,
)
from unlearnlog.core.delta import Delta
from unlearnlog.erasers.closed_form import (
    Change,
    ClosedForm,
    Factors,
    Problem,
    _patch,
    said_nothing,
    solved,
)
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.uce import Uce
from unlearnlog.errors import ConceptError, PolicyError, TrainingError
from unlearnlog.models.interface import Text

CLOSED = [each for each in ERASERS.values() if issubclass(each, ClosedForm)]


@dataclass(frozen=True)
class Given(ClosedForm):
    """Yields what a test gives it."""

    name: ClassVar[str] = "given"
    change: ClassVar[Change | None] = None

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        for name in problem.old:
            assert self.change is not None
            yield name, self.change


@dataclass
class Noted:
    stages: list[tuple[str, int]]
    advanced: int = 0

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total))

    def advance(self, n: int, figures: Any) -> None:
        assert isinstance(figures, dict)
        self.advanced += n


def test_the_problem_is_stated_in_float64():
    request = asked()

    problem = of_prompts().problem(request)

    nothing = request.model.encode([""]).tokens[0].double()
    assert torch.equal(problem.start, nothing[0])
    assert torch.equal(problem.padding, nothing[1:])
    assert problem.padding.shape == (LENGTH - 1, problem.d_text)
    assert torch.equal(problem.one, torch.eye(64).double())
    tensors = (*problem.old.values(), problem.pairs.erased, problem.pairs.goal)
    kept = problem.kept
    assert {t.dtype for t in (*tensors, kept.rows, kept.weights)} == {torch.float64}


@pytest.mark.parametrize(
    ("touch", "names"),
    [("keys and values", {KEYS, VALUES}), ("keys", {KEYS}), ("values", {VALUES})],
)
def test_only_the_projections_that_may_change_do(touch, names):
    assert of_prompts(touch=touch).erase(asked()).patches.keys() == names


def test_neither_the_model_nor_the_old_weights_change():
    request = asked()
    copies = {name: tensor.clone() for name, tensor in request.old.items()}

    of_prompts().erase(request)

    assert all(torch.equal(request.old[name], copies[name]) for name in copies)


def test_it_starts_from_the_weights_that_it_is_given():
    request = asked()
    moved = {name: 2 * tensor for name, tensor in request.old.items()}

    one, two = (of_prompts().erase(r) for r in (request, replace(request, old=moved)))

    twice = 2 * one.patches[VALUES].dense()
    assert torch.allclose(two.patches[VALUES].dense(), twice, rtol=1e-4, atol=1e-5)


def test_who_watches_sees_each_projection_solved():
    watch: Any = Noted([])

    of_prompts().erase(replace(asked(), watch=watch))

    assert watch.stages == [("solving", 2)]
    assert watch.advanced == 2


def test_there_is_no_picture_to_paint_and_one_step():
    work = of_prompts().work(100)
    assert (work.pictures, work.steps) == (0, 1)
    assert of_prompts().rehearsal() == (of_prompts(), work)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_problem_has_the_same_delta(seed):
    deltas = [of_prompts().erase(replace(asked(), seed=seed)) for _ in range(2)]

    assert deltas[0].digest == deltas[1].digest == of_prompts().erase(asked()).digest


def test_a_change_is_kept_as_factors_only_where_they_are_fewer_numbers():
    left, right = torch.ones(8, 4).double(), torch.ones(4, 16).double()

    few = _patch("x", Factors(left, right))
    many = _patch("x", Factors(left.repeat(1, 2), right.repeat(2, 1)))
    dense = _patch("x", Factors(left, right).dense())

    assert (few.kind, many.kind, dense.kind) == ("low-rank", "full", "full")
    assert torch.equal(few.dense(), dense.dense())
    assert torch.equal(many.dense(), 2 * dense.dense())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("factors", [True, False])
def test_a_solution_that_is_not_finite_is_an_error_that_names_the_layer(bad, factors):
    given = torch.ones(8, 64).double()
    given[3, 5] = bad
    change = Factors(given, torch.eye(64).double()) if factors else given

    class Bad(Given):
        pass

    Bad.change = change
    with pytest.raises(TrainingError, match=r"to_[kv]\.weight is not finite") as caught:
        Bad().erase(asked())
    assert "ridge" in caught.value.fix


@pytest.mark.parametrize("eraser", CLOSED, ids=lambda e: e.name)
def test_weights_that_are_no_numbers_are_an_error(eraser):
    request = asked()
    old = {name: tensor.clone() for name, tensor in request.old.items()}
    for tensor in old.values():
        tensor[0, 0] = float("nan")

    with pytest.raises(TrainingError, match=r"to_[kv]\.weight are not finite"):
        eraser().erase(replace(request, old=old))


class Dumb(LookingBack):
    """Its text encoder gives no numbers."""

    def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
        return Text(super().encode(prompts).tokens * float("nan"))


@pytest.mark.parametrize("eraser", CLOSED, ids=lambda e: e.name)
def test_tokens_that_are_no_numbers_are_an_error(eraser):
    with pytest.raises(ConceptError, match="'Picasso' tokens that are not finite"):
        eraser().erase(replace(asked(), model=Dumb()))


@pytest.mark.parametrize("eraser", CLOSED, ids=lambda e: e.name)
def test_kept_tokens_that_are_no_numbers_are_an_error(eraser):
    class Half(LookingBack):
        def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
            bad = KEPT[0] in prompts
            return Text(super().encode(prompts).tokens * (float("nan") if bad else 1))

    groups = [(prompts_of("Picasso", ["house"])[2],)]
    request = request_of(Half(), *groups, keep=KEPT, others=KEPT[:1])
    with pytest.raises(ConceptError, match="kept prompt 'a cat' tokens that are not"):
        eraser().erase(request)


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_system_is_solved_as_by_its_inverse(size):
    rng = torch.Generator().manual_seed(size)
    root = torch.randn(size, size, generator=rng).double()
    system = root @ root.T + torch.eye(size).double()
    right = torch.randn(5, size, generator=rng).double()

    found = solved(system, right, "x")

    assert torch.allclose(found, right @ torch.linalg.inv(system), rtol=1e-10)


@pytest.mark.parametrize(
    "system",
    [
        torch.zeros(3, 3),
        torch.diag(torch.tensor([1.0, 1.0, 0.0])),
        torch.diag(torch.tensor([1.0, 1.0, -1.0])),
        torch.ones(3, 3),
        torch.diag(torch.tensor([1.0, 1.0, 1e-17])),
    ],
    ids=["nothing", "a hole", "negative", "rank one", "below float64"],
)
def test_a_singular_system_is_an_error_that_says_whose(system):
    with pytest.raises(TrainingError, match="equations of given are singular") as error:
        solved(system.double(), torch.ones(1, 3).double(), "given")

    assert "ridge" in error.value.fix


def test_a_system_that_is_not_finite_is_an_error():
    with pytest.raises(TrainingError, match="not finite"):
        solved(torch.full((2, 2), float("nan")).double(), torch.ones(1, 2), "given")


@pytest.mark.parametrize("n_prompts", [1, 0])
@pytest.mark.parametrize("ridge", [1e-300, 1e-18, 1e-14])
def test_without_kept_prompts_a_ridge_that_vanishes_is_singular(ridge, n_prompts):
    eraser = of_prompts(ridge=ridge, n_prompts=n_prompts)

    with pytest.raises(TrainingError, match="equations of uce are singular"):
        eraser.erase(asked(keep=()))


def test_without_kept_prompts_a_small_ridge_will_do():
    assert isinstance(of_prompts(ridge=1e-6).erase(asked(keep=())), Delta)


@pytest.mark.parametrize("eraser", CLOSED, ids=lambda e: e.name)
@pytest.mark.parametrize(
    ("setting", "value"),
    [("target", "nowhere"), ("span", "first"), ("touch", "queries"), ("n_prompts", -1)],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(eraser, setting, value):
    with pytest.raises(PolicyError, match=str(value)):
        eraser.of({setting: value})


@pytest.mark.parametrize("eraser", CLOSED, ids=lambda e: e.name)
def test_its_knob_is_a_setting_above_zero(eraser):
    value = getattr(eraser(), eraser.knob)
    assert isinstance(value, float)
    assert value > 0
    with pytest.raises(PolicyError, match=f"{eraser.knob} is 0"):
        eraser.of({eraser.knob: 0.0})


@pytest.mark.parametrize("setting", ["ridge", "erase_scale", "keep_scale"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_no_weight_is_zero(setting, value):
    with pytest.raises(PolicyError, match=f"uce's {setting} is {value}"):
        Uce.of({setting: value})


def test_where_the_empty_prompt_is_zeros_the_marks_are_those_of_a_word():
    class Zeros(LookingBack):
        def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
            tokens = super().encode(prompts).tokens.clone()
            for row, prompt in enumerate(prompts):
                tokens[row] *= bool(prompt)
            return Text(tokens)

    word = LookingBack().encode(["a"]).tokens[0].double()

    nothing = said_nothing(replace(asked(), model=Zeros()))
    assert torch.equal(nothing, torch.cat([word[:1], word[2:]]))
    usual = LookingBack().encode([""]).tokens[0].double()
    assert torch.equal(said_nothing(asked()), usual)
