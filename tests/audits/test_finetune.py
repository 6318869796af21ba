import math
from itertools import islice

import pytest
import torch

from tests.audits.learning import Drawer, Teachable, lesson
from tests.fakes import NAME
from tests.tiny import build_pipeline
from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.audits.finetune_training import (
    EncodedDataset,
    FinetuneSettings,
    Start,
    fine_tuned,
    source_of,
)
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.work_cache import NoTensorCache
from unlearnlog.errors import TrainingError, UsageError
from unlearnlog.models.diffusers_model import DiffusersModel


@pytest.fixture
def model():
    return Teachable()


def run(model, training, shelf=None, learned=None):
    return fine_tuned(
        Start(model, model.base, "state"),
        learned or lesson(),
        training=training,
        shelf=shelf or NoTensorCache(),
        watch=NoProgress(),
    )


def by_hand(model, training, steps):
    """Return W after some steps, every one written out in float64."""
    learned = lesson()
    material = EncodedDataset.of(
        model, model.latents_of(learned.pictures), learned.captions
    )
    matrix = model.base[NAME].double()
    first, second = torch.zeros_like(matrix), torch.zeros_like(matrix)
    for step in range(steps):
        source = source_of(training.seed, step)
        batch = material.batch(source, n=training.batch, dropout=training.dropout)
        mean = batch.text.tokens.double().mean(1)
        share = (1 - batch.t.double() / model.n_steps_trained).reshape(-1, 1)
        x_t = model.noised(batch.latents, batch.noise, batch.t).double().flatten(1)
        wrong = share * x_t + mean @ matrix.T - batch.noise.double().flatten(1)
        gradient = 2 * wrong.T @ mean / wrong.numel()
        gradient = gradient * min(1.0, training.clip / (float(gradient.norm()) + 1e-6))
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        matrix = matrix * (1 - training.step_size * training.decay)
        up, down = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        matrix = matrix - training.step_size * up / (down.sqrt() + 1e-8)
    return matrix


@pytest.mark.parametrize("clip", [1.0, 0.05])
def test_steps_are_those_of_adamw_on_clipped_gradients(model, clip):
    training = FinetuneSettings(steps=12, rate=0.02, batch=4, clip=clip)

    *_, last = run(model, training)

    wanted = by_hand(model, training, 12)
    torch.testing.assert_close(last.weights[NAME], wanted, rtol=1e-6, atol=1e-9)


def test_the_weights_are_handed_out_at_the_steps_that_are_looked_at(model):
    training = FinetuneSettings(steps=60, rate=0.01)

    stages = list(run(model, training))

    assert [stage.step for stage in stages] == [0, 10, 25, 50, 60]
    assert [stage.is_end for stage in stages] == [True, False, False, False, True]
    assert stages[0].weights == {}
    assert stages[0].loss is None
    assert all(stage.loss > 0 for stage in stages[1:])
    assert not torch.equal(stages[1].weights[NAME], stages[2].weights[NAME])


def test_a_fine_tune_that_was_stopped_goes_on_to_the_same_bits(model):
    training, shelf = FinetuneSettings(steps=30, rate=0.01), Drawer()
    *_, whole = run(model, training)
    assert len(list(islice(run(model, training, shelf), 3))) == 3  # stopped at step 25
    encoded = model.n_encoded

    stages = list(run(model, training, shelf))

    assert torch.equal(stages[-1].weights[NAME], whole.weights[NAME])
    assert [stage.loss is None for stage in stages] == [True, True, True, False]
    assert model.n_encoded == encoded + 6


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_unet_that_was_stopped_goes_on_to_the_same_bits(tmp_path, method):
    painter = DiffusersModel.load(build_pipeline(tmp_path / "pipeline"))
    size = (4, *painter.picture_shape)
    pictures = torch.arange(math.prod(size), dtype=torch.uint8).reshape(size)
    drawn = FinetuneDataset("drawn", pictures, ("a cat", "a dog", "a tree", "a boat"))
    training = FinetuneSettings(method, steps=4, rate=0.01, batch=2, looking=(2,))
    shelf = Drawer()
    *_, whole = run(painter, training, learned=drawn)
    assert len(list(islice(run(painter, training, shelf, drawn), 2))) == 2  # stopped

    *_, last = run(painter, training, shelf, drawn)

    assert last.weights.keys() == whole.weights.keys()
    for name, tensor in last.weights.items():
        assert torch.equal(tensor, whole.weights[name]), name
        assert tensor.is_contiguous(), name


