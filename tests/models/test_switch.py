"""One word switches the fast layers off; what is computed then is diffusers' own."""

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D

from tests.tiny import build_pipeline
from unlearnlog.errors import UsageError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.fastcpu import fast_layers
from unlearnlog.models.fastcpu.batch_threads import LEAST, shares_of
from unlearnlog.models.fastcpu.plain_attention import suits_products
from unlearnlog.models.fastcpu.switch import PARTS, VARIABLE, left_out
from unlearnlog.models.interface import Sampling


@pytest.fixture
def folder(tmp_path):
    return build_pipeline(tmp_path / "tiny")


def kinds(model):
    layers = model._parts.network.modules()
    return {type(layer).__module__ for layer in layers}


def test_off_leaves_every_layer_to_diffusers_and_paints_nearly_the_same(
    folder, monkeypatch
):
    fast = DiffusersModel.load(folder)
    monkeypatch.setenv(VARIABLE, "off")
    plain = DiffusersModel.load(folder)

    ours = fast_layers.__package__
    assert any(kind.startswith(ours) for kind in kinds(fast))
    assert not any(kind.startswith(ours) for kind in kinds(plain))
    sampling = Sampling(steps=2, guidance=2.0)
    one, other = (
        each.paint(["a cat", "a dog"], [0, 1], sampling=sampling).latents
        for each in (fast, plain)
    )
    assert torch.allclose(one, other, atol=1e-4)


def test_what_is_kept_of_one_is_not_taken_for_the_other(folder, monkeypatch):
    model = DiffusersModel.load(folder)
    on = model.computes
    monkeypatch.setenv(VARIABLE, "threads")

    assert model.computes == f"{on} no-threads"


def test_a_list_leaves_out_some_and_nothing_else(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "resnet, products")

    model = DiffusersModel.load(folder)
    with torch.inference_mode():
        few = torch.zeros(1, 1, 2, 4)
        assert not suits_products(few, few)
    blocks = [m for m in model._parts.network.modules() if isinstance(m, ResnetBlock2D)]
    assert blocks
    assert all(type(block) is ResnetBlock2D for block in blocks)
    assert left_out() == {"resnet", "products"}


def test_threads_are_a_part_of_it(monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")

    assert left_out() == {*PARTS}
    assert len(shares_of(64 * LEAST, torch.device("cpu"))) == 1


def test_a_word_that_is_no_part_is_named(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "winograd")

    with pytest.raises(UsageError, match="'winograd' is no part"):
        DiffusersModel.load(folder)
