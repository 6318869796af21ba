from datetime import UTC, datetime, timedelta

from unlearnlog import __version__
from unlearnlog.core.provenance import made_with


def test_an_entry_says_when_and_with_which_versions_it_was_made():
    made = made_with()

    age = datetime.now(UTC) - datetime.fromisoformat(made["created"])
    assert timedelta(seconds=-1) < age < timedelta(minutes=1)
    assert made["unlearnlog"] == __version__
    assert {"python", "machine", "torch", "diffusers", "safetensors"} <= made.keys()


def test_a_library_that_is_not_there_is_left_out(monkeypatch):
    monkeypatch.setattr("unlearnlog.core.provenance._LIBRARIES", ("no-such-library",))

    assert "no-such-library" not in made_with()
