from pathlib import Path

import pytest

from tests.tiny import build_pipeline
from unlearnlog.model.model import DiffusersModel


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
