from dataclasses import replace

import pytest
import torch

from tests.erasers.slowly import SMALL, SMALL_KEPT, request_of
from tests.fakes import NAME
from unlearnlog.core.progress import NoProgress
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.esd import Esd
from unlearnlog.erasers.forget_set import ForgetSet
from unlearnlog.erasers.gradient import GradientEraser, clipping
from unlearnlog.erasers.training import BatchShare
from unlearnlog.errors import PolicyError, TrainingError

TRAINED = [each for each in ERASERS.values() if issubclass(each, GradientEraser)]


def small(eraser: type[GradientEraser], **more) -> GradientEraser:
    settings = SMALL_KEPT if eraser.n_kept else SMALL
    return eraser(**{**settings, **more})


each_eraser = pytest.mark.parametrize("eraser", TRAINED, ids=lambda each: each.name)


@each_eraser
def test_the_same_seed_gives_the_same_delta_to_the_bit(eraser):
    one, two = (small(eraser).erase(request_of()) for _ in range(2))
    other = small(eraser).erase(request_of(seed=4))

    assert one.digest == two.digest != other.digest


@each_eraser
def test_erasing_changes_neither_the_model_nor_the_old_weights(eraser):
    request = request_of()
    copy = request.model.base[NAME].clone()

    delta = small(eraser, steps=2).erase(request)

    assert torch.equal(request.model.base[NAME], copy)
    assert delta.patches[NAME].dense().any()


@each_eraser
def test_it_paints_and_trains_as_much_as_it_said(eraser):
    class Count(NoProgress):
        painted, trained, now = 0, 0, ""

        def stage(self, name, total):  # noqa: ARG002
            self.now = name

        def advance(self, units, numbers):  # noqa: ARG002
            if self.now.startswith("painting"):
                self.painted += units
            else:
                self.trained += units

    one, work = small(eraser).rehearsal()
    for each, promised in ((small(eraser), small(eraser).work(1)), (one, work)):
        watch = Count()
        each.erase(request_of(watch=watch))
        assert (watch.painted, watch.trained) == (promised.pictures, promised.steps)


@each_eraser
def test_a_rate_that_blows_up_is_an_error_that_names_it(eraser):
    """After one step nobody has looked at the loss again: the change is too large."""
    for steps in (1, 9):
        with pytest.raises(TrainingError) as caught:
            small(eraser, rate=1e30, steps=steps).erase(request_of())

        assert "now 1e+30" in caught.value.fix


@each_eraser
def test_its_knob_is_a_number_above_zero(eraser):
    assert isinstance(getattr(eraser(), eraser.knob), float)
    assert getattr(eraser(), eraser.knob) > 0


@each_eraser
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target": "nowhere"}, "no target 'nowhere'"),
        ({"change": "some"}, "no change 'some'"),
        ({"steps": 0}, "steps is 0"),
        ({"rate": -1.0}, r"rate is -1\.0"),
        ({"strength": 0.0}, r"strength is 0\.0"),
        ({"n_pictures": ForgetSet.N_HELD}, "n_pictures is 16"),
        ({"n_kept": -1}, "n_kept is -1"),
        ({"fence": 0.0}, r"fence is 0\.0"),
        ({"batch": 2.5}, r"batch is 2\.5"),
        ({"project": 1}, "project is 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(eraser, settings, said):
    with pytest.raises(PolicyError, match=said):
        eraser.of(settings)


def test_what_is_on_or_off_is_said_in_a_policy():
    """Once no value of such a setting was good enough."""
    assert Esd.of({"project": True}).project
    assert not Esd.of({"project": False}).project


def test_strength_scales_what_is_trained():
    one = Esd(**SMALL).erase(request_of()).patches[NAME].dense()

    double = Esd(strength=2.0, **SMALL).erase(request_of()).patches[NAME].dense()

    torch.testing.assert_close(double, 2 * one, rtol=0, atol=1e-12)


def test_factors_give_a_change_of_their_rank():
    eraser = Esd(change="factors", rank=2, **SMALL)

    change = eraser.erase(request_of()).patches[NAME].dense()

    assert torch.linalg.matrix_rank(change) == 2


def test_parts_draw_the_same_batch_and_each_takes_its_rows():
    request = request_of()

    def forgotten(share: BatchShare):
        scene = replace(small(Esd).scene(request), share=share)
        return scene.forgotten(8)

    whole, text, target = forgotten(BatchShare())
    parts = [forgotten(BatchShare(i, 2)) for i in range(2)]

    for name in ("rows", "x_t", "t", "noise"):
        both = torch.cat([getattr(some, name) for some, _, _ in parts])
        assert torch.equal(both, getattr(whole, name))
    assert torch.equal(torch.cat([t.tokens for _, t, _ in parts]), text.tokens)
    assert torch.equal(torch.cat([t.tokens for *_, t in parts]), target.tokens)


def test_pictures_that_are_only_looked_at_are_never_learnt_from():
    request = request_of()
    scene = small(Esd).scene(request)

    rows = torch.cat([scene.forgotten(64)[0].rows for _ in range(4)])

    assert set(rows.tolist()) == set(range(24 - ForgetSet.N_HELD))


def clipped(gate, gradients):
    assert gate is not None
    gate(1, gradients)


def test_a_gradient_that_is_too_long_is_shortened_to_the_length_and_no_other():
    def gate(step, gradients):
        gradients["a"] += step

    gradients = {"a": torch.tensor([2.0, 0.0]), "b": torch.tensor([[4.0]])}
    clipped(clipping(gate, 2.5), gradients)
    torch.testing.assert_close(gradients["a"], torch.tensor([3.0, 1.0]) * 2.5 / 26**0.5)
    torch.testing.assert_close(gradients["b"], torch.tensor([[4.0]]) * 2.5 / 26**0.5)

    short = {"a": torch.tensor([0.3])}
    clipped(clipping(None, 2.5), short)
    assert short["a"].item() == pytest.approx(0.3)
    assert clipping(gate, 0.0) is gate


def test_a_gradient_of_nothing_stays_nothing():
    nothing = {"a": torch.zeros(2)}

    clipped(clipping(None, 1.0), nothing)

    assert not nothing["a"].any()


def test_clipping_changes_what_unequal_steps_come_to():
    free = Esd(**SMALL).erase(request_of())

    assert Esd(clip=1e-3, **SMALL).erase(request_of()).digest != free.digest
    assert Esd(clip=1e9, **SMALL).erase(request_of()).digest == free.digest
