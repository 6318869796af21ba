"""One bit of a base's folder is another: it is found, or changes nothing."""

import random
import shutil

import pytest
import torch

from tests.hostile.test_folders import seen_of
from tests.tiny import build_pipeline
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.diffusers_model import DiffusersModel

N_FLIPS = 600
N_SAMPLED = 6
_OF_HEADERS = 0.3


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A pipeline and what it comes to, with two text encoders."""
    folder = build_pipeline(tmp_path_factory.mktemp("sound") / "base", family="xl")
    model = DiffusersModel.load(folder)
    return folder, model.manifest, seen_of(model)


def flipped(folder, draw):
    """Turn one bit over in one file; give a way back."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = draw.choice(files)
    data = bytearray(file.read_bytes())
    near = file.suffix == ".safetensors" and draw.random() < _OF_HEADERS
    place = draw.randrange(min(len(data), 4096) if near else len(data))
    data[place] ^= 1 << draw.randrange(8)
    before = file.read_bytes()
    file.write_bytes(data)
    return lambda: file.write_bytes(before)


def check_found_or_harmless(folder, manifest, expected):
    """Load a folder and compare it with what was recorded of it; whether it passed."""
    try:
        model = DiffusersModel.load(folder)
        manifest.check_same(model.manifest)
    except UnlearnlogError:
        return False
    assert all(map(torch.equal, seen_of(model), expected))
    return True


def check_flips(sound, folder, seeds):
    """Try flips; give how many of them did nothing."""
    origin, manifest, expected = sound
    shutil.copytree(origin, folder)
    harmless = 0
    for seed in seeds:
        undo = flipped(folder, random.Random(seed))
        harmless += check_found_or_harmless(folder, manifest, expected)
        undo()
    assert check_found_or_harmless(folder, manifest, expected)
    return harmless


def test_some_flipped_bits_are_found_or_harmless(sound, tmp_path):
    check_flips(sound, tmp_path / "base", range(N_SAMPLED))


@pytest.mark.slow
def test_every_flipped_bit_is_found_or_harmless(sound, tmp_path):
    """A base was known by its tensors alone.

    `beta_end` could be another after the ledger was made, an activation, the heads of
    an encoder, and every picture was of another model than the entries said.
    """
    harmless = check_flips(sound, tmp_path / "base", range(N_FLIPS))

    assert harmless < N_FLIPS / 2
