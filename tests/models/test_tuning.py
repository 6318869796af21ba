"""A learner is a copy: what it learns comes out as weights, the model never changes."""

import pytest
import torch
from torch.nn.functional import mse_loss

from tests.tiny import build_pipeline
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import METHODS

PROMPTS = ["a photo of a cat", "a painting of a dog by picasso"]


def batch(model, n=2):
    """Latents, noise, timesteps and captions of a batch."""
    x0 = torch.stack([model.latent("x0", seed) for seed in range(n)])
    noise = torch.stack([model.latent("noise", seed) for seed in range(n)])
    return x0, noise, torch.tensor([100, 700])[:n], model.encode(PROMPTS[:n])


def learner(model, method, weights=None):
    source = torch.Generator().manual_seed(3)
    return model.learner(method, weights=weights, rank=2, generator=source)


def stepped(model, method, rate=1e-2):
    """A learner after two steps, and what it says of the batch."""
    pupil = learner(model, method)
    adam = torch.optim.AdamW(pupil.parameters.values(), lr=rate)
    for _ in range(2):
        adam.zero_grad()
        pupil.loss(*batch(model)).backward()
        adam.step()
    return pupil


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def loss_of(model, weights=None):
    x0, noise, t, text = batch(model)
    predicted = model.eps(model.noised(x0, noise, t), t, text, weights=weights)
    return float(mse_loss(predicted, noise))


@pytest.fixture(scope="module")
def velocity(tmp_path_factory):
    folder = tmp_path_factory.mktemp("velocity") / "pipeline"
    return DiffusersModel.load(build_pipeline(folder, prediction="v_prediction"))


def test_latents_are_the_mean_that_the_autoencoder_gives_scaled(tiny):
    source = torch.Generator().manual_seed(0)
    size = (3, *tiny.picture_shape)
    pictures = torch.randint(0, 256, size, generator=source, dtype=torch.uint8)
    vae = tiny._parts.vae

    found = tiny.latents_of(pictures)

    colours = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        wanted = vae.encode(colours).latent_dist.mean * vae.config.scaling_factor
    assert found.shape == (3, *tiny.latent_shape)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_are_not_encoded(tiny):
    with pytest.raises(ValueError, match="the model's"):
        tiny.latents_of(torch.zeros(1, 4, 4, 3, dtype=torch.uint8))


@pytest.mark.parametrize("method", METHODS)
def test_a_learner_begins_as_the_model_with_the_weights_it_is_given(
    tiny, changed, method
):
    own, other = learner(tiny, method), learner(tiny, method, changed)

    losses = [float(each.loss(*batch(tiny)).detach()) for each in (own, other)]

    assert losses == pytest.approx([loss_of(tiny), loss_of(tiny, changed)], rel=1e-5)
    name = next(iter(changed))
    assert torch.equal(other.weights()[name], changed[name].float())


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learned_comes_out_as_weights_that_predict_the_same(tiny, method):
    before = loss_of(tiny)

    pupil = stepped(tiny, method)

    learned = float(pupil.loss(*batch(tiny)).detach())
    assert learned < before
    assert loss_of(tiny, pupil.weights()) == pytest.approx(learned, rel=1e-4)
    assert loss_of(tiny) == before


def test_each_method_changes_what_its_name_says_and_nothing_else(tiny):
    own = {f"unet.{n}": p for n, p in tiny._parts.network.named_parameters()}
    found = {method: stepped(tiny, method).weights() for method in METHODS}

    moved = {
        method: {n for n, w in weights.items() if not torch.equal(w, own[n].float())}
        for method, weights in found.items()
    }

    attending = {n for n in own if ".attn1." in n or ".attn2." in n}
    assert found["full"].keys() == own.keys()
    assert found["attention"].keys() == attending
    assert moved["lora"] == {n for n in attending if n.endswith(".weight")}
    assert moved["attention"] <= attending
    assert moved["full"] - attending


@pytest.mark.parametrize("method", ["full", "attention"])
def test_a_learner_that_begins_anew_is_the_model_again_but_for_what_it_is_given(
    tiny, changed, method
):
    pupil = stepped(tiny, method)

    pupil.begin_with(changed)

    assert_same(pupil.weights(), learner(tiny, method, changed).weights())
    pupil.begin_with(None)
    assert_same(pupil.weights(), learner(tiny, method).weights())


def test_weights_that_are_not_copied_follow_what_is_learned(tiny):
    pupil = learner(tiny, "full")
    name = "unet.conv_out.bias"
    copied, same = pupil.weights()[name], pupil.weights(copied=False)[name]
    before = copied.clone()

    with torch.no_grad():
        pupil.parameters["conv_out.bias"].add_(1)

    assert not same.requires_grad
    assert torch.equal(copied, before)
    assert torch.equal(same, pupil.weights()[name])


def test_a_lora_has_no_more_than_its_rank(tiny):
    own = {f"unet.{n}": p for n, p in tiny._parts.network.named_parameters()}

    learned = stepped(tiny, "lora").weights()

    ranks = {
        int(torch.linalg.matrix_rank((w - own[n].float()).double(), rtol=1e-4))
        for n, w in learned.items()
    }
    assert ranks == {2}


def test_a_lora_begins_with_the_numbers_of_its_generator_and_leaves_the_global_one(
    tiny,
):
    state = torch.random.get_rng_state()

    one, two = learner(tiny, "lora"), learner(tiny, "lora")

    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(
        torch.equal(one.parameters[n], two.parameters[n]) for n in one.parameters
    )


def test_a_model_that_predicts_velocity_learns_velocity(velocity):
    x0, noise, t, text = batch(velocity)
    signal = torch.sigmoid(velocity.log_snr[t]).reshape(-1, 1, 1, 1)
    kept, lost = signal.sqrt(), (1 - signal).sqrt()
    x_t = velocity.noised(x0, noise, t)
    said = velocity.eps(x_t, t, text)  # kept v + lost x_t

    loss = learner(velocity, "full").loss(x0, noise, t, text)

    predicted = (said - lost * x_t) / kept
    wanted = mse_loss(predicted, kept * noise - lost * x0)
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.slow
def test_a_model_with_two_text_encoders_learns_as_well(tmp_path):
    model = DiffusersModel.load(build_pipeline(tmp_path / "xl", family="xl"))
    before = loss_of(model)

    pupil = stepped(model, "lora")

    assert loss_of(model, pupil.weights()) < before
