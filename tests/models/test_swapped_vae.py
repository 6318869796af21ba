"""An autoencoder in the base's place says nothing about where a model is from."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from tests.single_files import single_of
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import ModelError, WrongBase


@pytest.fixture
def state(tiny):
    return FinetuneBase(tiny, {})


@pytest.fixture
def swapped(tiny_folder, tmp_path):
    """Copy the tiny folder with a random autoencoder, whose sizes may differ."""

    def copy(**changes):
        folder = tmp_path / "swapped"
        shutil.copytree(tiny_folder, folder)
        config = {**AutoencoderKL.load_config(folder / "vae"), **changes}
        with torch.random.fork_rng():
            torch.manual_seed(5)
            vae = AutoencoderKL.from_config(config)
        vae.half().save_pretrained(folder / "vae")
        return folder

    return copy


def test_a_swapped_autoencoder_is_kept_apart_from_what_descends(state, swapped):
    folder = swapped()

    found = derived(folder, state)

    assert found.moved["vae"] > 0.5
    assert not any(name.startswith("vae.") for name in found.weights)
    assert all(name.startswith("vae.") for name in found.own_vae)
    assert found.whole.keys() == found.own_vae.keys()
    assert any("its autoencoder is another one" in note for note in found.notes)


def test_a_single_file_may_have_another_autoencoder_too(state, swapped, tmp_path):
    folder = swapped()
    save_file(single_of(folder, "1.5"), tmp_path / "merged.safetensors")

    found = derived(tmp_path / "merged.safetensors", state)

    assert found.own_vae.keys() == derived(folder, state).own_vae.keys() != set()


@pytest.mark.parametrize(
    "changes",
    [{"latent_channels": 7}, {"layers_per_block": 2}, {"scaling_factor": 0.5}],
)
def test_one_for_other_latents_is_left_out(state, swapped, changes):
    found = derived(swapped(**changes), state)

    assert found.weights == found.own_vae == found.moved == {}
    assert "is none for the base's latents" in found.notes[0]
    assert not found.is_plain


def test_the_same_autoencoder_under_another_scale_is_refused(
    state, tiny_folder, tmp_path
):
    shutil.copytree(tiny_folder, tmp_path / "scaled")
    file = tmp_path / "scaled" / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scaling_factor": 0.5}))

    with pytest.raises(ModelError, match="scaling_factor"):
        derived(tmp_path / "scaled", state)


def test_another_unet_is_refused_whatever_the_autoencoder(state, swapped, tiny_folder):
    folder = swapped()
    (weights,) = (folder / "unet").glob("*.safetensors")
    other = {n: torch.randn(t.shape).half() for n, t in state.stored.items()}
    save_file(
        {n.removeprefix("unet."): t for n, t in other.items() if n.startswith("unet.")},
        weights,
    )

    with pytest.raises(WrongBase, match="its unet is"):
        derived(folder, state)
    assert derived(tiny_folder, state).own_vae == {}
