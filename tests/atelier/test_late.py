"""The late learner is shown what its twin never sees; all else is the same."""

import pytest

from recipes.atelier.late import LATE, late_concepts, late_world, make_late
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling


def test_what_is_learned_late_was_held_out_and_is_known_then():
    before, after = world(), late_world()

    assert {*before.held_out} - {*after.held_out} == {*LATE}
    assert {*after.styles} - {*before.styles} == {"Hiroshige"}
    assert {*after.subjects} - {*before.subjects} == {"cactus"}
    assert "ukiyo-e" in {*after.spoken_movements} - {*before.spoken_movements}


def test_the_learner_s_file_of_concepts_says_the_same(tmp_path):
    path = tmp_path / "concepts.toml"
    path.write_text(late_concepts(), encoding="utf-8")

    read, wanted = ConceptSet.read(path), late_world()

    assert read.held_out == wanted.held_out
    assert read.concepts == wanted.concepts
    assert read.families == wanted.families


@pytest.mark.slow
def test_both_go_on_from_the_weights_that_ship_and_paint(tmp_path):
    weights = tmp_path / "late"

    make_late(tmp_path / "runs", weights, steps=1, per_cell=1)

    learner, twin = (DiffusersModel.load(weights / n) for n in ("learner", "twin"))
    assert learner.manifest.root != twin.manifest.root
    painted = learner.paint(["a cactus"], [0], sampling=Sampling(steps=1, guidance=1.0))
    assert painted.pictures.shape == (1, 64, 64, 3)
    assert "Hiroshige and the cactus" in (weights / "twin" / "README.md").read_text()
    known = ConceptSet.read(weights / "learner" / "concepts.toml")
    assert not {*LATE} & {*known.held_out}
