"""Whole-tensor files that official programs save of transformers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from tests.exchanged import BLIND, ledger_of
from tests.tiny_families import saved
from unlearnlog.commands.add import AddRequest
from unlearnlog.commands.import_ import import_change
from unlearnlog.core.concept import Concept
from unlearnlog.ledger.repository import Repository

PICASSO = Concept("Picasso", "style")
EDITS = {
    "UCE": (
        "context_embedder.weight",
        "time_text_embed.text_embedder.linear_1.weight",
    ),
    "ESD": (
        "transformer_blocks.0.attn.add_k_proj.weight",
        "transformer_blocks.0.attn.to_v.bias",
        "single_transformer_blocks.0.attn.to_q.weight",
    ),
}
"""Names as the programs for FLUX.1 write them; read in them in November 2026."""


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flux")
    return ledger_of(folder / "ledger", saved("flux", folder / "model"))


@pytest.fixture
def at(tmp_path, there):
    (tmp_path / "ledger").mkdir()
    ledger = Repository.init(tmp_path / "ledger", there.manifest)
    return replace(there, folder=tmp_path / "ledger", ledger=ledger)


def changed(at, names):
    """Return other values of a network's tensors, by name without a prefix."""
    rng = torch.Generator().manual_seed(0)
    folder = at.model.folder.path / "transformer"
    known = load_file(folder / "diffusion_pytorch_model.safetensors")
    old = {name: known[name] for name in names}
    return {n: t + 0.01 * torch.randn(t.shape, generator=rng) for n, t in old.items()}


@pytest.mark.parametrize("program", EDITS)
def test_the_tensors_of_an_official_program_become_the_weights(at, tmp_path, program):
    new = changed(at, EDITS[program])
    save_file(new, tmp_path / "edit.safetensors")

    import_change(at, tmp_path / "edit.safetensors", AddRequest((PICASSO,), BLIND))

    at = at.caught_up()
    state = at.the_ledger().state(at.head, at.model.base)
    assert state.keys() == {f"transformer.{name}" for name in new}
    assert all(torch.equal(state[f"transformer.{n}"], t) for n, t in new.items())


def test_a_file_of_float32_is_rounded_to_a_base_in_bfloat16(tmp_path):
    """UCE's program computes and saves in float32, whatever the base's dtype is."""
    pipeline = DiffusionPipeline.from_pretrained(saved("flux", tmp_path / "model"))
    pipeline.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    at = ledger_of(tmp_path / "ledger", tmp_path / "half")
    new = {n: t.float() for n, t in changed(at, EDITS["UCE"]).items()}
    save_file(new, tmp_path / "edit.safetensors")

    import_change(at, tmp_path / "edit.safetensors", AddRequest((PICASSO,), BLIND))

    at = at.caught_up()
    state = at.the_ledger().state(at.head, at.model.base)
    for name, tensor in new.items():
        assert torch.equal(state[f"transformer.{name}"], tensor.bfloat16())
