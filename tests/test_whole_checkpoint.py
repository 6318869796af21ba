"""A revision as one file in the original layout, read by diffusers' own loader."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import (
    FluxPipeline,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from safetensors.torch import load_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from tests.tiny_families import saved
from unlearnlog.commands import export
from unlearnlog.commands.paint import checkout
from unlearnlog.models.pipeline_folder import PipelineFolder

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


CLIP_L = "text_encoders.clip_l.transformer.text_projection.weight"


def read_back(kind, path, folder, **parts):
    """Return the weights of a single file as diffusers reads them."""
    return parts_of(
        kind.from_single_file(path, config=str(folder), local_files_only=True, **parts)
    )


@pytest.fixture
def whole_file(request, tmp_path):
    """A checkpoint, the folder of the same revision, and its ledger."""
    at = ledger_of(tmp_path / "ledger", saved(request.param, tmp_path / "model"))
    at = recorded(at, drawn(at.model.base))
    exported(at, tmp_path / "whole.safetensors", "checkpoint")
    checkout(at, "HEAD", tmp_path / "out")
    return tmp_path / "whole.safetensors", tmp_path / "out"


@pytest.mark.slow
@pytest.mark.parametrize("whole_file", ["stable-diffusion-3"], indirect=True)
def test_a_single_file_of_stable_diffusion_3_has_all_three_text_encoders(whole_file):
    """diffusers takes the identity for clip_l's projection, so that is in the file.

    It asks for both names of T5's vectors of tokens, of which a folder has one.
    """
    path, folder = whole_file
    expected = parts_of(StableDiffusion3Pipeline.from_pretrained(folder))

    found = read_back(StableDiffusion3Pipeline, path, folder)

    assert found.keys() == expected.keys()
    projection = expected.pop("text_encoder.text_projection.weight")
    assert torch.equal(load_file(path)[CLIP_L].to(projection.dtype), projection)
    assert {"text_encoder_2.text_projection.weight"} < expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name].to(tensor.dtype), tensor), name


@pytest.mark.slow
@pytest.mark.parametrize("whole_file", ["stable-diffusion-3"], indirect=True)
def test_what_the_refusal_of_a_single_file_says_to_type_makes_a_base(whole_file):
    """A file without text encoders borrows those of another model's folder."""
    path, folder = whole_file
    new, loader = folder.parent / "NEW_FOLDER", SD3Transformer2DModel.from_single_file
    transformer = loader(path, config=str(folder), subfolder="transformer")

    StableDiffusion3Pipeline.from_pretrained(
        folder, transformer=transformer
    ).save_pretrained(new)

    assert PipelineFolder.read(new).family.name == "stable-diffusion-3"
    assert transformer.state_dict().keys() == {
        name.removeprefix("transformer.")
        for name in parts_of(StableDiffusion3Pipeline.from_pretrained(folder))
        if name.startswith("transformer.")
    }


@pytest.mark.slow
@pytest.mark.parametrize("whole_file", ["flux"], indirect=True)
def test_a_single_file_of_flux_has_both_text_encoders_and_the_autoencoder(whole_file):
    """diffusers splits rows of a FLUX by the real one's sizes: not its transformer."""
    path, folder = whole_file
    expected = parts_of(FluxPipeline.from_pretrained(folder, transformer=None))

    found = read_back(FluxPipeline, path, folder, transformer=None)

    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name].to(tensor.dtype), tensor), name
