"""The assembled folder is an ordinary pipeline, and paints what the training paints."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from recipes.atelier.text import trained_tokenizer
from recipes.glyphs import painting
from recipes.glyphs.card import card
from recipes.glyphs.painting import Painter
from recipes.glyphs.pipeline import assemble, loaded
from recipes.glyphs.text import POSITIONS, SEEDS, new_text_encoder
from recipes.glyphs.transformer import new_transformer
from unlearnlog.atelier import bundled_model
from unlearnlog.glyphs.glyph_captions import sampled_caption

FIGURES = {
    "pictures": [288.0],
    "real": [0.981, 0.995],
    "encoded and decoded": [0.95, 0.98],
    "trained cells": [0.9, 0.95],
    "held-out cells": [0.4, 0.8],
    "keywords": [0.75],
    "unseen keywords": [0.1],
    "pairs": [0.6, 0.7, 0.7],
    "background": [0.99],
    "guidance": [4.0],
}


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    rng = np.random.default_rng(0)
    captions = [sampled_caption(rng).text for _ in range(200)]
    folder = tmp_path_factory.mktemp("tokenizer")
    known = trained_tokenizer(folder, captions, vocabulary=700, positions=POSITIONS)
    net = new_transformer().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    encoders = [new_text_encoder(known, seed).eval() for seed in SEEDS]
    vae = AutoencoderKL.from_pretrained(bundled_model.FOLDER / "vae").float()
    return Painter(net, encoders, known, vae)


@pytest.mark.slow
def test_the_stock_pipeline_paints_what_the_training_paints(
    painter, tmp_path, monkeypatch
):
    texts = ["a painting of a cat face by Noto", "a hot dog on red"]
    monkeypatch.setattr(painting, "half_precision", torch.no_grad)
    ours = painter.latents(texts, seed=5, guidance=4.0)

    assemble(painter, tmp_path)
    theirs = loaded(tmp_path)(
        texts,
        num_inference_steps=painting.STEPS,
        guidance_scale=4.0,
        max_sequence_length=1,
        latents=torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(5)),
        output_type="latent",
    ).images

    assert torch.allclose(ours, theirs, atol=0.05)


def test_the_card_says_what_diffusers_must_be_told_and_what_was_measured():
    text = card(FIGURES, trained=1000, batch=128, steps=20)

    assert "text_encoder_3=None, tokenizer_3=None" in text
    assert "| painted, trained cells | 0.900 | 0.950 |" in text
    assert "max_sequence_length=1" in text
