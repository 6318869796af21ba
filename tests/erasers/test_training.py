import pytest
import torch

from tests.erasers.slowly import assert_same, request_of
from tests.fakes import NAME
from unlearnlog.erasers.trainable_change import FullChange
from unlearnlog.erasers.training import (
    BatchShare,
    MicroBatches,
    TrainingPlan,
    train,
    whole,
)
from unlearnlog.errors import TrainingError


class Ticks:
    """Whoever watches, in memory."""

    def __init__(self):
        self.said = []

    def stage(self, name, total):
        self.said.append((name, total))

    def advance(self, units, numbers):
        self.said.append((units, numbers))


def pull(new):
    """Return a loss with its least at 1."""
    return ((new[NAME] - 1).pow(2).mean(),)


def trained(plan, losses=pull, **more) -> torch.Tensor:
    request = request_of(**({"watch": more.pop("watch")} if "watch" in more else {}))
    change = FullChange.of(request)
    train(request, change, losses, plan, **more)
    return change.values[NAME].detach().double()


def adamw_by_hand(steps, rate, *, factors=None, decay=0.0):
    """Train as `pull` asks, in float64; return the value after each step."""
    old = request_of().old[NAME].double()
    value, first, second = torch.zeros(3, 8, 6).double()
    found = []
    for i in range(1, steps + 1):
        now = rate * (factors[i - 1] if factors else 1)
        gradient = 2 * (old + value - 1) / 48
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        value = value - now * decay * value
        step = (first / (1 - 0.9**i)) / ((second / (1 - 0.999**i)).sqrt() + 1e-8)
        value = value - now * step
        found.append(value)
    return found


def test_the_loop_is_adamw_written_the_slow_way():
    expected = adamw_by_hand(6, 0.01)[-1]

    assert_same(trained(TrainingPlan(6, 0.01)), expected)


def test_decay_pulls_the_change_to_nothing_at_each_step():
    expected = adamw_by_hand(6, 0.01, decay=3.0)[-1]

    assert_same(trained(TrainingPlan(6, 0.01, decay=3.0)), expected)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_result_is_the_moving_average_written_out(share):
    mean = torch.zeros(8, 6).double()
    for value in adamw_by_hand(6, 0.01):
        mean = share * mean + (1 - share) * value

    assert_same(trained(TrainingPlan(6, 0.01, average=share)), mean)


def test_a_look_sets_the_rate_of_the_step_that_follows():
    factors = [1.0, 0.5, 2.0, 0.25]
    expected = adamw_by_hand(4, 0.01, factors=factors)[-1]

    found = trained(TrainingPlan(4, 0.01), look=lambda step, _: factors[step])

    assert_same(found, expected)


def test_a_look_sees_the_weights_before_each_step_and_zero_stops():
    seen, watch = [], Ticks()

    def look(step, new):
        seen.append(new[NAME].double())
        assert not new[NAME].requires_grad
        return float(step < 3)

    found = trained(TrainingPlan(9, 0.01), look=look, watch=watch)

    old = request_of().old[NAME].double()
    assert len(seen) == 4
    assert torch.equal(seen[0], old)
    assert_same(seen[3], old + adamw_by_hand(3, 0.01)[-1])
    assert_same(found, adamw_by_hand(3, 0.01)[-1])
    assert len(watch.said) == 1 + 3


def test_what_the_gate_puts_to_zero_never_moves():
    mask = torch.arange(48).reshape(8, 6) % 3 == 0

    def gate(_, gradients):
        gradients[NAME][mask] = 0

    found = trained(TrainingPlan(8, 0.01), gate=gate)

    free = trained(TrainingPlan(8, 0.01))
    assert not found[mask].any()
    assert torch.equal(found[~mask], free[~mask])


def test_the_gate_is_told_which_step_it_is():
    steps = []

    trained(TrainingPlan(3, 0.01), gate=lambda step, _: steps.append(step))

    assert steps == [0, 1, 2]


