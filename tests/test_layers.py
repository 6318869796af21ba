"""Imports point one way: a layer may use the ones before it, never one after it."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

# The map of ARCHITECTURE.md, lowest first. A new module is one word here.
LAYERS: Final = (
    *("collecting", "visible", "errors", "suggest", "meanings"),
    *(
        "plainfile",
        "resources",
        "devices",
        "presets",
        "knobs",
        "made_with",
        "watch",
        "digest",
    ),
    *("naming", "concept", "cell", "shelf", "prompt", "patch", "delta", "factors"),
    *("reading", "attempt", "note", "entry", "live", "doubt"),
    "ledger",
    "graph",
    "model",
    "nats",
    "judges",
    "atelier",
    "erasers",
    "probes",
    "audits",
    *("limits", "policy"),
    "settings",
    "findings",
    "run",
    "report",
    "api",
    "cli",
    "__main__",
)

_WITH_TENSORS: Final = frozenset(
    {
        *("shelf", "patch", "delta", "factors", "ledger", "model", "nats", "judges"),
        *("atelier", "erasers", "probes", "audits", "run", "api", "report"),
    }
)

# Who may import what weighs much or belongs to one place.
USERS: Final[Mapping[str, frozenset[str]]] = {
    "torch": _WITH_TENSORS,
    "safetensors": _WITH_TENSORS,
    # atelier's recipe builds the networks that model/ loads, and shows their training.
    "diffusers": frozenset({"model", "atelier"}),
    "huggingface_hub": frozenset({"model"}),
    "peft": frozenset({"model"}),
    "accelerate": frozenset({"erasers", "atelier"}),
    "transformers": frozenset({"model", "atelier", "judges"}),
    "rich": frozenset({"report", "api", "cli", "atelier"}),
    "typer": frozenset({"cli"}),
    "jinja2": frozenset({"report"}),
    "networkx": frozenset({"graph", "run", "report"}),
    "click": frozenset({"cli"}),
}


def _layer(module: str) -> str:
    """Return the layer of one of our modules; the package itself has none: ''."""
    return [*module.split("."), ""][1]


def _target(node: ast.ImportFrom, package: str) -> str:
    """Spell out the module of a `from` import, relative ones too."""
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def _by_name(node: ast.Call) -> Iterator[str]:
    """Yield the module of `import_module("...")` or `__import__("...")`."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in {"import_module", "__import__"} and node.args:
        match node.args[0]:
            case ast.Constant(value=str(module)):
                yield module


def _imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name) for each in names)
            case ast.ImportFrom(names=names):
                target = _target(node, package)
                if target == "unlearnlog":
                    found = [f"unlearnlog.{each.name}" for each in names]
                    known = [name for name in found if _layer(name) in LAYERS]
                    yield from ((node.lineno, name) for name in known or [target])
                else:
                    yield node.lineno, target
            case ast.Call():
                yield from ((node.lineno, name) for name in _by_name(node))


def _fault(importer: str, imported: str) -> str | None:
    """Say what is wrong with one import, or None."""
    layer, root = _layer(importer), imported.split(".")[0]
    if root != "unlearnlog":
        may = layer in USERS.get(root, {layer})
        return None if may else f"only {sorted(USERS[root])} may import {root}"
    other = _layer(imported)
    if not other:  # the package's own file, which anyone may ask for the version
        return None
    if not layer:
        only = "the package's own file imports nothing of the package but its api"
        return None if other == "api" else only
    if other not in LAYERS:
        return f"{imported} is in no layer"
    if LAYERS.index(other) > LAYERS.index(layer):
        return f"{layer} is below {other}"
    return None


def violations(sources: Mapping[str, str]) -> list[str]:
    """Return one line for every import that points the wrong way.

    Args:
        sources: Text of each file, by its path below the folder of the package.
    """
    faults = []
    for path, source in sources.items():
        module = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        if _layer(module) not in {*LAYERS, ""}:
            faults.append(f"{path}: {_layer(module)} is in no layer")
            continue
        for line, imported in _imported(source, package):
            if fault := _fault(module, imported):
                faults.append(f"{path}:{line}: {fault}")
    return faults


def test_imports_point_one_way_and_heavy_libraries_stay_in_their_place():
    files = sorted((ROOT / "unlearnlog").rglob("*.py"))
    sources = {str(f.relative_to(ROOT)): f.read_text(encoding="utf-8") for f in files}

    assert violations(sources) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import unlearnlog.cli",
        "import json, unlearnlog.cli",
        "from unlearnlog import cli",
        "from unlearnlog.cli import main",
        "from ..cli import main",
        "from .. import cli",
        "def late():\n    from unlearnlog.cli import main",
        "if TYPE_CHECKING:\n    from unlearnlog.cli import main",
        'import_module("unlearnlog.cli")',
        'importlib.import_module("unlearnlog.cli")',
    ],
)
def test_an_upward_import_is_found_however_it_is_spelled(statement):
    found = violations({"unlearnlog/ledger/store.py": statement})

    assert len(found) == 1
    assert "ledger is below cli" in found[0]


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("unlearnlog/errors.py", "from unlearnlog.concept import Concept"),
        ("unlearnlog/entry.py", "import torch"),
        ("unlearnlog/cli.py", "def add():\n    import torch.nn"),
        ("unlearnlog/erasers/mim.py", "from diffusers.models import AutoencoderKL"),
        ("unlearnlog/probes/presence.py", "import transformers"),
        ("unlearnlog/run/erase.py", "import rich.table"),
        ("unlearnlog/report/html.py", "import typer"),
        ("unlearnlog/__init__.py", "from unlearnlog.errors import UnlearnlogError"),
        ("unlearnlog/cli.py", "import unlearnlog.helpers"),
        ("unlearnlog/helpers.py", ""),
    ],
)
def test_every_other_way_to_leave_ones_place_is_found(path, statement):
    found = violations({path: statement})

    assert len(found) == 1


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("unlearnlog/cli.py", "from unlearnlog import __version__, run"),
        ("unlearnlog/made_with.py", "from unlearnlog import __version__"),
        ("unlearnlog/model/model.py", "import diffusers, torch"),
        ("unlearnlog/ledger/store.py", "from .disk import Disk"),
        ("unlearnlog/ledger/__init__.py", "from .ledger import Ledger"),
        ("unlearnlog/__init__.py", "import importlib"),
    ],
)
def test_a_downward_import_is_left_alone(path, statement):
    found = violations({path: statement})

    assert found == []


HEAVY: Final = "{'torch', 'diffusers', 'transformers'}"


def _heavy_after(program: str) -> str:
    """Run a program in a fresh interpreter; return the heavy modules it loaded."""
    tail = f"\nimport sys; print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program + tail],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()[-1]


def test_importing_the_package_loads_nothing_heavy():
    assert _heavy_after("import unlearnlog") == "[]"


@pytest.mark.skipif(
    find_spec("unlearnlog.cli") is None, reason="there is no command line yet"
)
def test_asking_for_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from unlearnlog.cli import main\n"
        "sys.argv = ['unlearnlog', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
    )

    assert _heavy_after(program) == "[]"


def test_a_heavy_import_is_noticed():
    assert _heavy_after("import sys; sys.modules['torch'] = sys") == "['torch']"
