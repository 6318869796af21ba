"""What the model says of its attention, against diffusers' own scores."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from tests.tiny import build_pipeline
from unlearnlog.models.diffusers_model import DiffusersModel

PROMPTS = ["a photo of a cat", "a painting of a dog by picasso"]


class Scores:
    """Attends as diffusers first did, and keeps every probability."""

    def __init__(self):
        self.found = {}

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        text = encoder_hidden_states
        text = hidden_states if text is None else text
        query, key, value = (
            attn.head_to_batch_dim(each)
            for each in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        shares = attn.get_attention_scores(query, key)  # [b * heads, n, length]
        if encoder_hidden_states is not None:
            self.found[attn] = shares.unflatten(0, (len(text), attn.heads))
        heard = attn.batch_to_head_dim(torch.bmm(shares, value))
        return attn.to_out[0](heard)


@pytest.fixture(scope="module", params=["1.5", "2.1", "xl"])
def folder(request, tmp_path_factory):
    at = tmp_path_factory.mktemp(request.param) / "pipeline"
    return build_pipeline(at, family=request.param)


@pytest.fixture(scope="module")
def model(folder):
    return DiffusersModel.load(folder)


def asked(model):
    t = torch.tensor([500, 20])
    x_t = torch.stack([model.latent("noise", seed) for seed in range(2)])
    marks = torch.zeros(2, 77, dtype=torch.bool)
    marks[0, [5, 6]] = marks[1, [2, 7, 8]] = True
    return x_t, t, model.encode(PROMPTS), marks


def other_weights(model):
    return {
        name: (3 * old.float()).requires_grad_() for name, old in model.base.items()
    }


def theirs(model, weights):
    """Marked probabilities of a second UNet, whose own weights these are."""
    unet = UNet2DConditionModel.from_pretrained(model.folder.path / "unet").float()
    for name, value in weights.items():
        unet.get_parameter(name.removeprefix("unet.")).data.copy_(value)
    scores = Scores()
    unet.set_attn_processor(scores)
    x_t, t, text, marks = asked(model)
    more = {}
    if text.pooled is not None:
        size = torch.tensor([[16, 16, 0, 0, 16, 16]] * 2)
        more["added_cond_kwargs"] = {"text_embeds": text.pooled, "time_ids": size}
    unet(x_t, t, encoder_hidden_states=text.tokens, **more)
    names = {module: f"unet.{name}" for name, module in unet.named_modules()}
    found = {}
    for layer, shares in scores.found.items():
        rows = [shares[i, :, :, j] for i, j in marks.nonzero().tolist()]
        found[names[layer]] = torch.stack(rows)
    return found, unet


def norm(found):
    return torch.cat([each.flatten() for each in found.values()]).norm()


def test_every_layer_s_attention_to_marked_tokens_is_diffusers_own(model):
    weights = other_weights(model)
    expected, _ = theirs(model, weights)

    found = model.attention(*asked(model), weights=weights)

    assert found.keys() == expected.keys()
    assert {f"{name}.to_k.weight" for name in found} < model.base.keys()
    for name, shares in found.items():
        assert shares.shape[0] == 5
        torch.testing.assert_close(shares, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("saving", [False, True])
def test_its_gradient_reaches_the_projections_also_where_memory_is_saved(
    folder, model, saving
):
    weights = other_weights(model)
    expected, unet = theirs(model, weights)
    norm(expected).backward()
    if saving:
        model = DiffusersModel.load(folder)
        while model.save_memory():
            pass

    norm(model.attention(*asked(model), weights=weights)).backward()

    # The last layer's values change nothing that any layer asks afterwards.
    silent = 0
    for name, weight in weights.items():
        slope = unet.get_parameter(name.removeprefix("unet.")).grad
        if weight.grad is None or not weight.grad.any():
            assert slope is None or not slope.any()
            silent += 1
            continue
        scale = float(slope.abs().max())
        torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=1e-4 * scale)
    assert silent == 1


def test_asking_leaves_no_trace(tiny):
    x_t, t, text, marks = asked(tiny)
    before = tiny.eps(x_t, t, text)

    tiny.attention(x_t, t, text, marks)

    assert torch.equal(tiny.eps(x_t, t, text), before)


def test_all_tokens_together_get_all_of_the_attention(tiny):
    x_t, t, text, marks = asked(tiny)

    found = tiny.attention(x_t, t, text, torch.ones_like(marks))

    for shares in found.values():
        whole = shares.unflatten(0, (2, 77)).sum(1)
        torch.testing.assert_close(whole, torch.ones_like(whole))
