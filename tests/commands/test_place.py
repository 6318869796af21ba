"""What is kept for the next command is about one model, computed in one way."""

from dataclasses import replace

import pytest
import torch

from tests.exchanged import tiny_model
from unlearnlog.commands.session_opening import init, open_session


@pytest.fixture
def folder(tmp_path):
    init(tmp_path / "mine", str(tiny_model(tmp_path / "base", torch.float16)))
    return tmp_path / "mine"


def test_what_was_painted_in_one_dtype_is_not_there_in_another(folder):
    """A forget set that was painted in bfloat16 was learnt from in float32."""
    half, whole = open_session(folder, dtype="bfloat16"), open_session(folder)

    half.shelf.put("a forget set", torch.ones(2))

    assert half.shelf.get("a forget set") is not None
    assert whole.shelf.get("a forget set") is None


def test_what_another_version_painted_is_not_there(folder, monkeypatch):
    at = open_session(folder)
    at.shelf.put("a forget set", torch.ones(2))
    monkeypatch.setattr("unlearnlog.commands.session.versions", lambda: {"torch": "9"})

    assert open_session(folder).shelf.get("a forget set") is None
    monkeypatch.undo()
    assert open_session(folder).shelf.get("a forget set") is not None


def test_another_number_of_threads_has_other_last_bits(folder):
    at, threads = open_session(folder), torch.get_num_threads()
    at.shelf.put("a forget set", torch.ones(2))
    torch.set_num_threads(threads + 1)

    there = replace(at).shelf.get("a forget set")
    torch.set_num_threads(threads)

    assert there is None
    assert replace(at).shelf.get("a forget set") is not None


def test_what_is_computed_afresh_is_written_and_not_read(folder):
    at = open_session(folder)
    at.shelf.put("a forget set", torch.ones(2))
    afresh = replace(at, fresh=True)

    assert afresh.shelf.get("a forget set") is None
    afresh.shelf.put("a forget set", torch.zeros(2))

    found = at.shelf.get("a forget set")
    assert found is not None
    assert not found.any()
