"""The GPU of the suite, and a count of what is skipped without one."""

import os

import pytest
import torch

DEVICE = os.environ.get("UNLEARNLOG_TEST_DEVICE", "cuda")
"""What the suite computes on; ``cpu`` shows that the suite itself is sound."""


@pytest.fixture(scope="session")
def device():
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU, or torch is a build for CPUs")
    return DEVICE


@pytest.fixture
def figures(record_property, pytestconfig, capsys):
    """Note a figure: it is printed, and kept in the report of the run."""

    def note(name, value):
        record_property(name, value)
        with capsys.disabled():
            pytestconfig.get_terminal_writer().line(f"  {name}: {value}")

    return note
