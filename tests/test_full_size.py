"""The real size of Stable Diffusion 1.5, with random weights: does it fit?"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.tiny import FULL_SIZE, build_pipeline

POLICY = """
name = "one"
judge = "none"
[eraser]
name = "mim"
target = "context"
n_family = 0
batch = 1
[sampling]
steps = 1
guidance = 1.0
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
kept = 1
kept_share = 0.1
information = 1
"""

GIB = 2**30


@pytest.mark.slow
def test_one_picture_a_step_fits_into_eight_gibibytes_in_half_precision(tmp_path):
    model = build_pipeline(tmp_path / "model", family=FULL_SIZE)
    (tmp_path / "one.toml").write_text(POLICY)
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
