from __future__ import annotations

from dataclasses import fields
from importlib.metadata import EntryPoint

import pytest

from unlearnlog.erasers import eraser_table
from unlearnlog.erasers.eraser_table import ERASERS, eraser_called
from unlearnlog.errors import PolicyError


def test_every_eraser_is_found_by_its_own_name():
    assert all(eraser_called(each.name) is each for each in ERASERS.values())


def test_an_unknown_name_is_refused_with_what_is_near():
    with pytest.raises(PolicyError, match="no eraser is called 'mimm'") as caught:
        eraser_called("mimm")

    assert "did you mean 'mim'?" in caught.value.fix


def test_an_eraser_of_another_package_is_found(monkeypatch):
    point = EntryPoint("other", "unlearnlog.erasers.mim:Mim", "unlearnlog.erasers")
    monkeypatch.setattr(eraser_table, "entry_points", lambda **_: [point])

    assert eraser_called("other") is ERASERS["mim"]


def test_something_else_under_that_name_is_refused(monkeypatch):
    point = EntryPoint("other", "unlearnlog.core.prompt:Prompt", "unlearnlog.erasers")
    monkeypatch.setattr(eraser_table, "entry_points", lambda **_: [point])

    with pytest.raises(PolicyError, match="registered as the eraser 'other'"):
        eraser_called("other")


@pytest.mark.parametrize("name", ERASERS)
def test_a_setting_that_is_no_number_or_not_there_is_refused_before_any_work(name):
    kind = ERASERS[name]
    number = next(f.name for f in fields(kind) if isinstance(f.default, float))

    with pytest.raises(PolicyError, match=f"{name}'s {number} is inf"):
        kind.of({number: float("inf")})
    with pytest.raises(PolicyError, match=f"'{name}' has no setting 'old_setting'"):
        kind.of({"old_setting": 1})
