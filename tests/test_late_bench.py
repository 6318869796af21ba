"""The cells of what is learned once more: which there are, where their work lies."""

import pytest

from benchmarks import erasures, late
from benchmarks.audit import METHODS, SEEDS
from benchmarks.erasures import ENTRANTS, RELEARNED
from benchmarks.looks import Stock
from unlearnlog.commands.session_opening import open_session


def test_every_eraser_meets_every_pupil_once_and_those_with_one_twin_in_a_row():
    found = list(late.cells())

    n = len(ENTRANTS) * len(RELEARNED) * len(METHODS) * len(SEEDS)
    assert len(found) == len({cell.name for cell in found}) == n
    runs = [cell.stages for cell in found[:: len(ENTRANTS)]]
    assert len({*runs}) == len(runs)
    assert all(found[i].stages == runs[i // len(ENTRANTS)] for i in range(len(found)))


def test_they_are_judged_by_who_knows_what_was_learned_late():
    assert next(late.cells()).erasure.policy({}).judge == "atelier"


def test_stages_of_other_pictures_are_thrown_away_and_those_of_the_same_stay(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(late, "STAGES", tmp_path)
    found = list(late.cells())
    first, other = found[0], found[len(ENTRANTS)]
    for cell in (first, other):
        cell.stages.mkdir(parents=True)
    here = open_session(tmp_path, may_create=True)
    at = late.Shelved(**vars(here), stages=Stock(first.stages))

    first.tidy(at)

    assert at.shelf == Stock(first.stages)
    assert first.stages.exists()
    assert not other.stages.exists()


def test_without_the_models_it_says_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.setattr(erasures, "LATE_MODELS", tmp_path)

    with pytest.raises(SystemExit, match="no learner with its twin: make late"):
        late.main()
