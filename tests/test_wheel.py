"""What `pip install` brings along, from a wheel built here and now."""

import zipfile
from pathlib import Path
from typing import Final

import pytest

import unlearnlog

ROOT: Final = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Build the wheel once; return the names of the files inside it."""
    from hatchling.build import build_wheel

    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as wheel:
        return set(wheel.namelist())


def test_the_wheel_carries_every_module(packed):
    """A pattern of `.gitignore` once took a whole folder of the package away."""
    package = (ROOT / "unlearnlog").rglob("*.py")

    modules = {str(file.relative_to(ROOT)) for file in package}

    assert "unlearnlog/checkpoints/lora_keys.py" in modules
    assert modules <= packed


def test_the_wheel_carries_every_policy(packed):
    policies = {f"unlearnlog/policies/{p.name}" for p in ROOT.glob("policies/*.toml")}

    assert "unlearnlog/policies/default.toml" in policies
    assert policies <= packed


@pytest.mark.parametrize("model", ["atelier", "glyphs"])
def test_the_wheel_carries_a_model_with_its_weights(packed, model):
    room = ROOT / "unlearnlog" / model
    files = [*room.rglob("*.toml"), *(room / "weights").rglob("*")]

    weights = {str(f.relative_to(ROOT)) for f in files if f.is_file()}

    assert any(name.endswith(".safetensors") for name in weights)
    assert weights <= packed


def test_the_wheel_carries_the_templates_of_reports(packed):
    folder = ROOT / "unlearnlog" / "report" / "templates"

    templates = {str(f.relative_to(ROOT)) for f in folder.iterdir()}

    assert "unlearnlog/report/templates/report.html" in templates
    assert templates <= packed


def test_the_wheel_says_that_it_is_typed(packed):
    assert "unlearnlog/py.typed" in packed


def test_the_wheel_holds_the_package_and_nothing_else(packed):
    tops = {name.split("/")[0] for name in packed}

    assert tops == {"unlearnlog", f"unlearnlog-{unlearnlog.__version__}.dist-info"}
