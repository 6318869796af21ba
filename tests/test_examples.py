"""Every example runs as it stands, in an empty folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
MADE = {"ten_lines": ("without-picasso/model_index.json", "picasso-is-back.png")}


ELSEWHERE = {"tune_elsewhere"}
"""Run by tests/test_audit.py, which audits what they make."""


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*MADE, *ELSEWHERE}


@pytest.mark.parametrize("name", MADE)
def test_an_example_runs_and_leaves_what_it_says(tmp_path, name):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "ua of Picasso: 1.000" in done.stdout
    for made in MADE[name]:
        assert (tmp_path / made).is_file()
        if made.endswith(".png"):
            with Image.open(tmp_path / made) as picture:
                assert picture.size == (64, 64)
