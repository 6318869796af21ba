"""``rebase``, killed at any change: absent, or whole; and it goes on where it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.killed import die, points
from unlearnlog.api import Ledger as Api
from unlearnlog.commands import add, rebase
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.delta import Delta, LowRank
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

ROOT = Path(__file__).parents[2]
WORLD = """
complete = true
[families.cubism]
kind = "style"
word = "cubist"
[families.animal]
kind = "subject"
word = "animal"
[concepts.Picasso]
family = "cubism"
[concepts.Monet]
kind = "style"
[concepts.cat]
family = "animal"
[concepts.dog]
family = "animal"
"""
POLICY = """
name = "small"
[eraser]
name = "ridge"
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
kept = 1
kept_share = 1.0
earlier = 1
information = 0
[audit]
margin = 0.25
closer = 1
[sampling]
steps = 1
[require]
base_presence = 0.0
"""
UNET = "tuned/unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A ledger that erased Picasso and took in a change that erases cats."""
    folder = tmp_path_factory.mktemp("rebased")
    (folder / "small.toml").write_text(POLICY)
    (folder / "world.toml").write_text(WORLD)
    world, rules = folder / "world.toml", Policy.load(str(folder / "small.toml"))
    here = open_session(folder, may_create=True, concepts=world)
    add.add(here, add.AddRequest((here.world.concept("Picasso"),), rules))
    at = open_session(folder, concepts=world)
    name = next(iter(at.model.base))
    n, m = at.model.base[name].shape
    change = Delta({name: LowRank(torch.full((n, 1), 0.01), torch.full((1, m), 0.01))})
    order = add.AddRequest((at.world.concept("cat"),), rules)
    add.add_delta(at, order, change, EraserRecord(name="lora"))
    Api.open(folder).checkout("HEAD", folder / "tuned")
    return folder


def again(made, target):
    rules = Policy.load(str(made / "small.toml"))
    at = open_session(made, concepts=made / "world.toml")
    return rebase.rebase(at, rebase.RebaseRequest(made / UNET, target, rules))


def check_whole(target):
    """Check that a new ledger is all that was asked for."""
    ledger = Repository.open(target)
    assert [e.kind for _, e in ledger.history(ledger.head)] == ["erase", "import"]
    assert Api.open(target).fsck(full=True) == ()
    assert (target / "model" / "model_index.json").is_file()


def kill_rebases(made, folder, kills):
    for k, cut in kills:
        target = folder / f"{k} {cut}" / "new"
        target.parent.mkdir(parents=True)

        die(target.parent, partial(again, made, target), k, cut=cut)
        if not target.exists():
            again(made, target)

        check_whole(target)
        assert [path.name for path in target.parent.iterdir()] == ["new"], (k, cut)


@pytest.mark.slow
def test_a_rebase_that_was_killed_goes_on_after_the_last_erasure_it_made(
    made, tmp_path
):
    """It left a sound ledger with half of the erasures, and refused to run again."""
    n = points(tmp_path, lambda: again(made, tmp_path / "whole"))
    die(tmp_path, lambda: again(made, tmp_path / "new"), n - 12, cut=False)
    (begun,) = tmp_path.glob(".unlearnlog-begun-*")
    first = Repository.open(begun).refs["heads/main"]

    done = again(made, tmp_path / "new")

    assert not begun.exists()
    assert first in (entry.id for entry in done.entries)
    assert done.folder == tmp_path / "new"
    assert done.base == tmp_path / "new" / "model"
    check_whole(tmp_path / "new")


@pytest.mark.slow
def test_a_rebase_is_whole_or_absent_wherever_it_is_killed(made, tmp_path):
    n = points(tmp_path, lambda: again(made, tmp_path / "whole"))
    check_whole(tmp_path / "whole")
    kills = [(k, cut) for k in range(1, n + 1) for cut in (False, True)]

    assert n >= 60
    kill_rebases(made, tmp_path, kills[::2])


@pytest.mark.slow
def test_a_rebase_is_whole_or_absent_after_a_real_kill(made, tmp_path):
    """By the command line, at moments drawn by chance, until it comes to its end."""
    chance, target = random.Random(0), tmp_path / "new"
    words = ["rebase", "--onto", made / UNET, "-o", target, "--ledger", made]
    words += ["--policy", made / "small.toml", "--concepts", made / "world.toml"]
    words = [sys.executable, "-m", "unlearnlog", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    began, kills = time.monotonic(), 0
    done = subprocess.run(words, env=env, check=False)
    whole_s = time.monotonic() - began
    target.rename(tmp_path / "first")
    while not target.exists() and kills < 12:
        process = subprocess.Popen(
            [sys.executable, "-m", "unlearnlog", *words], env=env
        )
        time.sleep(chance.uniform(0.4, 1.0) * whole_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    if not target.exists():
        again(made, target)

    assert done.returncode in (0, 3)
    check_whole(target)
