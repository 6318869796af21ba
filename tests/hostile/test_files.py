from contextlib import suppress

import pytest

from tests.hostile.files import FILES
from tests.hostile.guards import guarded
from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.foreign_file import SafetensorsFile

SAMPLED = sorted(FILES)[::10]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return build_pipeline(tmp_path_factory.mktemp("sound") / "pipeline")


@pytest.fixture(scope="module")
def state(sound):
    model = DiffusersModel.load(sound)
    return FinetuneBase(model, model.base)


def check_refused_or_read(path, secret, state):
    """Read what somebody gave under guards: an error in one sentence, or numbers."""
    with guarded(secret) as guard:
        with suppress(UnlearnlogError):
            found = derived(path, state)
            assert all(tensor.isfinite().all() for tensor in found.weights.values())
        if path.suffix == ".safetensors":
            with suppress(UnlearnlogError):
                file = SafetensorsFile.open(path)
                assert len(dict(file)) == len(file)
    assert guard.seen == []


@pytest.mark.parametrize("name", SAMPLED)
def test_some_files_of_strangers_are_refused_or_read(sound, tmp_path, state, name):
    check_refused_or_read(FILES[name](tmp_path, sound), tmp_path / "secret.json", state)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FILES) - set(SAMPLED)))
def test_every_file_of_strangers_is_refused_or_read(sound, tmp_path, state, name):
    """A pipe hung the audit, a file cut short under it ended the process."""
    check_refused_or_read(FILES[name](tmp_path, sound), tmp_path / "secret.json", state)
