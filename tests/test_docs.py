"""What the documents say is what the program does and what was measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.suite import RESULTS, Suite
from unlearnlog import cli
from unlearnlog.atelier.bundled_model import FOLDER, base_answers
from unlearnlog.core.digest import Digest, merkle_root
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.probes.probe_table import PROBES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
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

    assert f"unlearnlog erasers                       {n} methods" in readme
    assert f"`erasers` lists {n} methods" in changes
