"""A revision as one file in the original layout, read by diffusers' own loader."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from unlearnlog.commands import export
from unlearnlog.commands.paint import checkout

PIPELINES = {
    "1.5": StableDiffusionPipeline,
    "2.1": StableDiffusionPipeline,
    "xl": StableDiffusionXLPipeline,
}


def erased(folder, family, dtype=torch.float16):
    """Return a ledger with one erasure on a tiny model."""
    model = tiny_model(folder / "model", dtype, family)
    made = ledger_of(folder / "ledger", model)
    return recorded(made, drawn(made.model.base))


def exported(at, path, spelling, **more):
    request = export.ExportRequest("HEAD", path, spelling, BLIND)
    return export.export(at, replace(request, **more))


def parts_of(pipeline):
    """Return every weight of a pipeline by full name."""
    networks = {
        n: m for n, m in pipeline.components.items() if hasattr(m, "parameters")
    }
    return {
        f"{part}.{name}": tensor
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
        if not name.endswith("position_ids")
    }


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("family", PIPELINES)
def test_from_single_file_gives_the_weights_of_checkout(tmp_path, family, half):
    at = erased(tmp_path, family, torch.float32)
    path = tmp_path / "whole.safetensors"

    done = exported(at, path, "checkpoint", half=half)

    checkout(at, "HEAD", tmp_path / "out")
    kind, dtype = PIPELINES[family], torch.float16 if half else torch.float32
    expected = parts_of(kind.from_pretrained(tmp_path / "out", dtype=dtype))
    pipeline = kind.from_single_file(
        path, config=str(tmp_path / "out"), dtype=dtype, local_files_only=True
    )
    found = parts_of(pipeline)
    assert (done.rank, done.energy, done.spelling) == (0, 1.0, "checkpoint")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    dtypes = {tensor.dtype for tensor in load_file(path).values()}
    assert dtypes == ({torch.float16} if half else {torch.float16, torch.float32})
