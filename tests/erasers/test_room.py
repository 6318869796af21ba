from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.erasers.test_mim import FORGET, KEPT, request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.free_subspace import FreeSubspace
from unlearnlog.erasers.text_subspace import second_moment


@pytest.fixture
def request_and_room():
    request = request_of(LinearModel())
    moment = second_moment(request.model.encode(KEPT).tokens)
    right = torch.randn(2, 6, generator=torch.Generator().manual_seed(4))
    return request, FreeSubspace.along(right.double(), moment, request)


def test_the_charge_for_kept_tokens_is_their_mean_change_counted_one_by_one(
    request_and_room,
):
    request, room = request_and_room
    left = torch.randn(8, 2, generator=torch.Generator().manual_seed(5))

    charged = float(room.disturbed({NAME: left}))

    old, change = request.old[NAME].double(), (left @ room.right).double()
    tokens = request.model.encode(KEPT).tokens.double().flatten(0, 1)
    moved = sum(float((change @ token).square().sum()) for token in tokens)
    there = sum(float((old @ token).square().sum()) for token in tokens)
    assert charged == pytest.approx(moved / there, rel=1e-4)


def test_the_start_is_the_least_squares_solution_written_row_by_row(request_and_room):
    request, room = request_and_room
    head = replace(request, old={NAME: request.old[NAME] + 0.5})
    encode = request.model.encode
    erased = encode([p.text for p in FORGET]).tokens
    goal = encode([p.context for p in FORGET]).tokens

    left = room.start(head, (erased, goal), 0.3)[NAME].detach().double()

    # As one tall system: a row for each erased token, a weighed one for each kept one.
    pairs = list(zip(erased.flatten(0, 1), goal.flatten(0, 1), strict=True))
    kept = encode(KEPT).tokens.flatten(0, 1)
    base, old = request.model.base[NAME].double(), head.old[NAME].double()
    right = room.right.double()
    rows = [right @ c.double() / len(pairs) ** 0.5 for c, _ in pairs]
    wanted = [
        (base @ g.double() - old @ c.double()) / len(pairs) ** 0.5 for c, g in pairs
    ]
    rows += [right @ k.double() * (0.3 / len(kept)) ** 0.5 for k in kept]
    wanted += [torch.zeros(8).double()] * len(kept)
    solved = torch.linalg.lstsq(torch.stack(rows), torch.stack(wanted)).solution.T
    torch.testing.assert_close(left, solved, rtol=1e-3, atol=1e-4)


def test_another_concept_leaves_no_less_room_for_the_first():
    request = request_of(LinearModel())
    other = tuple(Prompt(f"a {n} by monet", f"a {n}", "") for n in ("cat", "dog"))
    both = replace(request, forget=(*request.forget, other))

    alone = FreeSubspace.left_by(request, rank=3, ridge=1e-2, leak=0.5)
    together = FreeSubspace.left_by(both, rank=3, ridge=1e-2, leak=0.5)

    assert len(together.right) >= len(alone.right)
