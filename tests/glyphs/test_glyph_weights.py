"""Glyphs is a model that ships, as atelier is."""

import pytest

from unlearnlog.api.opened import OpenedLedger
from unlearnlog.commands.judge_choice import judge_for
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.progress import NoProgress
from unlearnlog.glyphs.glyph_model import FOLDER
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.workers.unit_worker import ModelSource


@pytest.fixture
def ledger(tmp_path):
    OpenedLedger.init(tmp_path, "glyphs")
    return tmp_path


@pytest.mark.slow
def test_a_ledger_on_glyphs_knows_its_concepts(ledger):
    session = open_session(ledger)

    assert session.manifest.source == "glyphs"
    assert {*world().subjects} <= {*session.world.concepts}


@pytest.mark.slow
def test_the_judge_is_found_without_its_name(ledger):
    session = open_session(ledger)

    judge = judge_for(session, "auto", session.world, NoProgress())

    assert judge is not None
    assert judge.name == "glyphs"


def test_the_weights_take_at_most_40_mib_and_say_whose_work_is_in_them():
    size = sum(path.stat().st_size for path in FOLDER.rglob("*.safetensors"))

    assert size <= 40 * 2**20
    assert "Twemoji" in (FOLDER / "NOTICE").read_text()
    assert (FOLDER / "README.md").exists()


@pytest.mark.slow
def test_a_worker_names_glyphs_and_not_the_folder_of_this_machine(ledger):
    model = open_session(ledger).model

    source = ModelSource.of(model, threads=1)

    assert source.folder == "glyphs"
    assert source.loaded().manifest.root == model.manifest.root


@pytest.mark.slow
def test_a_ledger_on_glyphs_has_its_own_usual_policy(ledger):
    opened = OpenedLedger.open(ledger)

    assert opened.rules().name == "glyphs"
