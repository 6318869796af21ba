"""Keys and values of prompts that several predictions read are computed once."""

import pytest
import torch

from unlearnlog.commands.session_opening import bundled_model
from unlearnlog.models import text_kv_cache
from unlearnlog.models.shared_text import SharedText

PROMPTS = ["a cat", "a dog", "a painting of a cat", ""]
ROWS = torch.tensor([2, 0, 0, 3, 1])


@pytest.fixture
def pictures():
    source = torch.Generator().manual_seed(0)
    x_t = torch.randn(len(ROWS), *bundled_model().latent_shape, generator=source)
    return x_t, torch.tensor([900, 500, 500, 20, 700])


@torch.no_grad()
def test_shared_prompts_change_no_bit_of_a_prediction(pictures):
    x_t, t = pictures
    model = bundled_model()
    other = {name: 1.01 * weight for name, weight in model.base.items()}
    plain = model.encode(PROMPTS)
    shared = SharedText.of(plain)

    for weights in (None, other, None):
        found, alone = (
            model.eps(x_t, t, text[ROWS], weights=weights) for text in (shared, plain)
        )

        assert torch.equal(found, alone)


@torch.no_grad()
def test_prompts_are_projected_once_for_each_set_of_weights(pictures, monkeypatch):
    x_t, t = pictures
    model, n_projected = bundled_model(), []
    own = text_kv_cache.ProjectedTexts.of

    def counted(layers, texts, weights):
        n_projected.append(len(texts))
        return own(layers, texts, weights)

    monkeypatch.setattr(text_kv_cache.ProjectedTexts, "of", staticmethod(counted))
    shared = SharedText.of(model.encode(PROMPTS))

    for weights in (None, model.base, None, model.base):
        model.eps(x_t, t, shared[ROWS], weights=weights)

    assert n_projected == [len(PROMPTS)] * 2


def test_a_gradient_reaches_shared_prompts(pictures):
    x_t, t = pictures
    model = bundled_model()
    text = model.encode(PROMPTS)
    tokens = text.tokens.clone().requires_grad_()

    shared = SharedText.of(type(text)(tokens, text.pooled))
    model.eps(x_t, t, shared[ROWS]).square().mean().backward()

    assert tokens.grad is not None
    assert tokens.grad.abs().sum() > 0


@torch.no_grad()
def test_prompts_with_too_many_numbers_are_not_kept(pictures, monkeypatch):
    x_t, t = pictures
    model = bundled_model()
    monkeypatch.setattr("unlearnlog.models.unet_backbone._MOST_PROJECTED", 10)
    shared = SharedText.of(model.encode(PROMPTS))

    found = model.eps(x_t, t, shared[ROWS])

    assert torch.equal(found, model.eps(x_t, t, model.encode(PROMPTS)[ROWS]))
    assert not shared._computed


@torch.no_grad()
def test_a_batch_is_shared_among_threads_of_a_cpu():
    model, n = bundled_model(), 40
    source = torch.Generator().manual_seed(0)
    x_t = torch.randn(n, *model.latent_shape, generator=source)
    text = SharedText.of(model.encode(PROMPTS))[torch.arange(n) % len(PROMPTS)]
    before = torch.get_num_threads()

    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(model.eps(x_t, torch.tensor(500), text))
    torch.set_num_threads(before)

    assert torch.allclose(found[0], found[1], atol=1e-4)
