import threading

import pytest
import torch

from unlearnlog.models.fastcpu.batch_threads import (
    LEAST,
    BatchCounter,
    by_threads,
    shares_of,
)

CPU, OTHER = torch.device("cpu"), torch.device("meta")


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (0, [0]),
        (1, [1]),
        (2 * LEAST - 1, [2 * LEAST - 1]),
        (2 * LEAST, [LEAST, LEAST]),
        (2 * LEAST + 1, [LEAST, LEAST + 1]),
        (16 * LEAST, [4 * LEAST] * 4),
    ],
)
def test_shares_cover_a_batch_and_none_is_small(n, sizes):
    shares = shares_of(n, CPU)

    assert [len(range(n)[share]) for share in shares] == sizes
    assert [i for share in shares for i in range(n)[share]] == list(range(n))


def test_anywhere_but_on_the_cpu_there_is_one_share():
    assert shares_of(16 * LEAST, OTHER) == [slice(0, 16 * LEAST)]


def test_each_share_has_a_thread_and_its_part_of_those_inside_a_layer():
    shares = shares_of(2 * LEAST, CPU)
    together = threading.Barrier(len(shares), timeout=60)

    def act(share):
        together.wait()  # only passed where both act at once
        return share, torch.get_num_threads(), threading.get_ident()

    found, inside, who = zip(*by_threads(act, shares), strict=True)

    assert list(found) == shares
    assert inside == (2, 2)
    assert len({*who, threading.get_ident()}) == len(shares) + 1
    assert torch.get_num_threads() == 4


def test_one_share_is_acted_on_by_the_caller():
    assert by_threads(lambda _: threading.get_ident(), [slice(0, 3)]) == [
        threading.get_ident()
    ]


def test_what_one_share_raises_is_raised_and_threads_are_as_before():
    def act(share):
        if share.start:
            raise ValueError(share.start)

    with pytest.raises(ValueError, match=str(LEAST)):
        by_threads(act, shares_of(2 * LEAST, CPU))

    assert torch.get_num_threads() == 4


def test_shares_that_advance_are_added_up():
    told: list[float] = []
    shares = [slice(0, 1), slice(1, 4)]
    counter = BatchCounter(shares, told.append)
    first, second = map(counter.of, shares)

    second(0.5)
    first(1.0)
    second(1.0)

    assert told == [3 * 0.5 / 4, (1 + 3 * 0.5) / 4, 1.0]
