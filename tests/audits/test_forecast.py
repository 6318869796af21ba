import pytest
import torch

from tests.audits.learning import Teachable, lesson
from tests.fakes import NAME
from unlearnlog.audits.finetune_training import (
    EncodedDataset,
    FinetuneSettings,
    Start,
    source_of,
)
from unlearnlog.audits.return_coefficient import share_of_the_way
from unlearnlog.audits.return_forecast import N_BATCHES, forecasts, score

TRAINING = FinetuneSettings(steps=20, rate=0.01, batch=16)


@pytest.fixture
def model():
    return Teachable()


def material(model, caption, n=8):
    learned = lesson(n)
    return EncodedDataset.of(model, model.latents_of(learned.pictures), (caption,) * n)


def test_learning_the_concept_itself_is_aligned_with_it(model):
    own = material(model, "a cat by Picasso")

    (said,) = forecasts(
        Start(model, model.base, ""), own, {"Picasso": own}, training=TRAINING
    )

    assert said.alignment > 0.8
    assert said.n == 128


def test_learning_the_opposite_of_it_is_not(model):
    """Whatever the text adds to the noise, the negated text adds the opposite of."""
    own = material(model, "a cat by Picasso")
    negated = EncodedDataset(
        own.latents, type(own.text)(-own.text.tokens), own.rows, own.n_levels
    )
    zero = {NAME: torch.zeros_like(model.base[NAME])}

    same = forecasts(Start(model, zero, ""), own, {"x": own}, training=TRAINING)[0]
    opposite = forecasts(
        Start(model, zero, ""), negated, {"x": own}, training=TRAINING
    )[0]

    assert opposite.alignment < 0 < same.alignment


def test_rho_is_the_share_of_the_way_back_to_the_base():
    base, erased = {"a": torch.tensor([2.0, 0.0])}, {"a": torch.tensor([0.0, 0.0])}

    found = [
        share_of_the_way({"a": torch.tensor(now)}, erased, base)
        for now in ([0.0, 0.0], [2.0, 0.0], [1.0, 5.0], [-1.0, 0.0])
    ]

    assert found == [0.0, 1.0, 0.5, -0.5]
    assert share_of_the_way({}, erased, base) == 0.0
    assert share_of_the_way({}, base, base) is None


def test_rho_is_forecast_by_as_many_first_steps_as_are_planned(model):
    """The first step of AdamW moves every number by the rate, against its gradient."""
    own = material(model, "a cat by Picasso")
    erased = {NAME: torch.zeros_like(model.base[NAME])}
    plain = FinetuneSettings(steps=20, rate=0.01, batch=16, decay=0.0)
    start = Start(model, erased, "")
    pupil, total = start.learner(plain), torch.zeros(())
    for i in range(N_BATCHES):
        source = source_of(plain.seed, f"forecast lesson {i}")
        total = total + own.batch(source, n=16, dropout=0.0).loss(pupil)
    (slope,) = torch.autograd.grad(total, [*pupil.parameters.values()])

    (said,) = forecasts(start, own, {"Picasso": own}, training=plain)

    way = model.base[NAME].double()
    wanted = 20 * 0.01 * float((-slope.sign() * way).sum() / way.square().sum())
    assert said.rho == pytest.approx(wanted, rel=1e-3)


def test_a_forecast_is_scored_by_ranks():
    found = score([0.1, 0.2, 0.3, 0.4, 0.5], [0.0, 0.1, 0.3, 0.2, 0.9])

    assert found is not None
    assert found.value == pytest.approx(0.9)
    assert found.n == 5


@pytest.mark.parametrize(
    ("said", "came"),
    [([0.1] * 3, [0, 1, 2]), ([0.1] * 5, range(5)), (range(5), [0] * 5)],
)
def test_what_has_no_ranks_has_no_score(said, came):
    assert score(said, list(came)) is None
