import math
from dataclasses import replace

import pytest
import torch

from tests.probes.mixture import SHARE, mixture
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.information_decomposition import (
    chain,
    decomposition,
    edge,
    losses_under,
)

DEAF = {SHARE: torch.zeros(())}
ARTISTS = {"Picasso": -2.0, "Braque": -0.8, "Monet": 1.5, "Seurat": 4.5}
FAMILY = "Picasso Braque"
"""To the mixture a prompt that names two artists is either's."""


def painted(model, style, n, names=None):
    cells = tuple(
        ProbeCase(f"cat-{i % 16} {style}", i, f"cat-{i % 16}", names or style)
        for i in range(n)
    )
    made = model.paint(
        [c.prompt for c in cells], [c.seed for c in cells], sampling=Sampling(1, 1.0)
    )
    return PromptedPictures.of(cells, made, range(n))


def prompts_of(pictures):
    return [
        Prompt(c.prompt, c.subject, "", parent=f"{c.subject} {FAMILY}")
        for c in pictures.cells
    ]


def average(of, above, below, sd=0.6):
    """Return E[log above(x) / below(x)] over artists ``of``, each a list of means."""
    x = torch.linspace(-9, 12, 20_001, dtype=torch.float64)

    def log_density(means):
        places = torch.tensor(means, dtype=torch.float64)
        error = (x[:, None] - places).square() / (2 * sd**2)
        scale = math.log(len(means) * sd * math.sqrt(2 * math.pi))
        return (-error).logsumexp(1) - scale

    weight = log_density(of).exp() * (x[1] - x[0])
    return float((weight * (log_density(above) - log_density(below))).sum())


def test_an_artist_s_nats_are_the_movement_s_and_its_own():
    model = mixture(ARTISTS)
    pictures = painted(model, "Picasso", 640)

    found = chain(model, prompts_of(pictures), pictures)

    one, both, everyone = [-2.0], [-2.0, -0.8], list(ARTISTS.values())
    assert found.shared.low < average(one, both, everyone) < found.shared.high
    assert found.unique.low < average(one, one, both) < found.unique.high
    assert found.whole.low < average(one, one, everyone) < found.whole.high
    assert found.shared.low > found.unique.high > found.unique.low > 0
    assert found.whole.value == pytest.approx(found.shared.value + found.unique.value)
    assert found.whole.n == 640


def test_a_model_that_hears_no_names_shares_nothing_and_keeps_nothing():
    model = mixture(ARTISTS)
    pictures = painted(model, "Picasso", 32)

    found = chain(model, prompts_of(pictures), pictures, weights=DEAF)

    for part in (found.shared, found.unique, found.whole):
        assert (part.low, part.value, part.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_a_prompt_without_a_family_has_no_chain():
    model = mixture(ARTISTS)
    pictures = painted(model, "Monet", 2)
    prompts = [replace(p, parent="") for p in prompts_of(pictures)]

    with pytest.raises(ValueError, match="'cat-0 Monet' has no parent"):
        chain(model, prompts, pictures)


def edge_to(model, other, n=160):
    pictures = [painted(model, name, n) for name in ("Picasso", other)]
    strange = [
        [f"{cell.subject} {name}" for cell in each.cells]
        for each, name in zip(pictures, (other, "Picasso"), strict=True)
    ]
    one, two = zip(pictures, strange, strict=True)
    return edge(model, one, two)


def test_artists_of_one_movement_are_nearer_than_strangers():
    model = mixture(ARTISTS)

    braque, monet, seurat = (
        edge_to(model, name) for name in ("Braque", "Monet", "Seurat")
    )

    js = (
        average([-2.0], [-2.0], [-2.0, -0.8]) + average([-0.8], [-0.8], [-2.0, -0.8])
    ) / 2
    # Ten levels leave noise in the losses: some 0.05 of doubt more or less.
    assert braque.value == pytest.approx(1 - js / math.log(2), abs=0.06)  # 0.44
    assert braque.low > monet.high
    assert 0 <= seurat.low <= seurat.value < 0.01
    assert braque.n == 320


def test_two_names_of_one_artist_are_as_near_as_can_be():
    model = mixture({"Picasso": 1.0, "Pablo": 1.0})

    found = edge_to(model, "Pablo", n=16)

    assert found.value == pytest.approx(1.0)


def test_an_edge_wants_as_many_pictures_of_both():
    model = mixture(ARTISTS)
    one, two = painted(model, "Picasso", 3), painted(model, "Braque", 2)

    with pytest.raises(ValueError, match="3 pictures of one and 2 of the other"):
        edge(model, (one, [""] * 3), (two, [""] * 2))


TRUE_NATS = 0.63272
"""Between two Gaussians at +-1.2 with sd 0.6 and which of them it was."""


def atoms(means, first, second, n=640):
    """Decompose pictures of the first component of a mixture of subject x style."""
    model = mixture(means)
    own = next(iter(means))
    pictures = painted(model, own, n)
    texts = [
        (c.prompt, f"{c.subject} {first}", f"{c.subject} {second}", c.subject)
        for c in pictures.cells
    ]
    return decomposition(model, texts, pictures)


def said(atoms):
    """Return which atoms are above 0 for sure, and beyond the rounding of float32."""
    return {
        name
        for name in ("redundant", "first", "second", "synergy")
        if getattr(atoms, name).low > 1e-6
    }


def test_what_only_the_first_decides_is_its_own():
    means = {"a1b1": -1.2, "a1b2": -1.2, "a2b1": 1.2, "a2b2": 1.2}

    found = atoms(means, first="a1b1 a1b2", second="a1b1 a2b1")

    assert said(found) == {"first"}
    assert found.first.low < TRUE_NATS < found.first.high


def test_what_only_the_second_decides_is_the_second_s():
    means = {"a1b1": -1.2, "a1b2": 1.2, "a2b1": -1.2, "a2b2": 1.2}

    found = atoms(means, first="a1b1 a1b2", second="a1b1 a2b1")

    assert said(found) == {"second"}
    assert found.first.value == 0


def test_what_either_tells_is_redundant():
    found = atoms({"a1b1": -1.2, "a2b2": 1.2}, first="a1b1", second="a1b1")

    assert said(found) == {"redundant"}
    assert found.redundant.low < TRUE_NATS < found.redundant.high


def test_what_neither_tells_alone_is_synergy():
    """Whether subject and style agree decides everything: exclusive or."""
    means = {"a1b1": -1.2, "a1b2": 1.2, "a2b1": 1.2, "a2b2": -1.2}

    found = atoms(means, first="a1b1 a1b2", second="a1b1 a2b1")

    assert said(found) == {"synergy"}
    assert found.synergy.low < TRUE_NATS < found.synergy.high


def test_the_atoms_add_up_to_what_both_say():
    means = {"a1b1": -2.0, "a1b2": -0.5, "a2b1": 0.4, "a2b2": 2.5}
    model = mixture(means)
    pictures = painted(model, "a1b1", 48)
    texts = [(c.prompt, "a1b1 a1b2", "a1b1 a2b1", c.subject) for c in pictures.cells]

    found = decomposition(model, texts, pictures)

    nats = losses_under(model, pictures, texts).mean(1)
    whole, first, second = (float(nats[3] - nats[i]) for i in range(3))
    r, u1, u2, s = (
        each.value
        for each in (found.redundant, found.first, found.second, found.synergy)
    )
    assert r + u1 + u2 + s == pytest.approx(whole)
    assert r + u1 == pytest.approx(first)
    assert r + u2 == pytest.approx(second)
    assert r == pytest.approx(min(first, second))
