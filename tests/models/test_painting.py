import pytest
import torch

from unlearnlog.models.fastcpu.batch_threads import by_threads
from unlearnlog.models.interface import Sampling
from unlearnlog.models.sampling import generator

PROMPTS = ("a cat", "a dog", "a cat", "")


def drawn(prompt, seed, use):
    return torch.randn(4, generator=generator(prompt, seed, use=use))


def test_the_same_prompt_and_seed_draw_the_same_noise():
    assert torch.equal(drawn("a cat", 1, "latent"), drawn("a cat", 1, "latent"))


def test_prompt_seed_and_use_each_draw_other_noise():
    asked = [
        ("a cat", 1, "latent"),
        ("a cat", 2, "latent"),
        ("a cat", -1, "latent"),
        ("a dog", 1, "latent"),
        ("1:a cat", 1, "latent"),
        ("a cat", 1, "step"),
    ]

    heard = {tuple(drawn(*one).tolist()) for one in asked}

    assert len(heard) == len(asked)


def test_the_noise_does_not_depend_on_what_was_drawn_before():
    torch.manual_seed(7)
    first = drawn("a cat", 1, "latent")
    torch.rand(100)

    assert torch.equal(drawn("a cat", 1, "latent"), first)


@pytest.fixture
def shares_asked(monkeypatch):
    """Let a share be one picture, and note how many shares each batch is cut into."""
    asked: list[int] = []

    def noted(act, shares):
        asked.append(len(shares))
        return by_threads(act, shares)

    monkeypatch.setattr("unlearnlog.models.fastcpu.batch_threads.LEAST", 1)
    monkeypatch.setattr("unlearnlog.models.sampling.by_threads", noted)
    before = torch.get_num_threads()
    yield asked
    torch.set_num_threads(before)


def in_threads(model, n_threads, weights=None):
    told: list[int] = []
    torch.set_num_threads(n_threads)
    made = model.paint(
        PROMPTS,
        range(len(PROMPTS)),
        sampling=Sampling(2, 3.0, batch=3),
        weights=weights,
        progress=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == len(PROMPTS)
    return made


def test_a_batch_in_shares_is_painted_as_a_whole_one_is(tiny, shares_asked):
    whole, shared = (in_threads(tiny, n) for n in (1, 2))

    assert shares_asked == [1, 1, 2, 1]  # the second batch is one picture
    torch.testing.assert_close(shared.latents, whole.latents, rtol=1e-4, atol=1e-4)
    assert (shared.pictures.int() - whole.pictures.int()).abs().max() <= 1


def test_weights_that_are_put_into_a_network_are_computed_with_by_one_thread(
    tiny, shares_asked
):
    heard = {name: 2 * weight.float() for name, weight in tiny.base.items()}
    inner = {"unet.conv_in.bias": torch.ones(tiny_channels(tiny))}

    for weights in (heard, inner, heard | inner):
        in_threads(tiny, 2, weights)

    assert shares_asked == [2, 1, *[1, 1], *[1, 1]]


def tiny_channels(model):
    return model._parts.network.conv_in.bias.shape[0]
