"""Latents of the base's pictures that ship: those that the base paints."""

from dataclasses import replace

import pytest
import torch

from unlearnlog.atelier.base_latents import FILE, BaseLatents
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.commands.evaluation import evaluation_of
from unlearnlog.commands.session_opening import bundled_model, open_session
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.progress import NoProgress
from unlearnlog.models.interface import Sampling
from unlearnlog.policy import Policy
from unlearnlog.probes.runner import scattered

CAT = ProbeCase("a cat", 0, "cat", "photo")
DOG = ProbeCase("a dog", 0, "dog", "photo")
ROOT, SAMPLING = "ab" * 32, (20, 1.0)


@pytest.fixture
def known():
    latents = torch.arange(32.0).reshape(2, 4, 2, 2)
    return BaseLatents(ROOT, SAMPLING, {("a cat", 0): 0, ("a dog", 0): 1}, latents)


def test_what_was_saved_is_read_in_any_order(known, tmp_path):
    known.save(tmp_path / FILE)

    found = BaseLatents.load(tmp_path / FILE).of([DOG, CAT], ROOT, SAMPLING)

    assert found is not None
    assert torch.equal(found, known.latents[[1, 0]])


def test_a_set_with_one_unknown_picture_is_not_known(known):
    assert known.of([CAT, replace(DOG, seed=1)], ROOT, SAMPLING) is None


@pytest.mark.parametrize(
    ("root", "sampling"), [("cd" * 32, SAMPLING), (ROOT, (10, 1.0)), (ROOT, (20, 3.0))]
)
def test_another_base_or_sampling_has_none(known, root, sampling):
    assert known.of([CAT], root, sampling) is None


def test_a_file_that_was_changed_has_none(known, tmp_path):
    known.save(path := tmp_path / FILE)
    told = BaseLatents.load(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    assert told.rows
    assert not BaseLatents.load(path).rows


def test_without_a_file_there_are_none(tmp_path):
    assert BaseLatents.load(tmp_path / FILE).of([CAT], ROOT, SAMPLING) is None


_OTHERS = [n for n in (*world().styles, *world().subjects) if n != "Picasso"]


@pytest.mark.parametrize(
    "name", ["Picasso", *(pytest.param(n, marks=pytest.mark.slow) for n in _OTHERS)]
)
def test_all_that_a_first_erasure_paints_for_its_nats_ships(name, tmp_path):
    policy, model = Policy.load("default"), bundled_model()
    shipped = BaseLatents.load(FOLDER / FILE)
    at = open_session(tmp_path, may_create=True)
    concept = at.world.concept(name)

    look = evaluation_of(
        at, policy, [concept], gone=[], target="anchor", watch=NoProgress()
    )

    painting = look.panel.unguided.sampling
    n = policy.probes.information
    wanted = [
        tuple(c for each in look.asked.nodes.values() for c in each),
        scattered(look.asked.kept, n),
        look.asked.about[0].erased[:n],
    ]
    for cells in wanted:
        settings = (painting.steps, painting.guidance)
        assert shipped.of(cells, model.manifest.root, settings) is not None


@pytest.mark.slow
def test_the_latents_are_those_that_the_base_paints():
    model, shipped = bundled_model(), BaseLatents.load(FOLDER / FILE)
    steps, guidance = shipped.sampling
    prompts, seeds = zip(*shipped.rows, strict=True)

    made = model.paint(prompts, seeds, sampling=Sampling(steps, guidance)).latents

    assert shipped.root == model.manifest.root
    assert torch.allclose(made, shipped.latents, atol=1e-3)
