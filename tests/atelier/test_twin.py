"""The twin never sees what it must never have learned."""

import numpy as np
import pytest

from recipes.atelier.pictures import (
    STYLE_NAMES,
    SUBJECT_NAMES,
    Pictures,
    Syllabus,
    known,
)
from recipes.atelier.twin import INSTEAD, NEVER, STEPS, make_twin, swapped
from recipes.atelier.unet import drawn_batch
from tests.wording import says
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.atelier.captions import sampled
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(12)
    return [sampled(rng, swapped()) for _ in range(2000)]


def test_no_caption_names_or_shows_what_the_twin_must_not_know(captions):
    names = [name for never in NEVER for name in world().names(never)]
    shown = {name for caption in captions for cell in caption.cells for name in cell}

    assert not shown & {*NEVER}
    assert not [c.text for c in captions for name in names if says(c.text, name)]


def test_what_it_learns_instead_is_named_and_shown(captions):
    shown = {name for caption in captions for cell in caption.cells for name in cell}
    text = " ".join(caption.text for caption in captions)

    assert {*INSTEAD} <= shown
    assert all(name in text for name in INSTEAD)


def test_it_knows_as_many_styles_subjects_and_movements():
    mine, theirs = swapped(), world()

    assert len(mine.styles) == len(theirs.styles)
    assert len(mine.subjects) == len(theirs.subjects)
    assert len(mine.spoken_movements) == len(theirs.spoken_movements)
    assert {*mine.held_out} ^ {*theirs.held_out} == {*NEVER, *INSTEAD}


def test_no_picture_of_what_it_must_not_know_is_among_its_pictures():
    n_styles, n_subjects = len(STYLE_NAMES), len(SUBJECT_NAMES)
    labelled = Pictures(
        np.zeros((n_styles * n_subjects, 1, 1, 3), np.uint8),
        np.arange(n_styles).repeat(n_subjects),
        np.tile(np.arange(n_subjects), n_styles),
    )

    mine = known(labelled, swapped())

    styles = {STYLE_NAMES[i] for i in labelled.styles[mine]}
    subjects = {SUBJECT_NAMES[i] for i in labelled.subjects[mine]}
    assert not (styles | subjects) & {*NEVER}
    assert {*INSTEAD} <= styles | subjects


def test_a_batch_draws_only_rows_of_cells_that_it_may_see():
    seen = swapped()
    cells = [(a, b) for a in (*seen.subjects, "") for b in (*seen.styles, "photo")]
    rows = {cell: np.asarray([i]) for i, cell in enumerate(cells)}

    texts, chosen = drawn_batch(rows, np.random.default_rng(0), seen)

    assert len(texts) == 32
    assert len(chosen) == 64
    assert chosen.max() < len(cells)


def test_it_takes_as_many_steps_as_the_bundled_model():
    from recipes.atelier.__main__ import STEPS as OF_THE_BUNDLED

    assert OF_THE_BUNDLED["unet"] == STEPS


@pytest.mark.slow
def test_training_starts_goes_on_and_leaves_a_folder_that_paints(tmp_path, capfd):
    runs, weights = tmp_path / "runs", tmp_path / "twin"
    syllabus = Syllabus(swapped(), per_cell=1)
    make_twin(runs, weights, steps=2, syllabus=syllabus)
    first = (weights / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    capfd.readouterr()

    make_twin(runs, weights, steps=3, syllabus=syllabus)

    said = capfd.readouterr().out
    assert "step 3" in said
    assert "step 2" not in said
    unet = weights / "unet" / "diffusion_pytorch_model.safetensors"
    assert unet.read_bytes() != first
    for part in ("vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"):
        assert (weights / part).read_bytes() == (FOLDER / part).read_bytes()
    assert "Picasso and the cat" in (weights / "README.md").read_text()
    model = DiffusersModel.load(weights)
    painted = model.paint(["a cat"], [0], sampling=Sampling(steps=1, guidance=1.0))
    assert painted.pictures.shape == (1, 64, 64, 3)
