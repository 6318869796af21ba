"""Remotes in a repository of the hub, whose API a program on loopback speaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

from tests.ledger.making import new_ledger
from tests.remotes.servers import ROOT, free_port, running, wait_for
from tests.remotes.sharing import more
from unlearnlog import Ledger
from unlearnlog.ledger.repository import Repository

pytestmark = pytest.mark.slow

URL = "hf://datasets/ada/ledger"


@contextmanager
def hub(folder):
    port, log = free_port(), folder / "hub.log"
    words = [sys.executable, "-m", "tests.remotes.hub", str(port)]
    with running(words, log, cwd=ROOT) as program:
        wait_for(port, program, log)
        yield port


@pytest.fixture
def port(tmp_path):
    with hub(tmp_path) as found:
        yield found


@pytest.fixture
def ask(tmp_path, port):
    """Return what types a command whose hub is on loopback."""
    env = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
    env["HF_HUB_DISABLE_XET"] = "1"
    env |= {"HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_of_nobody"}
    env |= {"HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT)}

    def typed(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "unlearnlog", *words, "--json"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code or code is None, done.stderr
        assert "hf_of_nobody" not in done.stdout + done.stderr
        answer = json.loads(done.stdout)
        return answer if code is not None else (done.returncode, answer)

    return typed


def ask_at_once(ask, *lines):
    """Type commands at the same time; return exit codes and answers."""
    with ThreadPoolExecutor(len(lines)) as pool:
        return [*pool.map(lambda words: ask(*words, code=None), lines)]


def let_two_commits_meet(port):
    urlopen(Request(f"http://127.0.0.1:{port}/gate", b"")).close()


def refused_commits(port):
    with urlopen(f"http://127.0.0.1:{port}/refused") as answer:
        return json.loads(answer.read())


def twice(tmp_path, ask):
    """Return two clients of one repository."""
    one = Ledger.open(new_ledger(tmp_path / "one").folder)
    more(one, 1)
    one.add_remote("origin", URL)
    ask("push", "--ledger", "one")
    ask("clone", URL, "two")
    return one, Ledger.open(tmp_path / "two")


def test_a_push_is_a_commit_and_one_that_came_first_is_not_lost(tmp_path, ask):
    one, two = twice(tmp_path, ask)
    theirs = more(one, 7)
    ask("push", "--ledger", "one")
    more(two, 8)

    refused = ask("push", "--ledger", "two", code=1)
    fetched = ask("fetch", "--ledger", "two")
    two.reset("origin/main")
    newest = more(two, 9)
    pushed = ask("push", "--ledger", "two")
    pulled = ask("pull", "--ledger", "one")

    assert refused["error"]["kind"] == "Diverged"
    assert fetched["branches"]["main"][1] == theirs
    assert pushed["refs"][0]["new"] == pulled["new"] == newest
    for name in ("one", "two"):
        assert Repository.open(tmp_path / name).fsck() == ()


def test_of_two_commits_at_once_the_hub_takes_one_and_the_other_loses_no_work(
    tmp_path, ask, port
):
    ledgers = dict(zip(("one", "two"), twice(tmp_path, ask), strict=True))
    entries = {name: more(each, i) for i, (name, each) in enumerate(ledgers.items(), 7)}
    let_two_commits_meet(port)

    (code, _), (other_code, _) = answers = ask_at_once(
        ask, *(("push", "--ledger", name) for name in ledgers)
    )

    assert {code, other_code} == {0, 1}
    assert len(refused_commits(port)) == 1
    won, lost = ("one", "two") if code == 0 else ("two", "one")
    error = answers[code == 0][1]["error"]
    assert error["kind"] == "Diverged"
    assert "unlearnlog fetch origin" in error["fix"]
    fetched = ask("fetch", "--ledger", lost)
    assert fetched["branches"]["main"][1] == entries[won]
    assert ledgers[lost].chain.head == entries[lost]
    for name in ledgers:
        assert Repository.open(tmp_path / name).fsck() == ()


def test_two_branches_that_are_pushed_at_once_both_arrive(tmp_path, ask, port):
    ledgers = dict(zip(("one", "two"), twice(tmp_path, ask), strict=True))
    entries = {}
    for seed, (name, each) in enumerate(ledgers.items(), 7):
        each.branch(f"by-{name}")
        each.switch(f"by-{name}")
        entries[f"by-{name}"] = more(each, seed)
    let_two_commits_meet(port)

    answers = ask_at_once(
        ask, *(("push", "origin", f"by-{name}", "--ledger", name) for name in ledgers)
    )

    assert [code for code, _ in answers] == [0, 0]
    assert len(refused_commits(port)) == 1
    ask("clone", URL, "three")
    heads = Ledger.open(tmp_path / "three").remote_branches()
    assert all(heads[f"origin/{name}"] == entry for name, entry in entries.items())
