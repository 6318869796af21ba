"""All that a model computes on a device that is not the CPU, found without a GPU.

A tensor in the wrong place is an error there, as on a GPU, and the results are those of
the CPU.
"""

import json
import subprocess
import sys
from typing import Final

import pytest

from tests.gpu.everything import RUNS
from unlearnlog.erasers.eraser_table import ERASERS

LARGEST: Final = {"float32": 1e-2, "bfloat16": 0.2}
"""Largest distance from the CPU in float32, as a share of a result's norm."""


CHOOSE: Final = {"salun": 0.2, "scapre": 0.3}
"""Erasers that choose among numbers, so that a last bit may decide; and how far."""


def computed(folder, *jobs):
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu", str(folder), *jobs],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "found.json").read_text())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("pretended"))


@pytest.mark.parametrize(("name", "dtype"), RUNS)
def test_every_tensor_is_where_it_is_computed(found, name, dtype):
    result = found[f"{name} {dtype}"]

    assert result["distance"] <= LARGEST[dtype]
    assert result["strays"] == []


def test_a_tensor_in_the_wrong_place_is_noticed(found):
    assert "expected all tensors on meta:1, found cpu" in found["stray"]


@pytest.mark.slow
def test_every_eraser_makes_what_it_makes_on_the_cpu(tmp_path):
    found = computed(tmp_path, "erasers")["erasers"]

    assert found.keys() == ERASERS.keys()
    for name, apart in found.items():
        assert apart == pytest.approx(0.0, abs=CHOOSE.get(name, 1e-3)), name
