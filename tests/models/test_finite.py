"""A network that is not finite is named, before anything is judged or written."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.policy_texts import policy_text
from tests.tiny import build_pipeline
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

QUICK = Sampling(2, 3.0)
JUDGES = ("none", "base")
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A model whose UNet leaves the range of float16 and not that of float32."""
    folder = build_pipeline(tmp_path_factory.mktemp("large") / "model")
    tensors = load_file(folder / UNET)
    weight = tensors["conv_in.weight"].float() * 1e5
    tensors["conv_in.weight"] = weight.half()  # on disk it is finite
    save_file(tensors, folder / UNET, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def half(large):
    return DiffusersModel.load(large, dtype=torch.float16)


def test_a_unet_beyond_float16_is_refused_when_it_paints_or_predicts(half):
    t = torch.tensor([500])

    with pytest.raises(ModelError, match="the UNet is not finite in float16") as caught:
        half.paint(["a cat"], [0], sampling=QUICK)
    with pytest.raises(ModelError, match="the UNet is not finite in float16"):
        half.eps(half.latent("a", 0)[None], t, half.encode(["a cat"]))

    assert "--dtype bfloat16 or --dtype float32" in caught.value.fix


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_a_dtype_with_more_range_it_paints(large, dtype):
    model = DiffusersModel.load(large, dtype=dtype)

    made = model.paint(["a cat"], [0], sampling=QUICK)

    assert made.latents.isfinite().all()


def test_what_is_given_and_not_finite_is_not_blamed_on_the_unet(tiny):
    """Of vectors that an attack drove too far, nothing is said of the model."""
    text = tiny.encode(["a cat"])
    endless = type(text)(text.tokens * torch.inf)
    x_t, t = tiny.latent("a", 0)[None], torch.tensor([500])

    predicted = tiny.eps(x_t, t, endless)

    assert not predicted.isfinite().all()


def test_an_autoencoder_or_a_text_encoder_that_is_not_finite_is_refused(tmp_path):
    model = DiffusersModel.load(build_pipeline(tmp_path / "model"))
    ((encoder, _),) = model._parts.encoders

    model._parts.vae.decoder.conv_in.weight.data.mul_(1e38)
    with pytest.raises(ModelError, match="the autoencoder is not finite in float32"):
        model.paint(["a cat"], [0], sampling=QUICK)
    encoder.final_layer_norm.weight.data.fill_(torch.inf)
    with pytest.raises(ModelError, match="the text encoder is not finite in float32"):
        model.encode(["a dog"])


@pytest.mark.parametrize(
    "command", ["paint", *(pytest.param(w, marks=pytest.mark.slow) for w in JUDGES)]
)
def test_every_command_says_so_and_writes_nothing(typed, tmp_path, large, command):
    """`paint` wrote black pictures and ended with 0.

    `add` ended in a traceback on what is no number, or, with a judge, said that there
    was nothing to erase: a black picture shows no concept.
    """
    typed("init", "--model", str(large))
    words = ["paint", "a cat", "-o", "a.png"]
    if command != "paint":
        rules = policy_text(
            "tiny",
            "ridge",
            judge=command,
            sampling={"steps": 2},
            probes={"alike": 6, "information": 1},
        )
        (tmp_path / "tiny.toml").write_text(rules)
        words = ["add", "Picasso", "--policy", "tiny.toml"]

    done = typed(*words, "--dtype", "float16")

    assert done.code == 2
    assert "the UNet is not finite in float16" in done.err
    assert "--dtype bfloat16 or --dtype float32" in done.err
    assert not (tmp_path / "a.png").exists()
    assert typed("log", "--json").json() == []
