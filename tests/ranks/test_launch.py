"""What a launcher says, and what is refused for it before anything is computed."""

import pytest

from tests.fakes import LinearModel
from unlearnlog.core.launch import n_launched
from unlearnlog.core.ranks import OneProcess
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.errors import PolicyError, UsageError
from unlearnlog.policy import Policy
from unlearnlog.ranks.ranks_executor import executor_of


@pytest.mark.parametrize(
    ("environment", "n"),
    [
        ({}, 1),
        ({"WORLD_SIZE": "2", "RANK": "0"}, 2),
        ({"WORLD_SIZE": "1", "RANK": "0"}, 1),
        ({"WORLD_SIZE": "8"}, 1),
        ({"WORLD_SIZE": "many", "RANK": "0"}, 1),
    ],
)
def test_the_number_of_processes_is_what_a_launcher_set(environment, n):
    assert n_launched(environment) == n


@pytest.mark.parametrize(
    ("settings", "n", "fix"),
    [
        ({"batch": 16}, 2, "--set micro_batches=2,"),
        ({"batch": 16}, 3, "--set micro_batches=3 --set batch=18"),
        ({"batch": 16, "micro_batches": 2}, 4, "--set micro_batches=4,"),
    ],
)
def test_a_training_that_is_not_shared_evenly_is_refused(settings, n, fix):
    with pytest.raises(PolicyError, match=f"{n} processes cannot share") as caught:
        ERASERS["esd"].of(settings).check_shared(n)

    assert fix in caught.value.fix


@pytest.mark.parametrize("name", ["mim", "uce", "surgun", "forget-me-not", "hardened"])
def test_an_eraser_that_is_not_shared_takes_any_number(name):
    ERASERS[name].of({}).check_shared(7)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("esd", {"batch": 16, "micro_batches": 3}, "batch of 16 is not divided evenly"),
        ("surgun", {"micro_batches": 2}, "loss is of a whole batch"),
        ("esd", {"micro_batches": 0}, "micro_batches is 0"),
    ],
)
def test_parts_that_no_batch_has_are_refused(name, settings, said):
    with pytest.raises(PolicyError, match=said):
        ERASERS[name].of(settings)


def test_workers_beside_the_processes_of_a_launcher_are_refused():
    with pytest.raises(UsageError, match="started 2 processes") as caught:
        executor_of(OneProcess(size=2), "ray", LinearModel())  # type: ignore[arg-type]

    assert "leave --workers out" in caught.value.fix


def test_one_process_computes_everything_itself():
    ranks = OneProcess()
    seen: list[int] = []

    found = ranks.mapped(str, [1, 2], seen.append)

    assert (found, seen) == (["1", "2"], [1, 2])
    assert ranks.together(lambda given, me: (given, me.size), 3) == (3, 1)


def test_a_policy_records_its_batch_where_it_is_another_than_before():
    said = {"name": "p", "eraser": {"name": "uce"}}
    usual = Policy.of(said, "p")
    small = Policy.of({**said, "sampling": {"batch": 4}}, "p")

    assert "batch" not in usual.rules["sampling"]
    assert small.rules["sampling"]["batch"] == 4
    assert (usual.painting().batch, small.painting().batch) == (32, 4)
