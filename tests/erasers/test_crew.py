"""Two processes train together, under accelerate, and it is as if there were one."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from tests.erasers.crew import TOGETHER, N, erased


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crew")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(N),
        "LOCAL_WORLD_SIZE": str(N),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.erasers.crew", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{i}.json").read_text()) for i in range(N)]


def test_two_processes_took_part(crew):
    assert [found["share"] for found in crew] == [[0, 2], [1, 2]]


def test_what_each_computed_is_averaged(crew):
    """AdamW would not notice a sum."""
    assert [found["mean"] for found in crew] == [5.0, 5.0]


@pytest.mark.parametrize("name", TOGETHER)
def test_each_process_computes_its_half_of_every_batch(crew, name):
    batch = TOGETHER[name]["batch"]

    assert erased(name)[1] == [batch]
    assert [found[name]["sizes"] for found in crew] == [[batch // 2]] * 2


@pytest.mark.parametrize("name", TOGETHER)
def test_both_end_with_the_same_bits_and_with_what_one_alone_trains(crew, name):
    one, two = (torch.tensor(each[name]["delta"], dtype=torch.float64) for each in crew)

    alone = erased(name)[0]

    assert one.any()
    assert torch.equal(one, two)
    torch.testing.assert_close(one, alone, rtol=0, atol=1e-5)


def test_where_one_process_goes_astray_all_of_them_stop(crew):
    assert all("the loss is nan after 0 steps" in each["refused"][0] for each in crew)


def test_a_batch_that_they_cannot_share_is_refused_in_all_of_them(crew):
    for found in crew:
        assert "2 processes cannot share a batch of 5" in found["refused"][1]
