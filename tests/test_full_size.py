"""The real size of Stable Diffusion 1.5, with random weights: does it fit?"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from tests.policy_texts import Values, policy_text
from tests.tiny import FULL_SIZE, build_pipeline

MIM: Values = {"name": "mim", "target": "context", "n_family": 0, "batch": 1}

GIB = 2**30


@pytest.mark.slow
def test_one_picture_a_step_fits_into_eight_gibibytes_in_half_precision(tmp_path):
    model = build_pipeline(tmp_path / "model", family=FULL_SIZE)
    rules = policy_text("one", MIM, judge="none", probes={"information": 1})
    (tmp_path / "one.toml").write_text(rules)
    command = [sys.executable, "-m", "unlearnlog"]

    def typed(*words: str) -> str:
        done = subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    typed("init", "--model", str(model))
    options = ["--policy", "one.toml", "--dtype", "bfloat16", "--dry-run", "--json"]
    found = json.loads(typed("add", "Picasso", *options))

    assert 2 * GIB < found["peak_bytes"] < 8 * GIB, found


@pytest.mark.slow
def test_a_thousand_names_are_checked_and_solved_within_a_minute(tmp_path):
    """The seconds are those of a processor: of the clock on a free machine."""
    build_pipeline(tmp_path / "model", family=FULL_SIZE)
    rows = [f"Ada Kord {i},{('style', 'subject')[i % 2]}" for i in range(1000)]
    (tmp_path / "names.csv").write_text("\n".join(["name,kind", *rows]) + "\n")
    command = [sys.executable, "-m", "unlearnlog"]
    init, add = (
        ["init", "--model", "model"],
        ["add", "--from", "names.csv", "--judge", "none", "--accept-undecided"],
    )
    subprocess.run([*command, *init], cwd=tmp_path, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run(
        [*command, *add, "--json"], cwd=tmp_path, check=True, capture_output=True
    )

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    entry = json.loads(done.stdout)
    assert len(entry["concepts"]) == 1000
    assert entry["eraser"]["name"] == "uce"
    assert seconds <= 60, seconds
    assert used.ru_maxrss * 1024 < 8 * GIB, used.ru_maxrss
