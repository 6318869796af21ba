import torch

from unlearnlog.model.painting import generator


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
