"""The ledger that is checked in, copied to where it may be written, and its base."""

import shutil

import pytest

from tests.golden.held import HERE
from tests.tiny import build_pipeline


@pytest.fixture(scope="session")
def golden_base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    build_pipeline(folder / "base")
    return folder / "base"


@pytest.fixture
def kept(golden_base, tmp_path):
    """A folder with the ledger of an earlier version; its base lies beside it."""
    shutil.copytree(HERE / "ledger", tmp_path / "kept" / ".unlearnlog")
    (tmp_path / "base").symlink_to(golden_base)
    return tmp_path / "kept"
