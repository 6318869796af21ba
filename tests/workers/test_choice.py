"""What ``--workers`` takes, and what it says where it cannot be had."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from unlearnlog.commands.defaults import Settings
from unlearnlog.core.worker_choice import WorkerChoice, check_workers
from unlearnlog.errors import UsageError


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("", None),
        ("none", None),
        ("ray", WorkerChoice()),
        ("3", WorkerChoice(n=3)),
        ("ray://head:10001", WorkerChoice("ray://head:10001")),
    ],
)
def test_workers_are_spelled(text, choice):
    assert WorkerChoice.of(text) == choice


@pytest.mark.parametrize("text", ["0", "-1", "two", "ray:3", "ray://head", "1e3", "²"])
def test_any_other_spelling_is_refused_with_the_ones_there_are(text):
    with pytest.raises(UsageError) as caught:
        WorkerChoice.of(text)

    assert f"'{text}'" in caught.value.message
    assert "ray://HOST:PORT" in caught.value.fix


def test_a_number_of_workers_shares_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    assert WorkerChoice(n=2).threads(8) == 4
    assert WorkerChoice(n=16).threads(8) == 1
    assert WorkerChoice().threads(8) == 1


def test_the_environment_sets_the_threads_of_a_worker(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert WorkerChoice(n=2).threads(8) == 3

    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    with pytest.raises(UsageError, match="OMP_NUM_THREADS is 'many'"):
        WorkerChoice(n=2).threads(8)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_error_says_what_to_install():
    with pytest.raises(UsageError) as caught:
        check_workers("ray")

    assert "pip install 'unlearnlog[ray]'" in caught.value.fix


def test_the_environment_is_named_where_it_holds_the_mistake(monkeypatch):
    monkeypatch.setenv("UNLEARNLOG_WORKERS", "two")

    with pytest.raises(UsageError, match="'two', as the environment has it"):
        Settings().settled(None)


def test_an_argument_counts_more_than_the_environment(monkeypatch):
    monkeypatch.setenv("UNLEARNLOG_WORKERS", "two")

    assert Settings(workers="none").settled(None).workers == "none"


def test_no_workers_need_no_ray():
    check_workers("none")
