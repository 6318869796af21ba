"""Changes of convolutions, biases and matrices are stored and replayed alike."""

import torch

from unlearnlog.core.delta import Delta, Full, LowRank, state_after, state_digest
from unlearnlog.core.digest import digest_of
from unlearnlog.ledger.delta_file import decoded, encoded, parts_of
from unlearnlog.ledger.fast_replay import ReplaySteps, quick_state

ROOT = digest_of(b"base")


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 10


BASE = {
    "unet.conv.weight": draw(70, 5, 3, 3, seed=1).half(),
    "unet.conv.bias": draw(70, seed=2).half(),
    "unet.to_k.weight": draw(7, 4, seed=3).half(),
}


def delta(seed):
    return Delta(
        {
            "unet.conv.weight": LowRank(
                draw(70, 2, seed=seed), draw(2, 5, 3, 3, seed=seed + 1)
            ),
            "unet.conv.bias": Full(draw(70, seed=seed + 2)),
            "unet.to_k.weight": LowRank(
                draw(7, 2, seed=seed + 3), draw(2, 4, seed=seed + 4)
            ),
        }
    )


WHOLE = Delta({"unet.conv.weight": Full(draw(70, 5, 3, 3, seed=50))})


def test_a_delta_of_a_convolution_is_read_back_as_it_was_written():
    again = decoded(encoded(delta(10)))

    assert again == delta(10)
    assert again.patches["unet.conv.weight"].shape == (70, 5, 3, 3)


def test_the_fast_replay_gives_the_bits_of_the_checked_one():
    added, taken = [delta(10), WHOLE, delta(20)], [delta(30)]
    steps = ReplaySteps(
        {},
        [parts_of(encoded(each)) for each in added],
        [parts_of(encoded(each)) for each in taken],
    )

    state, digest = quick_state(BASE, steps, ROOT)

    expected = state_after(BASE, [*added, *(each.negated() for each in taken)])
    assert state.keys() == expected.keys() == BASE.keys()
    assert all(torch.equal(state[name], t) for name, t in expected.items())
    assert digest == state_digest(expected, ROOT)


def test_what_is_added_and_taken_back_leaves_the_base():
    steps = [delta(10), WHOLE, delta(20)]

    assert state_after(BASE, [*steps, *(each.negated() for each in steps)]) == {}