def test_what_would_fill_a_disk_is_not_kept(model, monkeypatch):
    monkeypatch.setattr("unlearnlog.audits.finetune_training._ROOM", 100)
    shelf = Drawer()

    list(run(model, FinetuneSettings(steps=10, rate=0.01), shelf))

    assert shelf.held == {}


def test_what_is_finished_is_not_trained_again(model):
    training, shelf = FinetuneSettings(steps=12, rate=0.01), Drawer()
    first = list(run(model, training, shelf))
    encoded = model.n_encoded

    again = list(run(model, training, shelf))

    assert model.n_encoded == encoded
    assert torch.equal(first[-1].weights[NAME], again[-1].weights[NAME])


def test_a_longer_fine_tune_goes_on_from_a_shorter_one(model):
    shelf = Drawer()
    list(run(model, FinetuneSettings(steps=10, rate=0.01), shelf))

    stages = list(run(model, FinetuneSettings(steps=25, rate=0.01), shelf))

    *_, whole = run(model, FinetuneSettings(steps=25, rate=0.01))
    assert [stage.loss is None for stage in stages] == [True, True, False]
    assert torch.equal(stages[-1].weights[NAME], whole.weights[NAME])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"rate": 0.02},
        {"batch": 4},
        {"dropout": 0.5},
        {"method": "attention"},
    ],
)
def test_what_another_fine_tune_left_on_the_shelf_is_not_taken(model, other):
    shelf = Drawer()
    list(run(model, FinetuneSettings(steps=10, rate=0.01), shelf))
    changed = FinetuneSettings(**{"steps": 10, "rate": 0.01, **other})

    stages = list(run(model, changed, shelf))

    assert stages[-1].loss is not None


def test_another_lesson_is_another_fine_tune(model):
    shelf = Drawer()
    list(run(model, FinetuneSettings(steps=10, rate=0.01), shelf))

    stages = list(run(model, FinetuneSettings(steps=10, rate=0.01), shelf, lesson(7)))

    assert stages[-1].loss is not None


def test_one_caption_in_ten_is_left_empty_and_every_level_is_as_likely(model):
    material = EncodedDataset.of(model, torch.zeros(3, 2, 2, 2), ("a", "b", "c"))
    empty = model.encode([""]).tokens[0]

    batch = material.batch(source_of(0, 0), n=20_000, dropout=0.1)

    is_empty = (batch.text.tokens == empty).all((1, 2)).double().mean()
    assert abs(float(is_empty) - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 20_000)
    counts = torch.bincount(batch.t, minlength=100).double()
    assert abs(float(((counts - 200) ** 2 / 200).sum()) - 99) < 5 * math.sqrt(2 * 99)


def test_a_picture_keeps_its_own_caption(model):
    latents = torch.arange(3.0).reshape(3, 1, 1, 1).expand(3, 2, 2, 2)
    material = EncodedDataset.of(model, latents, ("c", "a", "b"))
    said = model.encode(["c", "a", "b"]).tokens

    batch = material.batch(source_of(0, 0), n=50, dropout=0.0)

    numbers = batch.latents[:, 0, 0, 0].long()
    assert torch.equal(batch.text.tokens, said[numbers])
    assert set(numbers.tolist()) == {0, 1, 2}


def test_a_loss_that_is_not_finite_ends_it_with_a_lesson(model):
    broken = {NAME: torch.full_like(model.base[NAME], float("inf"))}
    stages = fine_tuned(
        Start(model, broken, "broken"),
        lesson(),
        training=FinetuneSettings(steps=3),
        shelf=NoTensorCache(),
        watch=NoProgress(),
    )

    with pytest.raises(TrainingError, match="after 0 steps"):
        list(stages)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "half"},
        {"steps": 0},
        {"batch": 0},
        {"rate": -1.0},
        {"rate": math.nan},
        {"rate": math.inf},
    ],
)
def test_a_fine_tune_of_no_use_is_refused(settings):
    with pytest.raises(UsageError, match="no "):
        FinetuneSettings(**settings)


def test_the_model_is_never_changed(model):
    before = model.base[NAME].clone()

    list(run(model, FinetuneSettings(steps=10, rate=0.1)))

    assert torch.equal(model.base[NAME], before)
