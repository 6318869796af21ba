"""PixArt-Alpha and PixArt-Sigma compute as their stock pipelines do."""

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, PipelineParts, apart, encoded, ours
from tests.family_parts_p import spoken
from tests.tiny_families_p import save_p, tiny_p
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.family_rules.pixart import PIXART_ALPHA
from unlearnlog.models.interface import Sampling

CASE = CASES["pixart-sigma"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.5])
def test_alpha_is_told_the_size_of_pictures(guidance):
    parts = PipelineParts(tiny_p("pixart-alpha"), side=None)

    made = ours(parts, PIXART_ALPHA, guidance)

    assert apart(made, CASE.stock(guidance, parts)) <= 1


@pytest.mark.slow
def test_alpha_of_other_sizes_is_not_told_them(parts):
    assert torch.equal(ours(parts, PIXART_ALPHA, 4.5), CASE.ours(4.5))


def test_a_prompt_has_as_many_rows_as_tokens(parts):
    text = encoded(parts, RULES, [PROMPTS[0]])

    rows = RULES.tokenized(parts, PROMPTS[0])
    assert text.tokens.shape[1] == len(rows)
    assert text.mask is not None
    assert text.mask.all()
    assert RULES.length(parts, PROMPTS[0]) == (len(rows), 300)
    assert PIXART_ALPHA.length(parts, PROMPTS[0]) == (len(rows), 120)


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 400

    text = encoded(parts, RULES, [prompt])

    with torch.no_grad():
        rows = parts.pipeline.encode_prompt(prompt, False)[0]
    assert RULES.length(parts, prompt) == (401, 300)
    assert len(RULES.tokenized(parts, prompt)) == 300
    torch.testing.assert_close(text.tokens, rows)


def test_each_row_says_which_characters_it_stands_for(parts):
    prompt = "  A Photo of a cat, by Picasso "

    rows = RULES.tokenized(parts, prompt)

    pieces = ["A", "Photo", "of", "a", "cat", ",", "by", "Picasso"]
    assert spoken(rows, prompt) == pieces
    assert rows[-1] is None


def test_a_scheduler_of_few_steps_says_that_a_model_is_distilled():
    few = {"scheduler": {"_class_name": "LCMScheduler"}}

    assert "LCMScheduler" in CASE.row.distilled(few)
    assert CASE.row.distilled({"scheduler": {"_class_name": "DDIMScheduler"}}) == ""


@pytest.mark.slow
def test_published_folders_name_a_class_that_diffusers_replaces(tmp_path):
    folder = save_p("pixart-sigma", tmp_path / "model")
    now = DiffusersModel.load(folder)
    for file in ("model_index.json", "transformer/config.json"):
        text = (folder / file).read_text()
        older = text.replace("PixArtTransformer2DModel", "Transformer2DModel")
        (folder / file).write_text(older)

    before = DiffusersModel.load(folder)

    sampling = Sampling(steps=1, guidance=1.0)
    made = [each.paint(PROMPTS, [1, 2], sampling=sampling) for each in (now, before)]
    assert torch.equal(made[0].pictures, made[1].pictures)
