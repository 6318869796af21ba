"""The bundled model's own styles: Picasso, Braque of the same movement, and others.

`python -m benchmarks.edges` looks at 48 pictures of every style; here are a few.
"""

import pytest

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.concepts.templates import PROBING, spoken
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import (
    PromptedPictures,
    information_map,
    self_information,
)
from unlearnlog.probes.information_decomposition import chain, edge


@pytest.fixture(scope="module")
def model():
    return DiffusersModel.load(FOLDER)


class Gallery:
    """Pictures of styles, painted once each without guidance."""

    def __init__(self, model, n, steps):
        self.model, self.n, self.sampling = model, n, Sampling(steps, 1.0)
        self.painted = {}

    def __call__(self, style):
        if style not in self.painted:
            cells = book().erased(world().concepts[style], 1)[: self.n]
            made = self.model.paint(
                [c.prompt for c in cells],
                [c.seed for c in cells],
                sampling=self.sampling,
            )
            self.painted[style] = PromptedPictures(cells, made.latents)
        return self.painted[style]

    def edge(self, one, other):
        def named(pictures, style):
            return [
                spoken(PROBING[c.seed].text, subject=c.subject, style=style)
                for c in pictures.cells
            ]

        left, right = self(one), self(other)
        return edge(self.model, (left, named(left, other)), (right, named(right, one)))


def prompts_of(pictures, style):
    form = PROBING[0]
    return [
        Prompt(
            cell.prompt,
            spoken(form.no_style, subject=cell.subject),
            "",
            parent=book().parent_phrase(style, other=cell.subject),
        )
        for cell in pictures.cells
    ]


@pytest.fixture(scope="module")
def gallery(model):
    return Gallery(model, n=3, steps=10)


def test_picasso_is_nearer_to_braque_than_to_another_movement(gallery):
    assert gallery.edge("Picasso", "Braque").value > 10 * (
        gallery.edge("Picasso", "Monet").value
    )


def test_what_is_shared_and_what_is_unique_make_the_whole(model, gallery):
    """The whole is read by the other estimate, which knows nothing of the family."""
    pictures = gallery("Picasso")
    prompts = prompts_of(pictures, "Picasso")

    found = chain(model, prompts, pictures)

    whole = self_information(
        model,
        world().concepts["Picasso"],
        prompts=prompts,
        before=pictures,
        after=(pictures, model.base),
    )
    readings = {reading.probe: reading for reading in whole}
    total = found.shared.value + found.unique.value
    assert total == pytest.approx(found.whole.value, abs=1e-6)
    assert total == pytest.approx(readings["self-mi.two-loss"].value, abs=1e-2)
    assert readings["self-mi"].low < total < readings["self-mi"].high
    assert found.shared.value > 0


def test_the_map_of_a_picture_sums_to_its_nats(model, gallery):
    pictures = gallery("Picasso")
    prompts = prompts_of(pictures, "Picasso")

    nats_map = information_map(model, prompts, pictures)

    (reading, *_) = self_information(
        model,
        world().concepts["Picasso"],
        prompts=prompts,
        before=pictures,
        after=(pictures, model.base),
    )
    assert nats_map.shape == (3, *model.latent_shape[1:])
    assert float(nats_map.sum((1, 2)).mean()) == pytest.approx(reading.value, abs=1e-5)


@pytest.mark.slow
def test_picasso_is_nearest_to_braque_of_every_style(model):
    gallery = Gallery(model, n=8, steps=20)
    others = [name for name in world().styles if name != "Picasso"]

    edges = {name: gallery.edge("Picasso", name).value for name in others}

    assert max(edges, key=lambda name: edges[name]) == "Braque"
