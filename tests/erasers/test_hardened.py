from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.erasers.slowly import KEPT, SEED, request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import state_after
from unlearnlog.core.progress import NoProgress
from unlearnlog.erasers.forget_set import ForgetSet
from unlearnlog.erasers.hardened import Hardened, MetaInputs
from unlearnlog.errors import PolicyError

BIAS = "unet.conv_out.bias"
SMALL = Hardened(
    n_pictures=24, n_family=0, n_kept=10, batch=4, steps=40, rate=0.02, played_rate=0.1
)


class LearningModel(LinearModel):
    """Noise also has a bias, which is no text projection; a copy learns both."""

    bias = torch.linspace(-1, 1, 8)

    def eps(self, x_t, t, text, *, weights=None):
        bias = (weights or {}).get(BIAS, self.bias)
        plain = super().eps(x_t, t, text, weights=weights)
        return plain + bias.reshape(1, *self.latent_shape)

    def learner(self, method, *, weights=None, rank=8, generator):  # noqa: ARG002
        assert method == "full"
        assert weights is None
        return Copied(self)


class Copied:
    def __init__(self, model):
        self.model = model
        self.parameters = {
            "attn2": model.base[NAME].float().requires_grad_(),
            "bias": model.bias.clone().requires_grad_(),
        }

    def _named(self):
        return {NAME: self.parameters["attn2"], BIAS: self.parameters["bias"]}

    def loss(self, x0, noise, t, text):
        x_t = self.model.noised(x0, noise, t)
        guess = self.model.eps(x_t, t, text, weights=self._named())
        return (guess - noise).square().mean()

    def begin_with(self, weights):
        own = {NAME: self.model.base[NAME].float(), BIAS: self.model.bias}
        with torch.no_grad():
            for name, parameter in self._named().items():
                parameter.copy_({**own, **weights}[name])

    def weights(self, *, copied=True):
        assert not copied
        return {name: p.detach() for name, p in self._named().items()}


def request(**more):
    return request_of(LearningModel(), **more)


def draw(rng, latents, batch):
    rows = torch.randint(len(latents), (batch,), generator=rng)
    t = torch.randint(100, (batch,), generator=rng)
    return rows, t, torch.randn(batch, 2, 2, 2, generator=rng)


def mean_tokens(text):
    return text.tokens.mean(1).double()


def slope(errors, tokens):
    """The gradient of a mean square of ``[b, 8]`` by what is linear in tokens."""
    return sum(
        2 * torch.outer(error, token) / errors.numel()
        for error, token in zip(errors, tokens, strict=True)
    )


@pytest.mark.parametrize("stay", [(), KEPT[:2]], ids=["first", "one after another"])
@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(stay, seed):
    asked = request(stay=stay, seed=seed)
    model = asked.model
    lesson = MetaInputs.of(SMALL, asked)
    old, base = asked.old[NAME].double(), model.base[NAME].double()
    new = (asked.old[NAME].float() + 0.1).requires_grad_()
    forget, kept = lesson.forget, lesson.kept
    said, meant = mean_tokens(forget.text), mean_tokens(forget.target)

    SMALL.loss(lesson, {NAME: new}).backward()

    rng = torch.Generator().manual_seed(seed)
    start = w, b = new.detach().double(), model.bias.double()
    for _ in range(int(torch.randint(SMALL.foresight, (1,), generator=rng)) + 1):
        rows, t, noise = draw(rng, forget.learnt, 2)
        x_t = model.noised(forget.learnt[rows], noise, t).flatten(1).double()
        guess = (1 - t / 100)[:, None] * x_t + said[rows] @ w.T + b
        errors = guess - noise.flatten(1)
        step = slope(errors, said[rows]), slope(errors, torch.ones(2, 1).double())
        w, b = w - 0.1 * step[0].sign(), b - 0.1 * step[1][:, 0].sign()
    expected = torch.zeros_like(old)
    for matrix, bias in ((w, b), start):  # where it was played to, and where it is
        rows, _, _ = draw(rng, forget.learnt, 4)
        errors = said[rows] @ matrix.T + bias
        errors = errors - meant[rows] @ base.T - model.bias.double()
        expected += slope(errors, said[rows])
    rows, _, _ = draw(rng, kept.latents, 4)
    tokens = mean_tokens(kept.text)[rows]
    if stay:
        earlier = mean_tokens(model.encode(KEPT[2:]))
        which = torch.randint(2, (4,), generator=rng)
        tokens[:2] = earlier[which[:2]]
    expected += SMALL.keep * slope(tokens @ (start[0] - old).T, tokens)
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-5, atol=1e-6)


def left_after_fine_tunes(asked, change):
    """The mean squared noise that fine-tunes bring back, over many of them."""
    new = {n: w.float() for n, w in state_after(asked.old, [change]).items()}
    lesson = MetaInputs.of(SMALL, asked)
    found = [float(lesson.unlike_target(lesson.played(new))) for _ in range(100)]
    return sum(found) / len(found)


def test_fine_tunes_bring_back_less_than_after_the_closed_form():
    asked = request()

    hard = left_after_fine_tunes(asked, SMALL.erase(asked))
    plain = left_after_fine_tunes(asked, SMALL.closed.erase(asked))

    assert hard < 0.9 * plain


def test_the_change_is_the_closed_form_s_and_what_training_adds_to_it():
    asked = request()
    one = SMALL.erase(asked).patches[NAME].dense()
    none = replace(SMALL, steps=1, rate=1e-9).erase(asked).patches[NAME].dense()
    half = replace(SMALL, strength=0.5).erase(asked).patches[NAME].dense()

    closed = SMALL.closed.erase(asked).patches[NAME].dense()
    torch.testing.assert_close(none, closed, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(half, one / 2, rtol=1e-6, atol=1e-7)


def test_the_same_seed_gives_the_same_delta_and_nothing_else_is_changed():
    asked = request()
    weights, bias = asked.model.base[NAME].clone(), asked.model.bias.clone()

    one, two = (SMALL.erase(asked).digest for _ in range(2))
    other = SMALL.erase(request(seed=SEED + 1)).digest

    assert one == two != other
    assert torch.equal(asked.model.base[NAME], weights)
    assert torch.equal(asked.model.bias, bias)


def test_it_paints_and_trains_as_much_as_it_said():
    class Count(NoProgress):
        def __init__(self):
            self.done: dict[str, int] = {}

        def stage(self, name, total):  # noqa: ARG002
            self.now = name.split()[0]

        def advance(self, units, numbers):  # noqa: ARG002
            self.done[self.now] = self.done.get(self.now, 0) + units

    for eraser, work in (SMALL.rehearsal(), (SMALL, SMALL.work(1))):
        watch = Count()
        eraser.erase(request(watch=watch))

        assert (watch.done["painting"], watch.done["erasing"]) == (
            work.pictures,
            work.steps,
        )


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rate": -1.0}, "-1"),
        ({"foresight": 0}, "foresight is 0"),
        ({"n_pictures": ForgetSet.N_HELD}, str(ForgetSet.N_HELD)),
        ({"target": "up"}, "up"),
    ],
)
def test_what_is_of_no_use_is_refused(settings, named):
    with pytest.raises(PolicyError, match=named):
        Hardened.of(settings)
