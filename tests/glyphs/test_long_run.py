"""A long run that was stopped and resumed is the run that was never stopped."""

import json

import pytest
import torch
from torch import nn

from recipes.glyphs.long_run import LongRun, Rates


def run_in(folder):
    torch.manual_seed(0)
    main = nn.ModuleDict(
        {"transformer_blocks": nn.Linear(6, 5), "out": nn.Linear(5, 2)}
    )
    return LongRun(folder, main, nn.Linear(4, 6), Rates(3e-2, 1e-2, 1e-3))


def go_on(run, until, cool=0):
    for step in run.steps(cool):
        torch.manual_seed(step)
        parts = run.modules["main"]
        hidden = run.modules["slow"](torch.randn(8, 4))
        run.descend(parts["out"](parts["transformer_blocks"](hidden)).square().mean())
        if run.step == until:
            break
    run.save()
    return run


def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path):
    whole = go_on(run_in(tmp_path / "whole"), 8)

    go_on(run_in(tmp_path / "parts"), 3)
    parts = go_on(run_in(tmp_path / "parts"), 8)

    now, then = parts.modules.state_dict(), whole.modules.state_dict()
    assert parts.step == whole.step == 8
    assert all(torch.equal(now[name], then[name]) for name in then)
    assert all(torch.equal(parts.average[n], whole.average[n]) for n in whole.average)


def test_a_cool_down_ends_after_its_steps_and_leaves_the_weights_at_rest(tmp_path):
    run = go_on(run_in(tmp_path), 3)

    cooled = go_on(run, None, cool=4)

    assert (cooled.step, cooled.cooled) == (7, 4)


def test_a_cool_down_goes_on_where_it_was_stopped(tmp_path):
    go_on(run_in(tmp_path), 2, cool=4)

    resumed = go_on(run_in(tmp_path), None, cool=4)

    assert resumed.step == 4


def test_an_interrupted_save_leaves_the_last_checkpoint(tmp_path):
    go_on(run_in(tmp_path), 2)

    (tmp_path / "checkpoint.partial").write_bytes(b"half of one")

    assert run_in(tmp_path).step == 2


def test_a_gradient_that_is_no_number_changes_nothing(tmp_path):
    run = go_on(run_in(tmp_path), 2)
    before = {n: p.clone() for n, p in run.modules.state_dict().items()}

    next(run.steps())
    out = run.modules["main"]["out"].weight
    run.descend((out * float("nan")).sum())

    after = run.modules.state_dict()
    assert run.step == 3
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_log_row_holds_the_step(tmp_path):
    run = go_on(run_in(tmp_path), 2)

    run.log({"loss": 0.5})

    row = json.loads((tmp_path / "log.jsonl").read_text())
    assert (row["step"], row["loss"]) == (2, pytest.approx(0.5))
