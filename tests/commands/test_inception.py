"""FID of pictures painted elsewhere, beside torch-fidelity's own."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.clip_folder import build_clip

try:
    import torch_fidelity as fidelity
except (ImportError, RuntimeError) as error:  # a torchvision of another PyTorch
    pytest.skip(f"torch-fidelity is not there: {error}", allow_module_level=True)

WORDS = ("probe", "--images", "out", "--prompts", "lines.txt", "--reference", "ref")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Write the network with random weights, as it is published and as safetensors."""
    folder = tmp_path_factory.mktemp("inception")
    network = fidelity.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(network, "load_state_dict", lambda *_: None)
        torch.save({}, folder / "empty.pth")
        net = network(
            *("inception-v3-compat", ["2048"]),
            feature_extractor_weights_path=str(folder / "empty.pth"),
        )
    torch.save(net.state_dict(), folder / "fid.pth")
    save_file(net.state_dict(), folder / "fid.safetensors")
    return folder


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_clip(tmp_path / "clip")
    rng = np.random.default_rng(0)
    out = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    ref = (out[:36] // 2 + rng.integers(0, 64, (36, 32, 32, 3))).astype("u1")
    for name, pixels in (("out", out), ("ref", ref)):
        (tmp_path / name).mkdir()
        for i, each in enumerate(pixels):
            Image.fromarray(each).save(tmp_path / name / f"{i}.png")
    (tmp_path / "lines.txt").write_text("a cat\n" * 40)
    return tmp_path


@pytest.mark.slow
def test_fid_is_torch_fidelity_s(typed, pictures, weights):
    file = weights / "fid.safetensors"

    done = typed(*WORDS, "--judge", "clip", "--inception", str(file), "--json")

    assert done.code == 0, done.err
    found = {r["probe"]: r for r in json.loads(done.out)["readings"]}
    wanted = fidelity.calculate_metrics(
        input1=str(pictures / "out"),
        input2=str(pictures / "ref"),
        fid=True,
        cuda=False,
        verbose=False,
        cache=False,
        save_cpu_ram=True,
        feature_extractor_weights_path=str(weights / "fid.pth"),
    )["frechet_inception_distance"]
    assert "fd" not in found
    assert found["fid"]["value"] == pytest.approx(wanted, rel=1e-4)
    assert found["fid"]["low"] <= found["fid"]["value"] <= found["fid"]["high"]
    assert found["fid"]["n"] == 36


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_files_that_are_not_the_network_are_refused(typed, weights, tmp_path):
    class Boom:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "bad.pth").write_bytes(pickle.dumps(Boom()))
    (tmp_path / "bad.safetensors").write_bytes(pickle.dumps(Boom()))
    tensors = load_file(weights / "fid.safetensors")
    tensors.pop("fc.weight")
    save_file(tensors, tmp_path / "less.safetensors")
    said = {
        "bad.pth": "'bad.pth' is no safetensors file",
        "bad.safetensors": "'bad.safetensors' is no safetensors file",
        "less.safetensors": 'Missing key(s) in state_dict: "fc.weight"',
        "none.safetensors": "there is no file 'none.safetensors'",
    }

    for name, words in said.items():
        done = typed(*WORDS, "--judge", "clip", "--inception", name)

        assert done.code == 2, name
        assert words in " ".join(done.err.split()), done.err
    assert not (tmp_path / "ran").exists()
