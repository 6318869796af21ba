"""Remotes in a repository of the hub, whose API a program on loopback speaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.ledger.making import new_ledger
from tests.remotes.servers import ROOT, free_port, running, wait_for
from tests.remotes.sharing import more
from unlearnlog import Ledger
from unlearnlog.ledger.repository import Repository

pytestmark = pytest.mark.slow

URL = "hf://datasets/ada/ledger/below"


@contextmanager
def hub(folder):
    port, log = free_port(), folder / "hub.log"
    words = [sys.executable, "-m", "tests.remotes.hub", str(port)]
    with running(words, log, cwd=ROOT) as program:
        wait_for(port, program, log)
        yield port


@pytest.fixture
def ask(tmp_path):
    """Type a command whose hub is on loopback."""
    with hub(tmp_path) as port:
        env = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
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
            assert done.returncode == code, done.stderr
            assert "hf_of_nobody" not in done.stdout + done.stderr
            return json.loads(done.stdout)

        yield typed


def test_a_push_is_a_commit_and_one_that_came_first_is_not_lost(tmp_path, ask):
    one = Ledger.open(new_ledger(tmp_path / "one").folder)
    more(one, 1)
    one.add_remote("origin", URL)
    ask("push", "--ledger", "one")
    ask("clone", URL, "two")
    two = Ledger.open(tmp_path / "two")
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
