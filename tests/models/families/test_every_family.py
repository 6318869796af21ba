"""What holds for every family with a transformer, beside its stock pipeline."""

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import (
    PROMPTS,
    apart,
    check_noising,
    encoded,
    matched,
    noise,
    ours,
    prompt_only,
)
from tests.family_parts_p import check_alphas, check_read

ALL = CASES.values()
ALPHAS = ("hunyuan-dit", "pixart-sigma")
"""Families whose noise is added by a schedule of alphas, with a learned variance."""
OWN_NOISE = ("sana", *ALPHAS)
BY_CLASS = {
    kind: [case for case in ALL if case.row.text_class == kind]
    for kind in ("joint", "single", "prompt")
}


def marked(case, *values, slow):
    """Return a parameter of a test, which is slow or not."""
    name = "-".join(map(str, (case, *values)))
    return pytest.param(case, *values, id=name, marks=[pytest.mark.slow] * slow)


def named(*names):
    return pytest.mark.parametrize("case", [CASES[name] for name in names], ids=str)


every = pytest.mark.parametrize("case", ALL, ids=str)


@every
def test_only_the_row_s_own_layers_hear_the_prompt_alone(case):
    own = set().union(
        *(matched(getattr(case.row, each), case.hearing) for each in case.own)
    )

    assert len(own) == case.n_own
    assert prompt_only(case.hearing) == own | matched(case.behind, case.hearing)


@pytest.mark.parametrize("case", BY_CLASS["joint"], ids=str)
def test_beyond_the_first_block_text_has_heard_the_picture(case):
    keys = f"transformer.{case.blocks}.{{}}.attn.add_k_proj"

    assert len(matched(case.row.attention, case.hearing)) == 4
    assert "picture" not in case.hearing[keys.format(0)]
    assert "picture" in case.hearing[keys.format(1)]


@pytest.mark.parametrize("case", BY_CLASS["single"], ids=str)
def test_keys_and_values_are_shared_by_text_and_picture(case):
    names = sorted(matched(case.row.attention, case.hearing))

    assert len(names) == 4
    for name in names:
        layer = name.removesuffix(".weight")
        assert case.hearing[layer] == {"picture", "time", "prompt"}


@pytest.mark.parametrize("case", BY_CLASS["prompt"], ids=str)
def test_keys_and_values_read_what_the_rules_say(case):
    check_read(case.parts, case.rules, case.row.attention)


def test_each_family_is_of_one_class():
    assert {kind: len(cases) for kind, cases in BY_CLASS.items()} == {
        "joint": 7,
        "single": 2,
        "prompt": 3,
    }


@pytest.mark.parametrize(
    ("case", "guidance"),
    [marked(case, scale, slow=False) for case in ALL for scale in case.scales]
    + [marked(case, scale, slow=True) for case in ALL for scale in case.slow_scales],
)
def test_our_painting_is_the_stock_pipelines(case, guidance):
    made = case.ours(guidance)

    assert made.shape == (2, case.side, case.side, 3)
    assert apart(made, case.stock(guidance)) <= 1


@pytest.mark.parametrize(
    "case",
    [marked(case, slow=bool(case.slow_scales)) for case in ALL],
)
def test_prompt_and_guidance_change_the_picture(case):
    made = case.ours(case.guidance)

    other_prompts = ours(case.parts, case.rules, case.guidance, PROMPTS[::-1])
    assert apart(made, case.ours(1.0)) > 1
    assert apart(made, other_prompts) > 1


@named(*(name for name in CASES if name not in OWN_NOISE))
def test_noise_and_velocity_are_the_schedulers(case):
    check_noising(case.parts, case.rules)


@named(*ALPHAS)
def test_noise_is_added_by_the_schedulers_own_schedule(case):
    check_alphas(case.parts, case.rules)


@named(*ALPHAS)
def test_channels_of_a_learned_variance_are_dropped(case):
    x, text = noise(case.parts, case.rules), encoded(case.parts, case.rules, PROMPTS)
    network = case.parts.network

    with torch.no_grad():
        eps = case.rules.predict(
            case.parts, network, x, torch.tensor(500), text=text, guidance=1.0
        )

    assert network.out_channels == 2 * x.shape[1]
    assert eps.shape == x.shape


@every
def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(case):
    latents = noise(case.parts, case.rules)

    colours = case.rules.decoded(case.parts, case.parts.vae, latents)
    again = case.rules.encoded(case.parts, case.parts.vae, colours)
    assert colours.shape == (2, 3, case.side, case.side)
    assert again.shape == latents.shape
    assert again.dtype == torch.float32


@pytest.mark.parametrize(
    ("case", "is_dynamic"),
    [
        marked(CASES["stable-diffusion-3"], True, slow=False),
        marked(CASES["z-image"], True, slow=True),
        marked(CASES["lumina-2"], False, slow=True),
    ],
)
def test_another_shift_follows_the_stock_pipeline(case, is_dynamic, monkeypatch):
    usual = case.parts.scheduler
    config = {**usual.config, "use_dynamic_shifting": is_dynamic}
    shifted = type(usual).from_config(config)
    monkeypatch.setattr(case.parts.pipeline, "scheduler", shifted)

    assert usual.config.use_dynamic_shifting is not is_dynamic
    assert apart(case.ours(case.guidance), case.stock(case.guidance)) <= 1


@pytest.mark.parametrize(
    ("case", "n_rows"),
    [(CASES["aura-flow"], 256), (CASES["chroma"], 512), (CASES["flux"], 512)],
    ids=str,
)
def test_each_row_of_t5_says_which_characters_it_stands_for(case, n_rows):
    rows = case.rules.tokenized(case.parts, PROMPTS[0])

    spoken = "".join(PROMPTS[0][slice(*span)] for span in rows if span)
    assert len(rows) == n_rows
    assert spoken == PROMPTS[0].replace(" ", "")


@named("lumina-2", "z-image")
def test_padding_to_a_longer_prompt_is_not_read(case):
    alone = encoded(case.parts, case.rules, [PROMPTS[0]])
    longer = [PROMPTS[0], PROMPTS[0] + " a" * 40]
    beside = encoded(case.parts, case.rules, longer)[[0]]
    x, t = noise(case.parts, case.rules)[:1], torch.tensor(500.0)
    network = case.parts.network

    found = [
        case.rules.predict(case.parts, network, x, t, text=text, guidance=0.0)
        for text in (alone, beside)
    ]

    assert beside.tokens.shape[1] > alone.tokens.shape[1]
    torch.testing.assert_close(found[0], found[1])
