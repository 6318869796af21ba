import json
import shutil
from contextlib import suppress

import pytest
import torch

from tests.hostile.folders import FOLDERS
from tests.hostile.guards import guarded
from tests.tiny import build_pipeline
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

SAMPLED = sorted(FOLDERS)[::20]
PROMPTS = ["", "a painting of a cat"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A pipeline that nobody touched."""
    return build_pipeline(tmp_path_factory.mktemp("sound") / "pipeline")


@pytest.fixture(scope="module")
def expected(sound):
    return seen_of(DiffusersModel.load(sound))


@pytest.fixture
def secret(tmp_path):
    """A file beside the folder, which a folder may name and nobody may open."""
    file = tmp_path / "secret.json"
    file.write_text("{}")
    return file


def seen_of(model):
    """What a model comes to: encoded prompts, a picture, its noise levels."""
    sampling = Sampling(steps=2, guidance=2.0, batch=1)
    painted = model.paint(["a cat"], [1], sampling=sampling)
    assert model.manifest.from_json(model.manifest.to_json()) == model.manifest
    return [
        model.encode(PROMPTS).tokens,
        painted.latents,
        painted.pictures,
        model.log_snr,
        *model.base.values(),
    ]


def check_refused_or_right(folder, secret, expected):
    """Load a folder under guards: an error in one sentence, or the sound pipeline."""
    seen = []
    with guarded(secret) as guard, suppress(UnlearnlogError):
        seen = seen_of(DiffusersModel.load(folder))
    assert guard.seen == []
    assert all(map(torch.equal, seen, expected))


@pytest.mark.parametrize("name", SAMPLED)
def test_some_hostile_folders_are_refused_or_loaded_right(
    sound, tmp_path, secret, expected, name
):
    folder = tmp_path / "pipeline"
    shutil.copytree(sound, folder)
    FOLDERS[name](folder, secret)

    check_refused_or_right(folder, secret, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FOLDERS) - set(SAMPLED)))
def test_every_hostile_folder_is_refused_or_loaded_right(
    sound, tmp_path, secret, expected, name
):
    """An adversary's folders ran code, called for a host, hung or ended in tracebacks.

    A kernel of the hub was called for by name, an encoder loaded from elsewhere, a
    million layers built for hours; a file that was cut short ended the process.
    """
    folder = tmp_path / "pipeline"
    shutil.copytree(sound, folder)
    FOLDERS[name](folder, secret)

    check_refused_or_right(folder, secret, expected)


def test_there_are_as_many_hostile_folders_as_were_asked_for():
    assert len(FOLDERS) >= 120


def test_the_guards_see_what_a_library_would_swallow(secret):
    with guarded(secret) as guard:
        for reach in (lambda: __import__("kernels"), secret.read_text):
            try:
                reach()
            except (ImportError, PermissionError):
                continue

    assert guard.seen == ["import kernels", f"open {secret}"]


def test_a_folder_with_the_keys_of_an_older_library_is_read(sound, tmp_path, expected):
    """Old configurations are full of keys that nobody knows any more."""
    folder = tmp_path / "pipeline"
    shutil.copytree(sound, folder)
    config = folder / "text_encoder" / "config.json"
    old = {"_name_or_path": "runs/1", "torch_dtype": "float16", "pruned_heads": {}}
    more = {"transformers_version": "4.21.0", "_attn_implementation_autoset": True}
    config.write_text(json.dumps(json.loads(config.read_text()) | old | more))

    seen = seen_of(DiffusersModel.load(folder))

    assert all(map(torch.equal, seen, expected))
