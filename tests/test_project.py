"""Facts that stand in two files agree, and the house rules hold in every file."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import unlearnlog

ROOT: Final = Path(__file__).parents[1]
WEIGHTS: Final = tuple(
    ROOT / "unlearnlog" / model / "weights" for model in ("atelier", "glyphs")
)
KEPT: Final = ROOT / "tests" / "golden" / "ledger"
TEXTS: Final = {"", ".cfg", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
LIMIT_BYTES: Final = 500 * 1024

# Spelled in halves, so that this file obeys its own rule.
FORBIDDEN_WORDS: Final = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
FORBIDDEN_PLACES: Final = ("/ro" + "ot/", "/wo" + "rk/", "/tm" + "p/", "/ho" + "me/")


def _project_files() -> list[Path]:
    """List the project's files: all but what .gitignore names as a folder."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = {line.removesuffix("/") for line in lines if line.endswith("/")}
    ignored |= {".git"}
    found: list[Path] = []
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_dir() and path.name not in ignored:
                folders.append(path)
            elif path.is_file() and path.suffix != ".ckpt":
                found.append(path)
    return found


def _faults_in(text: str) -> list[str]:
    """List the forbidden words and places of other people's machines in a text."""
    words = re.compile(rf"\b({'|'.join(FORBIDDEN_WORDS)})\b")
    places = re.compile(rf"(?<![\w.])({'|'.join(FORBIDDEN_PLACES)})")
    return [*words.findall(text), *places.findall(text)]


def _repeats(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function repeats another: an overload, a property's setter."""
    names = [ast.unparse(each) for each in node.decorator_list]
    return any(name.endswith(("overload", ".setter")) for name in names)


def _undocumented(tree: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    """Yield the public names in ``tree``, and itself, that have no docstring."""
    if not ast.get_docstring(tree):
        yield where
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) if not name.startswith("_"):
                yield from _undocumented(node, f"{where}.{name}")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                exempt = name.startswith("_") or _repeats(node)
                if not exempt and not ast.get_docstring(node):
                    yield f"{where}.{name}"


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    stated = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin.specifier for pin in stated}


@pytest.fixture(scope="module")
def requirements(pyproject):
    project = pyproject["project"]
    extras = project["optional-dependencies"].values()
    found = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return [each for each in found if _name(each) != project["name"]]


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    versions = re.findall(r"^## \[?([^\]\s]+)", text, flags=re.MULTILINE)

    assert versions[0] == unlearnlog.__version__


def test_every_dependency_is_pinned(requirements, pins):
    missing = [name for name in map(_name, requirements) if name not in pins]

    assert missing == []


def test_every_pin_is_exact(pins):
    loose = [
        name
        for name, pin in pins.items()
        if [part.operator for part in pin] != ["=="] or "*" in str(pin)
    ]

    assert loose == []


def test_every_pin_lies_in_the_range_it_pins(requirements, pins):
    outside = [
        text
        for text in requirements
        for pin in pins[_name(text)]
        if not Requirement(text).specifier.contains(pin.version)
    ]

    assert outside == []


def test_every_dependency_has_a_lower_and_an_upper_bound(requirements):
    open_ended = [
        text
        for text in requirements
        if {part.operator for part in Requirement(text).specifier} != {">=", "<"}
    ]

    assert open_ended == []


def test_every_public_name_has_a_docstring():
    missing: list[str] = []
    for path in sorted((ROOT / "unlearnlog").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        missing += _undocumented(tree, str(path.relative_to(ROOT)))

    assert missing == []


def test_a_missing_docstring_is_found_at_any_depth():
    source = (
        '"""M."""\nclass A:\n    """A."""\n    def b(self): ...\n    def _c(self): ...'
    )

    found = list(_undocumented(ast.parse(source), "m"))

    assert found == ["m.A.b"]


MEASURED = ROOT / "benchmarks" / "results"


def test_no_file_but_the_weights_is_large():
    large = [
        str(path.relative_to(ROOT))
        for path in _project_files()
        if not any(path.is_relative_to(weights) for weights in WEIGHTS)
        and path.stat().st_size > LIMIT_BYTES
        and path.parent != MEASURED  # cells, a line a reading, one file a suite
    ]

    assert large == []


def test_no_output_of_a_run_lies_among_the_files():
    """Logs of a launcher once came in with a merge; they name places on a machine."""
    found = [
        str(path.relative_to(ROOT))
        for path in _project_files()
        if path.suffix in (".err", ".log", ".out")
    ]

    assert found == []


def test_no_file_holds_notes_to_self_or_places_on_someones_machine():
    found = {
        str(path.relative_to(ROOT)): faults
        for path in _project_files()
        if path.suffix in TEXTS
        and not any(path.is_relative_to(weights) for weights in WEIGHTS)
        and not path.is_relative_to(KEPT)
        if (faults := _faults_in(path.read_text(encoding="utf-8")))
    }

    assert found == {}


@pytest.mark.parametrize("fault", [*FORBIDDEN_WORDS, *FORBIDDEN_PLACES])
def test_a_forbidden_word_is_found(fault):
    assert _faults_in(f"x = 1  # {fault} tidy this") == [fault]
