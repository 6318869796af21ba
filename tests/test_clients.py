"""Exports, read back by the rules of the tools that people load them in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.client_rules import RULES, RULES_OF_XL, a1111_shows
from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from unlearnlog.checkpoints.comfyui_patch import patched
from unlearnlog.checkpoints.export_metadata import ExportTitle
from unlearnlog.commands import export
from unlearnlog.errors import ExportError, UsageError

SHOWN = {"1.5": "SD1", "2.1": "SD2", "xl": "SDXL"}


EVERY = [
    family if family == "xl" else pytest.param(family, marks=pytest.mark.slow)
    for family in SHOWN
]


@pytest.fixture(scope="module", params=EVERY)
def erased(request, tmp_path_factory):
    """A ledger with one erasure on a tiny model in half precision, and its family."""
    folder = tmp_path_factory.mktemp("clients")
    model = tiny_model(folder / "model", torch.float16, request.param)
    made = ledger_of(folder / "ledger", model)
    return recorded(made, drawn(made.model.base)), request.param


def exported(at, path, spelling="", **more):
    request = export.ExportRequest("HEAD", path, spelling, BLIND, energy=1.0)
    return export.export(at, replace(request, **more))


def metadata(path):
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def merged(path, rule, base):
    """Return the weights of the modules that a tool finds, with its own sum."""
    modules = [n.removeprefix("unet.").removesuffix(".weight") for n in base]
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(path).items():
        if (module := rule(key, modules)) is not None:
            part = key.removesuffix(".weight").rpartition(".")[2]
            parts.setdefault(module, {})[part] = tensor
    found = {}
    for module, own in parts.items():
        weight = base[f"unet.{module}.weight"].float()
        if "diff" in own:
            found[module] = weight + own["diff"]
        else:
            down, up = own["lora_down"], own["lora_up"]
            scale = float(own["alpha"]) / len(down)
            found[module] = weight + scale * (up.float() @ down.float())
    return {f"unet.{module}.weight": tensor for module, tensor in found.items()}


def test_the_default_export_loads_in_every_tool_with_all_its_modules(erased, tmp_path):
    at, family = erased
    path = tmp_path / "change.safetensors"

    done = exported(at, path)

    assert done.spelling == "kohya"
    base, state = at.model.base, at.weights(at.head)
    for tool, rule in (RULES_OF_XL if family == "xl" else RULES).items():
        found = merged(path, rule, base)
        assert found.keys() == state.keys(), tool
        for name, tensor in found.items():
            torch.testing.assert_close(
                tensor, state[name].float(), rtol=1e-3, atol=1e-3
            )


def test_a_file_says_of_which_model_it_is(erased, tmp_path):
    at, family = erased
    path = tmp_path / "change.safetensors"

    done = exported(at, path)

    notes = metadata(path)
    assert a1111_shows(notes) == SHOWN[family]
    assert notes["modelspec.title"] == "model without Picasso"
    assert notes["modelspec.architecture"].endswith("/lora")
    assert notes["modelspec.prediction_type"] == "epsilon"
    assert notes["ss_network_module"] == "networks.lora"
    assert float(notes["ss_network_dim"]) == done.rank
    assert float(notes["ss_network_alpha"]) == done.rank
    assert str(tmp_path.parent) not in str(notes)


def test_a_patch_for_comfyui_gives_the_state_to_the_bit(erased, tmp_path):
    at, family = erased
    path = tmp_path / "patch.safetensors"

    done = exported(at, path, "comfyui")

    base, state = at.model.base, at.weights(at.head)
    tensors = load_file(path)
    assert any(key.startswith("lora_unet_input_blocks_") for key in tensors)
    assert {key.rpartition(".")[2] for key in tensors} == {"diff"}
    for tool in ("ComfyUI", "A1111"):
        theirs = merged(path, RULES[tool], base)
        assert theirs.keys() == state.keys()
        for name, tensor in theirs.items():
            assert torch.equal(tensor.to(base[name].dtype), state[name])
    shapes = {n: torch.Size(r.shape) for n, r in at.manifest.tensors.items()}
    ours = patched(tensors, base, at.model.folder.family, shapes)
    assert all(torch.equal(ours[name], state[name]) for name in state)
    assert (done.rank, done.energy) == (0, 1.0)
    assert a1111_shows(metadata(path)) == SHOWN[family]


def test_sdxl_in_diffusers_block_names_is_there_by_name(erased, tmp_path):
    at, family = erased
    path = tmp_path / "change.safetensors"
    if family != "xl":
        with pytest.raises(UsageError, match="no format 'kohya-diffusers'"):
            exported(at, path, "kohya-diffusers")
        return

    exported(at, path, "kohya-diffusers")

    keys = [*load_file(path)]
    assert all(key.startswith("lora_unet_") and "_blocks_" in key for key in keys)
    assert not any("input_blocks" in key or "output_blocks" in key for key in keys)
    assert merged(path, RULES_OF_XL["sd-scripts"], at.model.base) == {}


def test_half_precision_is_for_whole_checkpoints_alone(erased, tmp_path):
    at, _ = erased

    with pytest.raises(UsageError, match="half precision is for a whole checkpoint"):
        exported(at, tmp_path / "x.safetensors", "kohya", half=True)


def test_a_title_names_three_erasures_and_counts_the_rest():
    def title(*names):
        return str(ExportTitle("model", names, (512, 512)))

    assert title("Picasso") == "model without Picasso"
    assert title(*"ABCDE") == "model without A, B, C and 2 more"


def comfyui_takes(keys):
    """Return what ComfyUI's detection takes a file for, from its keys.

    Source:
        ComfyUI, ``comfy/model_detection.py``, ``comfy/sd.py`` and
        ``comfy/supported_models.py``: the network's prefix is the one of most keys; a
        UNet is known by its first block, SDXL by its second text encoder's prefix, the
        text encoders of the first and second Stable Diffusion by theirs.
    """
    network = "model.diffusion_model."
    if f"{network}input_blocks.0.0.weight" not in keys:
        return None
    needed = [f"{network}out.2.weight", f"{network}time_embed.0.weight"]
    needed += ["first_stage_model.decoder.conv_in.weight"]
    if not set(needed) <= set(keys):
        return None
    if f"{network}label_emb.0.0.weight" in keys:
        clips = (
            "conditioner.embedders.0.transformer.text_model.",
            "conditioner.embedders.1.model.ln_final.weight",
        )
        both = all(any(key.startswith(clip) for key in keys) for clip in clips)
        return "SDXL" if both else None
    if any(key.startswith("cond_stage_model.transformer.text_model.") for key in keys):
        return "SD1"
    return "SD2" if "cond_stage_model.model.ln_final.weight" in keys else None


def test_comfyuis_detection_takes_a_whole_checkpoint(erased, tmp_path):
    at, family = erased
    path = tmp_path / "whole.safetensors"

    exported(at, path, "checkpoint")

    keys = set(load_file(path))
    assert comfyui_takes(keys) == SHOWN[family]
    notes = metadata(path)
    assert not notes["modelspec.architecture"].endswith("/lora")
    assert "ss_network_dim" not in notes


@pytest.mark.slow
def test_numbers_too_large_for_half_precision_leave_no_file(tmp_path):
    model = tiny_model(tmp_path / "model", torch.float32)
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_out.bias"] += 1e6
    save_file(tensors, file)
    made = ledger_of(tmp_path / "ledger", model)
    at = recorded(made, drawn(made.model.base))
    path = tmp_path / "whole.safetensors"

    with pytest.raises(ExportError, match=r"conv_out\.bias.* too large for half"):
        exported(at, path, "checkpoint", half=True)

    assert not path.exists()
