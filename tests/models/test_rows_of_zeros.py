"""A model without T5 is painted with as many rows of zeros as its index says."""

import json
from types import SimpleNamespace

import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from tests.family_parts import PROMPTS, SEEDS
from tests.tiny_families import tiny_sd3_without_t5
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.family_rules.sd3 import StableDiffusion3Rules
from unlearnlog.models.interface import Sampling


@pytest.fixture(scope="module")
def whole():
    return tiny_sd3_without_t5()


def n_rows(whole, settings):
    tokenizers = {"text_encoder": whole.tokenizer}
    parts = SimpleNamespace(settings=settings, tokenizers=tokenizers)
    found = StableDiffusion3Rules().tokenized(parts, "a cat")
    return len(found) - whole.tokenizer.model_max_length


def test_by_default_there_are_as_many_as_the_pipeline_has(whole):
    assert n_rows(whole, {}) == 256


def test_the_index_may_say_fewer(whole):
    assert n_rows(whole, {"max_sequence_length": 1}) == 1


@pytest.mark.slow
def test_they_are_those_of_the_stock_pipeline(whole, tmp_path):
    whole.save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    index["max_sequence_length"] = 3
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    model = DiffusersModel.load(tmp_path)

    text = model.encode(["a cat"])
    ours = model.paint(PROMPTS, SEEDS, sampling=Sampling(2, 4.0))

    stock = StableDiffusion3Pipeline.from_pretrained(
        tmp_path, text_encoder_3=None, tokenizer_3=None
    )
    theirs, *_ = stock.encode_prompt("a cat", None, None, max_sequence_length=3)
    torch.testing.assert_close(text.tokens, theirs, atol=1e-5, rtol=1e-5)
    assert torch.isfinite(ours.latents).all()
