"""Exports, orders and fine-tunes of each family, read and written by diffusers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

from tests.family_parts import PROMPTS, SEEDS, apart
from tests.family_table import FAMILY
from tests.test_model_families import unseen
from unlearnlog import Ledger
from unlearnlog.checkpoints.export_formats import TENSORS, formats_of
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.interface import Sampling

BY_NAME = {family.name: family for family in FAMILIES}
EVERY = [
    name if name == "stable-diffusion-3" else pytest.param(name, marks=pytest.mark.slow)
    for name in FAMILY
]
HOW = Sampling(steps=2, guidance=4.0)


@dataclass(frozen=True)
class Worked:
    """A ledger of a family's tiny model with one erasure.

    Attributes:
        name: The model's family.
        folder: The folder of ledger, model and checkout.
        ledger: The ledger.
    """

    name: str
    folder: Path
    ledger: Ledger

    @property
    def base(self) -> Path:
        """The model's folder."""
        return self.folder / "model"

    @property
    def model(self) -> DiffusersModel:
        """The model, loaded anew."""
        return DiffusersModel.load(self.base, side=FAMILY[self.name].side)

    def weights(self, model: DiffusersModel) -> dict[str, torch.Tensor]:
        """Return the text projections at the head."""
        chain = self.ledger.chain
        return dict(chain.weights(chain.resolve("HEAD"), model.base))


def begun(
    name: str, folder: Path, *concepts: str, dtype: torch.dtype | None = None
) -> Worked:
    """Return a ledger of a family's tiny model, with concepts erased one by one.

    Args:
        name: The model's family.
        folder: Where to.
        concepts: The concepts.
        dtype: Of the model's networks; None for their own.
    """
    pipeline = FAMILY[name].build()
    (pipeline if dtype is None else pipeline.to(dtype)).save_pretrained(
        folder / "model"
    )
    (folder / "tiny.toml").write_text(unseen("ridge"))
    ledger = Ledger.init(folder, str(folder / "model"))
    if (side := FAMILY[name].side) is not None:
        ledger.config["side"] = str(side)
    for concept in concepts:
        ledger.add(concept, policy=str(folder / "tiny.toml"))
    return Worked(name, folder, ledger)


