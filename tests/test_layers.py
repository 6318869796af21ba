"""Imports point one way: a room may use the floors below it, never one above it."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

# The map of ARCHITECTURE.md, lowest first; rooms on one floor do not know each other.
FLOORS: Final = (
    ("core",),
    ("concepts", "ledger"),
    ("models", "remotes"),
    ("atelier", "checkpoints", "glyphs", "judges", "erasers"),
    ("workers",),
    ("policy", "probes"),
    ("audits", "findings", "ranks"),
    ("commands",),
    ("report",),
    ("api",),
    ("cli",),
)
FLOOR_OF: Final = {room: n for n, rooms in enumerate(FLOORS) for room in rooms}
ROOM_OF: Final = {"errors": "core", "__main__": "cli"}
"""Modules of the package's own folder that belong to a room below it."""

# Values that need no torch are read by the command line before it is loaded.
_WITH_TENSORS: Final = frozenset(
    {
        *(
            f"core.{name}"
            for name in ("delta", "low_rank", "patch", "ranks", "work_cache")
        ),
        *("ledger", "models", "checkpoints", "judges", "atelier", "erasers", "probes"),
        *("workers", "audits", "commands", "ranks", "report", "api"),
    }
)

# Who may import what weighs much or belongs to one place.
USERS: Final[Mapping[str, frozenset[str]]] = {
    "torch": _WITH_TENSORS,
    "safetensors": _WITH_TENSORS,
    "diffusers": frozenset({"models", "checkpoints"}),
    "huggingface_hub": frozenset({"models", "remotes"}),
    "asyncssh": frozenset({"remotes"}),
    "fsspec": frozenset({"remotes"}),
    "obstore": frozenset({"remotes"}),
    "model_signing": frozenset({"commands"}),
    "pyrage": frozenset({"ledger"}),
    "peft": frozenset({"models"}),
    "ray": frozenset({"workers"}),
    "accelerate": frozenset({"models", "ranks"}),
    "transformers": frozenset({"models", "judges"}),
    "rich": frozenset({"report", "api", "cli"}),
    "typer": frozenset({"cli"}),
    "jinja2": frozenset({"report"}),
    "networkx": frozenset({"concepts", "commands", "report"}),
    "click": frozenset({"cli"}),
    **dict.fromkeys(
        ("gradio", "fastapi", "uvicorn"),
        frozenset({"api.page.page_layout", "api.page.page_server"}),
    ),
}


def room_of(module: str) -> str:
    """Return the room of one of our modules; the package itself has none: ''."""
    first = [*module.split("."), ""][1]
    return ROOM_OF.get(first, first)


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
                    known = [name for name in found if room_of(name) in FLOOR_OF]
                    yield from ((node.lineno, name) for name in known or [target])
                else:
                    yield node.lineno, target
            case ast.Call():
                yield from ((node.lineno, name) for name in _by_name(node))


def at_work(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but what only a checker of types reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_work(node)


def _used(source: str, modules: Mapping[str, str]) -> set[str]:
    """Return those of the package's modules that a file needs while it runs."""
    found = set()
    for node in at_work(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{each.name}" for each in node.names}
            found |= (within & modules.keys()) or {node.module}
    return found & modules.keys()


def _fault(importer: str, imported: str) -> str | None:
    """Say what is wrong with one import, or None."""
    room, root = room_of(importer), imported.split(".")[0]
    if root != "unlearnlog":
        users = USERS.get(root)
        inside = importer.removeprefix("unlearnlog.")
        may = users is None or room in users or inside in users
        return None if may else f"only {sorted(users or ())} may import {root}"
    other = room_of(imported)
    if not other:  # the package's own file, which anyone may ask for the version
        return None
    if not room:
        only = "the package's own file imports nothing of the package but its api"
        return None if other == "api" else only
    if other not in FLOOR_OF:
        return f"{imported} is in no room"
    if room != other and FLOOR_OF[other] >= FLOOR_OF[room]:
        return f"{room} is not above {other}"
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
        if room_of(module) not in {*FLOOR_OF, ""}:
            faults.append(f"{path}: {room_of(module)} is in no room")
            continue
        for line, imported in _imported(source, package):
            if fault := _fault(module, imported):
                faults.append(f"{path}:{line}: {fault}")
    return faults


@pytest.fixture(scope="module")
def sources():
    files = sorted((ROOT / "unlearnlog").rglob("*.py"))
    return {str(f.relative_to(ROOT)): f.read_text(encoding="utf-8") for f in files}


def test_imports_point_one_way_and_heavy_libraries_stay_in_their_place(sources):
    assert violations(sources) == []


def test_no_module_imports_itself_through_others(sources):
    """A circle within a room is a circle as well, wherever in a file it is closed."""
    paths = {".".join(Path(p).with_suffix("").parts): p for p in sources}
    graph = {module: _used(sources[path], paths) for module, path in paths.items()}

    order = [*TopologicalSorter(graph).static_order()]

    assert len(order) == len(graph)


def test_a_module_and_a_class_have_a_name_of_their_own(sources):
    modules = Counter(Path(p).stem for p in sources)
    classes = Counter(
        node.name
        for source in sources.values()
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    )

    del modules["__init__"]
    assert [name for name, n in modules.items() if n > 1] == []
    assert [name for name, n in classes.items() if n > 1] == []


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
    assert "ledger is not above cli" in found[0]


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("unlearnlog/errors.py", "from unlearnlog.ledger.store import Store"),
        ("unlearnlog/core/entry.py", "import torch"),
        ("unlearnlog/cli.py", "def add():\n    import torch.nn"),
        ("unlearnlog/erasers/mim.py", "from diffusers.models import AutoencoderKL"),
        ("unlearnlog/probes/presence.py", "import transformers"),
        ("unlearnlog/commands/add.py", "import rich.table"),
        ("unlearnlog/report/html_page.py", "import typer"),
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
        ("unlearnlog/cli.py", "from unlearnlog import __version__, commands"),
        ("unlearnlog/core/provenance.py", "from unlearnlog import __version__"),
        ("unlearnlog/models/diffusers_model.py", "import diffusers, torch"),
        ("unlearnlog/ledger/store.py", "from .disk import Disk"),
        ("unlearnlog/ledger/__init__.py", "from .store import Store"),
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


def test_no_pipeline_of_diffusers_is_imported_with_the_code():
    """Pipelines import image processors, and transformers remarks on them."""
    found = [
        (str(path.relative_to(ROOT)), node.module)
        for path in (ROOT / "unlearnlog").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("diffusers.pipelines")
    ]

    assert found == []
