"""FLUX.1 dev and schnell compute as their stock pipeline does."""

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import PipelineParts, apart, check_noising, noise, stock
from tests.tiny_families import tiny_flux, tiny_flux_schnell
from unlearnlog.models.family_rules.packing import packed, unpacked

CASE = CASES["flux"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


@pytest.fixture(scope="module")
def schnell():
    return CASE.parts_of(tiny_flux_schnell())


@pytest.mark.parametrize("guidance", [0.0, 3.5])
def test_our_painting_by_schnell_is_the_stock_pipelines(schnell, guidance):
    made = CASE.ours(guidance, schnell)

    assert apart(made, CASE.stock(guidance, schnell)) <= 1


def test_a_model_without_distillation_is_guided_as_by_true_cfg(schnell):
    pipeline = tiny_flux_schnell()
    pipeline.scheduler = tiny_flux().scheduler
    undistilled = CASE.parts_of(pipeline)

    made = CASE.ours(4.0, undistilled)

    latents = packed(noise(undistilled, RULES))
    reference = stock(
        undistilled, latents, true_cfg_scale=4.0, negative_prompt=["", ""]
    )
    assert apart(made, reference) <= 1
    assert not RULES.is_guided(schnell, 4.0)


def test_noise_and_velocity_of_schnell_are_the_schedulers(schnell):
    check_noising(schnell, RULES)


def test_the_default_picture_is_the_stock_pipelines(parts):
    assert RULES.latent_shape(PipelineParts(parts.pipeline, side=None)) == (4, 128, 128)


def test_packed_latents_come_back():
    x = torch.randn(2, 4, 6, 8)

    tokens = packed(x)

    assert tokens.shape == (2, 12, 16)
    assert torch.equal(unpacked(tokens, 6, 8), x)
