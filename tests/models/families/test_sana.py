"""Sana computes as its stock pipeline does."""

import inspect

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SanaPipeline

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, STEPS, apart, encoded
from tests.family_parts_p import spoken
from tests.tiny_families_p import tiny_p

CASE = CASES["sana"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


@pytest.mark.slow
def test_by_euler_our_painting_is_the_stock_pipelines():
    pipeline = tiny_p("sana")
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    parts = CASE.parts_of(pipeline)

    assert apart(CASE.ours(4.5, parts), CASE.stock(4.5, parts)) <= 1
    sigmas = RULES.sigmas(parts, RULES.latent_shape(parts))
    assert sigmas is not None
    levels = FlowMatchEulerDiscreteScheduler(shift=3.0).sigmas
    torch.testing.assert_close(sigmas.flip(0), levels)


def test_noise_levels_are_the_shifted_ones_of_the_scheduler(parts):
    shape = RULES.latent_shape(parts)
    scheduler = RULES.scheduler(parts, STEPS, shape)
    x0, e = torch.randn(2, *shape), torch.randn(2, *shape)
    sigma = scheduler.sigmas[0]

    x_t = scheduler.add_noise(x0, e, scheduler.timesteps[:1].expand(2))
    scheduler._init_step_index(scheduler.timesteps[0])
    found = scheduler.convert_model_output(e - x0, sample=x_t)

    sigmas = RULES.sigmas(parts, shape)
    assert sigmas is not None
    assert sigmas.shape == (1000,)
    assert (sigmas.diff() > 0).all()
    assert sigmas[0] > 0
    assert (sigmas - sigma).abs().min() < 1e-3
    half = (sigmas - 0.75).abs().min()  # a shift of 3 makes 3/4 of 1/2
    assert half < 1e-3
    torch.testing.assert_close(x_t, (1 - sigma) * x0 + sigma * e)
    torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-5)


def test_the_instruction_is_read_but_for_its_first_token_not_kept(parts):
    prompt = "  A Photo of a cat, by Picasso "

    text = encoded(parts, RULES, [prompt])

    with torch.no_grad():
        rows, mask, *_ = parts.pipeline.encode_prompt(
            prompt, False, complex_human_instruction=_instruction()
        )
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    spans = RULES.tokenized(parts, prompt)
    assert len(spans) == text.tokens.shape[1]
    pieces = ["A", "Photo", "of", "a", "cat", ",", "by"]
    assert spoken(spans, prompt) == [*pieces, "Picasso"]
    assert spans[0] is None


def test_the_empty_prompt_has_no_instruction(parts):
    text = encoded(parts, RULES, [""])

    with torch.no_grad():
        rows, mask, *_ = parts.pipeline.encode_prompt("", False)
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    assert RULES.tokenized(parts, "") == [None] * text.tokens.shape[1]
    assert RULES.length(parts, "") == (1, 300)


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 400

    text = encoded(parts, RULES, [prompt])

    n, most = RULES.length(parts, prompt)
    with torch.no_grad():
        rows = parts.pipeline.encode_prompt(
            prompt, False, complex_human_instruction=_instruction()
        )[0]
    assert n > most
    assert text.tokens.shape[1] == len(RULES.tokenized(parts, prompt)) == 300
    torch.testing.assert_close(text.tokens, rows)


def test_a_prompt_is_as_long_as_the_rows_that_stand_for_it(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    n, most = RULES.length(parts, PROMPTS[0])
    assert most - n == 300 - len(rows)


def _instruction():
    """Read the instruction where the pipeline's signature has it."""
    call = inspect.signature(SanaPipeline.__call__)
    return call.parameters["complex_human_instruction"].default
