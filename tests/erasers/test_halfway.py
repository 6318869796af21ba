"""Half-painted pictures, against the sampler written the slow way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.erasers.slowly import FORGET, SMALL, request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.erasers.esd import Esd
from unlearnlog.erasers.sdd import Sdd
from unlearnlog.erasers.training import BatchShare
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Text

SAMPLED = {**SMALL, "states": "sampled", "sampler_steps": 10}


def slowly(model, noise, prompt, *, levels, guidance, weights=None):
    """Paint one picture from the first level to the last, in float64."""
    text = model.encode([prompt, ""])
    x = noise.double()
    for t, following in pairwise(levels):
        level = torch.tensor([t])
        said, free = (
            model.eps(x.float(), level, text[[i]], weights=weights).double()
            for i in (0, 1)
        )
        eps = free + guidance * (said - free)
        signal, later = model.log_snr[[t, following]].double().sigmoid()
        clean = (x - (1 - signal).sqrt() * eps) / signal.sqrt()
        x = later.sqrt() * clean + (1 - later).sqrt() * eps
    return x


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_it_is_ddim_written_the_slow_way(guidance):
    """Ten steps of a model with 100 levels: 91, 81 and so on."""
    request = request_of()
    scene = Esd(**SAMPLED, sampler_guidance=guidance).halfway(request)
    noise = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(1))

    found = scene.after(3, noise, request.model.encode([FORGET[0].text]))

    expected = slowly(
        request.model,
        noise,
        FORGET[0].text,
        levels=[91, 81, 71, 61],
        guidance=guidance,
    )
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_no_step_leaves_the_noise_as_it_is():
    scene = Esd(**SAMPLED).halfway(request_of())
    noise = torch.randn(2, 2, 2, 2)

    found = scene.after(0, noise, scene.forget.text[[0, 0]])

    assert torch.equal(found, noise)


def test_a_batch_stops_at_one_random_step_at_the_level_that_it_has_reached():
    scene = Esd(**SAMPLED).halfway(request_of())

    drawn = [scene.forgotten(4)[0] for _ in range(30)]

    assert all(len(set(some.t.tolist())) == 1 for some in drawn)
    assert {int(some.t[0]) for some in drawn} <= set(range(1, 100, 10))
    assert len({int(some.t[0]) for some in drawn}) > 5
    some = drawn[-1]
    again = scene.after(
        (91 - int(some.t[0])) // 10, some.noise, scene.forget.text[some.rows]
    )
    assert torch.equal(some.x_t, again)


def test_sdd_takes_any_level_up_to_the_noisier_step():
    """Its program draws the level anew between two steps of the sampler."""
    scene = Sdd(**SAMPLED).scene(request_of())

    levels = torch.cat([scene.forgotten(8)[0].t for _ in range(40)])

    assert len(set((levels % 10).tolist())) == 10
    assert int(levels.max()) < 100


def test_nothing_is_painted_beforehand():
    eraser = Esd(**SAMPLED)

    assert eraser.work(1).pictures == eraser.rehearsal()[1].pictures == 0
    assert eraser.scene(request_of()).forget.latents.numel() == 0


def test_what_paints_is_the_base_and_for_sdd_the_average_of_what_is_trained():
    """After n steps the average is what EMA of all weights so far gives."""
    request = request_of()
    scene = Sdd(**SAMPLED, average=0.75).halfway(request)
    old = request.old[NAME].float()
    look, mean = Sdd(**SAMPLED, average=0.75).look(scene), old.clone()

    assert look is not None
    for step in range(3):
        new = old + step
        assert look(step, {NAME: new}) == 1.0
        mean = 0.75 * mean + 0.25 * new

    torch.testing.assert_close(scene.painter[NAME], mean)
    noise, text = torch.randn(1, 2, 2, 2), request.model.encode([FORGET[0].text])
    expected = slowly(
        LinearModel(),
        noise,
        FORGET[0].text,
        levels=[91, 81, 71],
        guidance=3.0,
        weights={NAME: mean},
    )
    torch.testing.assert_close(
        scene.after(2, noise, text).double(), expected, rtol=1e-4, atol=1e-4
    )


def test_parts_paint_their_own_rows_of_one_batch():
    request = request_of()

    def forgotten(share: BatchShare):
        return replace(Esd(**SAMPLED).scene(request), share=share).forgotten(8)

    whole, text, _ = forgotten(BatchShare())
    parts = [forgotten(BatchShare(i, 2)) for i in range(2)]

    for name in ("rows", "t", "noise"):
        both = torch.cat([getattr(some, name) for some, _, _ in parts])
        assert torch.equal(both, getattr(whole, name))
    x_t = torch.cat([some.x_t for some, _, _ in parts])
    torch.testing.assert_close(x_t, whole.x_t)
    assert torch.equal(torch.cat([t.tokens for _, t, _ in parts]), text.tokens)


def test_pooled_texts_are_put_side_by_side_with_the_empty_prompts():
    class Pooled(LinearModel):
        heard = Text(torch.empty(0))

        def encode(self, prompts, *, weights=None):
            tokens = super().encode(prompts, weights=weights).tokens
            return Text(tokens, tokens.mean(1))

        def eps(self, x_t, t, text, *, weights=None):
            self.heard = text
            return super().eps(x_t, t, text, weights=weights)

    model = Pooled()
    scene = Esd(**SAMPLED).halfway(request_of(model))

    scene.after(1, torch.randn(2, 2, 2, 2), scene.forget.text[[0, 1]])

    assert model.heard.pooled is not None
    assert torch.equal(model.heard.pooled, model.heard.tokens.mean(1))


@pytest.mark.parametrize("eraser", [Esd, Sdd])
def test_half_painted_pictures_erase_too(eraser):
    request = request_of()

    one = eraser(**SAMPLED).erase(request)

    assert one.patches[NAME].dense().any()
    assert one.digest == eraser(**SAMPLED).erase(request).digest
    assert one.digest != eraser(**SMALL).erase(request).digest


def test_more_steps_than_levels_are_refused_and_so_are_unknown_states():
    with pytest.raises(PolicyError, match="esd's sampler_steps is 101") as caught:
        Esd(**{**SAMPLED, "sampler_steps": 101}).erase(request_of())
    assert "at most 100" in caught.value.fix

    with pytest.raises(PolicyError, match="esd has no states 'fresh'"):
        Esd.of({"states": "fresh"})
