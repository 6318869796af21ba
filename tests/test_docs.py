"""What the documents say is what the program does and what was measured."""

from __future__ import annotations

import json
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks.suite import RESULTS, Suite
from docs.policy_tables import SECTIONS, SHIPPED, fields_table
from tests.solving import problem_of
from tests.typed import blocks, commands_in, fault, mentions_in
from unlearnlog import cli
from unlearnlog.atelier.bundled_model import FOLDER, base_answers
from unlearnlog.core.digest import Digest, merkle_root
from unlearnlog.core.reading_registry import MEANINGS
from unlearnlog.core.resources import policy_folder
from unlearnlog.erasers import eraser_table
from unlearnlog.erasers.closed_form import ClosedForm, written
from unlearnlog.erasers.eraser_table import ERASERS, eraser_called
from unlearnlog.probes.probe_table import PROBES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
API = ROOT / "docs" / "API.md"
LEDGER = ROOT / "docs" / "LEDGER.md"
COMMANDS = [
    command.name or command.callback.__name__
    for command in cli.app.registered_commands
    if command.callback
]


def test_generated_blocks_are_what_the_program_makes_today():
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"unlearnlog {command}" in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)

    missing = [
        link
        for link in links
        if "://" not in link and not (document.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("each", [*ERASERS.values(), *PROBES], ids=lambda e: e.name)
def test_every_eraser_and_probe_says_where_it_comes_from(each):
    kind = each if isinstance(each, type) else type(each)
    text = (kind.__doc__ or "") + (sys.modules[kind.__module__].__doc__ or "")

    assert each.source.startswith("https://")
    assert "Source:" in text


def test_results_were_measured_on_the_weights_that_ship():
    root = base_answers().root
    suites = ("alone", "erasers", "audit", "edges", "judges", "tiers", "unique")
    made = [c["made_of"] for suite in suites for c in cells_of(suite).values()]
    painting = json.loads((RESULTS / "painting.json").read_text(encoding="utf-8"))
    before = {c["rows"][0]["state"]["before"] for c in cells_of("alone").values()}

    assert len(made) > 400
    assert {each["weights"] for each in [*made, painting["made_of"]]} == {root}
    assert before == {merkle_root((), Digest(root))}


def cells_of(suite):
    return Suite.called(suite).cells()


def test_the_model_card_is_about_the_weights_that_ship():
    quality = json.loads((FOLDER / "quality.json").read_text(encoding="utf-8"))

    assert quality["root"] == base_answers().root
    assert quality["root"] in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_number_of_erasers_is_what_the_documents_say():
    n = len(ERASERS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert f"unlearnlog erasers                       {n} methods" in readme
    assert f"{n} of them run under one interface" in " ".join(readme.split())
    assert f"[{n} erasers](ERASERS.md)" in home
    assert f"`erasers` lists {n} methods" in changes


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_page_is_one_that_the_command_line_takes(page):
    faults = [
        *(fault(words, in_full=True) for words in commands_in(page)),
        *(fault(words, in_full=False) for words in mentions_in(page)),
    ]

    assert [each for each in faults if each] == []


@pytest.mark.parametrize(
    "words", ["ad Picasso", "import", "add cat --nope", "--nope", "config set a b c"]
)
def test_a_command_that_the_command_line_refuses_is_found(words):
    assert fault(words.split(), in_full=True)


def test_every_command_is_found_in_the_tutorial_and_the_readme():
    shown = {words[0] for words in commands_in(ROOT / "README.md")}

    assert set(COMMANDS) <= shown
    assert ["reset", "HEAD~1"] in [*commands_in(ROOT / "docs" / "TUTORIAL.md")]


def test_the_page_of_probes_explains_each_reading_once():
    text = (ROOT / "docs" / "PROBES.md").read_text(encoding="utf-8")

    named = " ".join(re.findall(r"<!-- begin readings (.+?) -->", text)).split()

    assert sorted(named) == sorted(MEANINGS)


def test_the_page_of_policies_has_every_section_and_every_policy_that_ships():
    text = (ROOT / "docs" / "POLICIES.md").read_text(encoding="utf-8")
    shipped = {path.stem for path in policy_folder().glob("*.toml")}

    assert set(re.findall(r"<!-- begin fields (\w+) -->", text)) == set(SECTIONS)
    assert shipped == set(SHIPPED)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_of_a_policy_is_described(section):
    rows = [row.split(" | ") for row in fields_table(section).splitlines()[2:]]

    undescribed = [row[0] for row in rows if len(row[-1].strip(" |")) < 10]

    assert undescribed == []


def test_everything_that_the_page_of_the_api_names_is_there():
    names = re.findall(r"^::: (\S+)$", API.read_text(encoding="utf-8"), re.MULTILINE)

    found = [pkgutil.resolve_name(name) for name in names]

    assert len(found) > 10


def test_the_eraser_of_the_api_page_is_one_and_does_what_its_formula_says(monkeypatch):
    (text,) = blocks(API, "python")
    module = ModuleType("my_package")
    monkeypatch.setitem(sys.modules, "my_package", module)
    exec(compile(text, str(API), "exec"), vars(module))
    point = EntryPoint("shortest", "my_package:Shortest", "unlearnlog.erasers")
    monkeypatch.setattr(eraser_table, "entry_points", lambda **_: [point])
    problem = problem_of()

    kind = eraser_called("shortest")
    assert issubclass(kind, ClosedForm)
    changes = dict(kind.of({}).changes(problem))

    for name, old in problem.old.items():
        new = old + written(changes[name])
        torch.testing.assert_close(
            new @ problem.pairs.erased.T, old @ problem.pairs.goal.T
        )


@pytest.fixture
def kept(tmp_path):
    """The ledger that is checked in, where its bytes may be changed."""
    shutil.copytree(ROOT / "tests/golden/ledger", tmp_path / ".unlearnlog")
    return tmp_path / ".unlearnlog"


def _read_by_the_page(kept):
    (text,) = blocks(LEDGER, "python")
    return subprocess.run(
        [sys.executable, "-c", text],
        cwd=kept.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_reader_of_the_ledger_page_reads_a_ledger_to_its_first_entry(kept):
    done = _read_by_the_page(kept)

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].split()[1] == "audit"
    assert len(lines) == 6


def test_the_reader_of_the_ledger_page_notices_a_flipped_byte(kept):
    ref = kept / "refs" / "heads" / "main"
    entry = kept / "entries" / ref.read_text()[:2] / f"{ref.read_text()[:64]}.json"
    entry.write_bytes(entry.read_bytes().replace(b'"seed":0', b'"seed":1'))

    done = _read_by_the_page(kept)

    assert "was changed" in done.stderr
