from pathlib import Path

import pytest

from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.models.diffusers_model import DiffusersModel

TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder that tests read and never change."""
    return build_pipeline(tmp_path_factory.mktemp("tiny") / "pipeline")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> DiffusersModel:
    return DiffusersModel.load(tiny_folder)


@pytest.fixture
def changed(tiny: DiffusersModel):
    """Other text projections, far from the base's."""
    return {name: (3 * old.float()).half() for name, old in tiny.base.items()}


@pytest.fixture
def spare_folder(tmp_path: Path) -> Path:
    """A pipeline folder that a test may damage."""
    return build_pipeline(tmp_path / "my model")


@pytest.fixture(scope="session")
def xl(tmp_path_factory: pytest.TempPathFactory) -> DiffusersModel:
    """A model with two text encoders, which nothing changes."""
    folder = tmp_path_factory.mktemp("xl") / "pipeline"
    return DiffusersModel.load(build_pipeline(folder, family="xl"))


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A pipeline on disk that nothing changes."""
    return build_pipeline(tmp_path_factory.mktemp("origin") / "pipeline")


@pytest.fixture(scope="module")
def state(origin):
    """A state in which one text projection is not the base's."""
    model = DiffusersModel.load(origin)
    name = f"unet.{TO_K}.weight"
    return FinetuneBase(model, {**model.base, name: model.base[name] * 1.5})


@pytest.fixture
def tuned(tmp_path, state):
    """A folder with the state in it, its UNet moved a little."""
    folder = tmp_path / "tuned"
    state.model.checkout(state.projections, folder)
    return folder
