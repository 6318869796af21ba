"""What was typed wrongly is told at once: before torch or a model is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.refusals import REFUSALS, RESULT, prepare
from tests.ledger.making import erase, new_ledger

TRY = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from benchmarks.refusals import REFUSALS
from unlearnlog.cli import main

found = {}
for name, refusal in REFUSALS.items():
    sys.argv = ["unlearnlog", *refusal.words]
    os.environ |= dict(refusal.env)
    said = io.StringIO()
    code = 0
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            main()
    except SystemExit as end:
        code = end.code
    for key, _ in refusal.env:
        del os.environ[key]
    loaded = sorted({"torch", "diffusers", "transformers"} & set(sys.modules))
    found[name] = [code, said.getvalue(), loaded]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Every refusal in one process: its exit code, what it said, what was imported."""
    folder = tmp_path_factory.mktemp("refusals")
    erase(new_ledger(folder), seed=1)
    prepare(folder)
    env = {k: v for k, v in os.environ.items() if not k.startswith("UNLEARNLOG_")}
    root = str(RESULT.parents[2])
    done = subprocess.run(
        [sys.executable, "-c", TRY],
        cwd=folder,
        env={**env, "PYTHONPATH": root, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_mistake_is_refused_before_torch_is_imported(tried, name):
    """`add Monet --set erase_scal=3` and `paint --at nope` loaded a model first, for
    seconds; `--kind styel`, a limit on "uaa" or of 90 on a share, and an anchor that is
    the concept itself were found out after minutes of painting, or never."""
    code, said, loaded = tried[name]

    assert REFUSALS[name].says in said
    assert "fix: " in said
    assert code == REFUSALS[name].code
    assert loaded == []


def test_every_refusal_is_in_the_table_of_the_documents():
    found = json.loads(RESULT.read_text(encoding="utf-8"))["refusals"]

    assert found.keys() == REFUSALS.keys()
