from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import state_after
from unlearnlog.erasers.forget_set import ForgetSet
from unlearnlog.erasers.hybrid import Hybrid
from unlearnlog.errors import PolicyError

SMALL = Hybrid(n_pictures=24, n_family=0, max_steps=12, rank=2)


def test_the_change_is_the_closed_form_s_and_what_training_adds_to_it():
    request = request_of(LinearModel())
    first = SMALL.closed.erase(request)
    old = state_after(request.old, [first])
    then = SMALL.trained.erase(replace(request, old=old))

    both = SMALL.erase(request).patches[NAME].dense()

    alone = first.patches[NAME].dense()
    assert torch.equal(both, (alone + then.patches[NAME].dense()).float().double())
    assert (both - alone).norm() > 0


def test_training_begins_at_the_closed_form_and_ends_no_worse():
    request = request_of(LinearModel())
    first = SMALL.closed.erase(request)
    after = state_after(request.old, [first])
    forget = ForgetSet.of(request, SMALL.target, n=24, n_family=0)

    def left(new):
        return SMALL.trained.nats_left(request, forget, new)

    hybrid = state_after(request.old, [SMALL.erase(request)])
    assert left(hybrid) <= left(after) * 1.01 < left(dict(request.old))


def test_strength_scales_the_sum():
    request = request_of(LinearModel())

    one = SMALL.erase(request).patches[NAME].dense()
    half = replace(SMALL, strength=0.5).erase(request).patches[NAME].dense()

    torch.testing.assert_close(half, one / 2, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"rate": -1.0}, "-1"), ({"n_pictures": 3}, "3"), ({"target": "up"}, "up")],
)
def test_what_either_part_refuses_is_refused(settings, named):
    with pytest.raises(PolicyError, match=named):
        Hybrid.of(settings)
