"""Ray's workers write the entries that this process writes, to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    @cache
    def result(*words):
        folder = tmp_path_factory.mktemp("job")
        return subprocess.run(
            [sys.executable, "-m", "tests.workers.job", str(folder), *words],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )

    return result


@pytest.mark.parametrize("words", [("1",), ("2",), ("3",), ("2", "kill")])
def test_every_entry_is_the_same_whoever_computed(run, words):
    there = run(*words)

    assert there.stdout == run("none").stdout
    assert "\nray 2." in f"\n{there.stderr}"
    assert f"deaths: {len(words) - 1}" in there.stderr