@pytest.fixture(scope="module", params=EVERY)
def worked(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    made = begun(request.param, folder, "Picasso")
    made.ledger.checkout("HEAD", folder / "out")
    return made


def transformer_with(base: Path, file: Path, spelling: str) -> dict[str, torch.Tensor]:
    """Return the weights of the stock pipeline with an export in it, by full name."""
    pipeline = DiffusionPipeline.from_pretrained(base)
    if spelling == TENSORS:
        inner = {n.removeprefix("transformer."): t for n, t in load_file(file).items()}
        left = pipeline.transformer.load_state_dict(inner, strict=False)
        assert left.unexpected_keys == []
    else:
        pipeline.load_lora_weights(str(file))
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    state = pipeline.transformer.state_dict()
    return {f"transformer.{name}": tensor for name, tensor in state.items()}


def test_an_export_is_loaded_by_the_stock_loader_and_paints_as_the_state(worked):
    spelling = formats_of(BY_NAME[worked.name])[0]
    file = worked.folder / "change.safetensors"

    done = worked.ledger.export("HEAD", file, energy=1.0, policy=policy_of(worked))

    assert done.spelling == spelling
    model = worked.model
    held, theirs = worked.weights(model), transformer_with(worked.base, file, spelling)
    assert any(not torch.equal(held[n], own) for n, own in model.base.items())
    for name in model.base:
        torch.testing.assert_close(theirs[name], held[name], rtol=1e-4, atol=1e-5)
    loaded = {name: theirs[name] for name in model.base}
    one, other = (
        model.paint(PROMPTS, SEEDS, sampling=HOW, weights=weights).pictures
        for weights in (held, loaded)
    )
    assert apart(one, other) <= 1


def policy_of(worked: Worked) -> str:
    return str(worked.folder / "tiny.toml")


def stirred(pipeline: Any) -> dict[str, torch.Tensor]:
    """Move every matrix of a transformer a little; return its weights by full name."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in pipeline.transformer.parameters():
            if parameter.ndim == 2:
                noise = torch.randn(parameter.shape, generator=rng)
                parameter += 0.02 * parameter.std() * noise
    state = pipeline.transformer.state_dict()
    return {f"transformer.{name}": tensor.clone() for name, tensor in state.items()}


def test_a_fine_tune_that_diffusers_saved_is_read(worked, tmp_path):
    pipeline = DiffusionPipeline.from_pretrained(worked.folder / "out")
    theirs = stirred(pipeline)
    pipeline.save_pretrained(tmp_path / "tuned")
    model = worked.model
    state = FinetuneBase(model, worked.weights(model))

    found = derived(tmp_path / "tuned", state)
    alone = derived(tmp_path / "tuned" / "transformer", state)

    assert (found.form, alone.form) == ("pipeline", "component")
    moved = {n for n, t in theirs.items() if n in state.shapes and t.ndim == 2}
    assert moved <= found.weights.keys()
    for name, tensor in found.weights.items():
        assert torch.equal(tensor.float(), theirs[name].float())
        assert torch.equal(tensor, alone.weights[name])
    assert 0 < found.moved["transformer"] < 0.1


def test_a_lora_that_diffusers_saved_is_read(worked, tmp_path):
    pipeline = DiffusionPipeline.from_pretrained(worked.folder / "out")
    if not hasattr(pipeline, "save_lora_weights"):
        assert formats_of(BY_NAME[worked.name]) == (TENSORS,)
        return
    targets = ["to_k", "to_v", "add_k_proj", "add_v_proj"]
    config = LoraConfig(
        r=2, lora_alpha=2, target_modules=targets, init_lora_weights=False
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline.transformer.add_adapter(config)
    layers = get_peft_model_state_dict(pipeline.transformer)
    file = tmp_path / "lora"
    pipeline.save_lora_weights(file, transformer_lora_layers=layers)
    model = worked.model
    state = FinetuneBase(model, worked.weights(model))

    found = derived(file, state)

    assert found.form == "lora"
    products = {
        f"transformer.{name}.weight": layers[f"{name}.lora_B.weight"] @ factor
        for key, factor in layers.items()
        if key.endswith(".lora_A.weight")
        for name in [key.removesuffix(".lora_A.weight")]
    }
    assert products
    for name, product in products.items():
        change = found.weights[name].float() - state[name].float()
        torch.testing.assert_close(change, product, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_three_erasures_in_two_orders_are_one_state(name, tmp_path):
    names = ("Picasso", "Monet", "cat")

    one, other = in_two_orders(name, tmp_path, names)

    assert state_of(one) == state_of(other)


@pytest.mark.parametrize("name", EVERY)
def test_weights_in_half_precision_are_given_back_to_the_bit_in_any_order(
    name, tmp_path
):
    """Most published transformers are in bfloat16."""
    names = ("Picasso", "Monet", "cat")

    one, other = in_two_orders(name, tmp_path, names, torch.bfloat16)
    erased = [state_of(each) for each in (one, other)]
    one.revert("HEAD~2", "HEAD", "HEAD~1", policy=None)

    assert erased[0] == erased[1] != state_of(one) == one.chain.state_digest(None)


def in_two_orders(
    name: str, folder: Path, names: tuple[str, ...], dtype: torch.dtype | None = None
) -> list[Ledger]:
    """Return two ledgers of one base, with the same erasures in opposite orders."""
    folders = [folder / "one", folder / "other"]
    for each in folders:
        each.mkdir()
    orders = (names, names[::-1])
    return [
        begun(name, each, *order, dtype=dtype).ledger
        for each, order in zip(folders, orders, strict=True)
    ]


def state_of(ledger: Ledger) -> str:
    """Return the digest of the weights at the head."""
    return str(ledger.chain.state_digest(ledger.chain.resolve("HEAD")))
