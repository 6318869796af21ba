"""Two processes compute one command, and it is as if there were one."""

import json
import os
import socket
import subprocess
import sys

import pytest

from tests.ranks.pair import ALONE, TOGETHER


def environment():
    """Return what a launcher tells each of two processes but its number."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    done = subprocess.run(
        [sys.executable, "-m", "tests.ranks", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "found.json").read_text())


def test_two_processes_took_part(pair):
    assert pair["size"] == 2
    assert pair["number"] == 10 + 0 + 1


def test_pictures_have_the_bits_that_one_process_paints(pair):
    assert pair["together"]["pictures"] == pair["alone"]["pictures"]


def test_progress_counts_the_pictures_of_both(pair):
    assert pair["together"]["progress"][-1] == pair["alone"]["progress"][-1] == 10


@pytest.mark.parametrize("name", [*TOGETHER, *ALONE])
def test_a_trained_delta_has_the_digest_that_one_process_trains(pair, name):
    assert pair["together"]["erased"][name] == pair["alone"]["erased"][name]


def test_results_come_in_order(pair):
    assert pair["together"]["mapped"] == pair["alone"]["mapped"] == [0, 2, 4, 6, 8]


def test_a_batch_that_they_cannot_share_is_refused_with_the_number_to_set(pair):
    said = pair["refused"]["uneven"]

    assert "2 processes cannot share esd's batch of 5 evenly" in said
    assert "--set micro_batches=2 --set batch=6" in said


def test_an_error_in_one_process_ends_the_work_of_all_and_says_where(pair):
    refused = pair["refused"]

    assert refused["memory"].startswith("OutOfMemoryError process 1 of 2 on ")
    assert "13 is not doubled" in refused["unit"]
    assert "TrainingError the loss is " in refused["loss"]
    assert "ModelError process 1 of 2 on " in refused["model"]


def test_after_an_error_they_go_on(pair):
    assert pair["after"] == [0, 2, 4]


def test_a_value_that_is_kept_is_sent_once(pair):
    (together, n_sent), (alone, _) = pair["kept"]

    assert together == alone == [[4, 5, 6]] * 2
    assert n_sent == 1


def test_a_process_that_dies_ends_all_with_a_message(pair):
    assert "one of the 2 processes of this command ended" in pair["dead"]
    assert "nothing was recorded" in pair["dead"]