def test_mix_is_given_one_gradient_a_loss():
    given = []

    def losses(new):
        return new[NAME].sum(), 3 * new[NAME].sum(), new[NAME].pow(2).sum() / 2

    def mix(found):
        gradients = [each for _, each in found]
        given.append(gradients)
        return {NAME: gradients[1][NAME] - 3 * gradients[0][NAME]}

    found = trained(TrainingPlan(1, 0.01), losses, mix=mix)

    one, three, square = (each[NAME] for each in given[0])
    assert torch.equal(one, torch.ones(8, 6))
    assert torch.equal(three, 3 * torch.ones(8, 6))
    assert torch.equal(square, request_of().old[NAME].float())
    assert not found.any()


def test_without_a_mix_only_the_first_loss_is_trained():
    found = trained(
        TrainingPlan(2, 0.01), lambda new: (*pull(new), 9 * new[NAME].sum())
    )

    assert torch.equal(found, trained(TrainingPlan(2, 0.01)))


def test_a_parameter_that_no_loss_speaks_of_has_a_gradient_of_zero():
    one, two = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)

    parameters = {"one": one, "two": two}
    ((value, found),) = whole(lambda new: (new["one"].sum(),)).computed(
        lambda: parameters, parameters
    )

    assert value == 2.0
    assert torch.equal(found["two"], torch.zeros(3))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_an_error_and_that_step_changes_nothing(wrong):
    request = request_of()
    copy, change, steps = request.old[NAME].clone(), FullChange.of(request), []

    def losses(new):
        steps.append(change.values[NAME].detach().clone())
        return (pull(new)[0] * (wrong if len(steps) == 3 else 1),)

    with pytest.raises(TrainingError, match=r"(nan|inf) after 2 steps") as caught:
        train(request, change, losses, TrainingPlan(9, 0.01))

    assert "now 0.01" in caught.value.fix
    assert torch.equal(change.values[NAME], steps[-1])
    assert torch.equal(request.old[NAME], copy)
    assert torch.equal(request.model.base[NAME], copy)


def test_a_second_loss_that_is_no_number_is_an_error_too():
    with pytest.raises(TrainingError, match="nan after 0 steps"):
        trained(
            TrainingPlan(2, 0.01), lambda new: (*pull(new), new[NAME].sum() * torch.nan)
        )


def test_whoever_watches_is_told_the_loss_of_each_step():
    watch = Ticks()

    trained(TrainingPlan(2, 0.01), watch=watch)

    assert watch.said[0] == ("erasing", 2)
    assert [units for units, _ in watch.said[1:]] == [1, 1]
    assert watch.said[1][1]["loss"] > watch.said[2][1]["loss"] > 0


def test_parts_of_a_batch_make_the_whole():
    parts = [list(range(12))[BatchShare(i, 3).rows(12)] for i in range(3)]

    assert parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert BatchShare().rows(5) == slice(0, 5)


def test_each_part_draws_the_same_batch_and_the_next_step_draws_another():
    rng, drawn = torch.Generator().manual_seed(1), []

    def losses(part):
        def of_part(new):
            drawn.append((part.part, float(torch.rand(1, generator=rng))))
            return ((part.part + 1) * new[NAME].sum(),)

        return of_part

    found = trained(TrainingPlan(2, 0.01), MicroBatches(losses, 2, rng))

    assert [part for part, _ in drawn] == [0, 1, 0, 1]
    assert drawn[0][1] == drawn[1][1] != drawn[2][1] == drawn[3][1]
    assert found.any()


def test_the_gradient_is_the_mean_of_the_parts():
    one = torch.ones(2, requires_grad=True)

    ((value, found),) = MicroBatches(
        lambda part: lambda new: ((part.part + 1.0) * new["one"].sum(),), 4
    ).computed(lambda: {"one": one}, {"one": one})

    assert value == 5.0
    assert torch.equal(found["one"], torch.full((2,), 2.5))
