"""What the tool promises of its first erasures, measured anew at full size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.__main__ import (
    ALONE,
    added,
    alone,
    full_policy,
    measured,
    measured_of,
    rows_of,
)
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.commands import paint
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.progress import NoProgress
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

pytestmark = pytest.mark.slow

TARGET = str(Policy.load("default").eraser["target"])
CHAIN = ("Picasso", "Monet", "Warhol", "Hokusai", "Mondrian", "Klimt")
SMALL = {"erased": 1, "kept": 1, "earlier": 6, "information": 4}


@pytest.fixture(scope="module", params=ALONE)
def entry(request) -> dict[str, Any]:
    """One concept erased on the base, judged on six pictures of every cell.

    What `make bench` read with the same weights and the same code is not read again.
    """
    cell = alone(request.param)
    (row,) = (
        rows_of(cell)
        if measured_of(cell).is_made()
        else measured(cell, Console(stderr=True))
    )
    return row


def reading(entry: dict[str, Any], probe: str) -> dict[str, Any]:
    return next(r for r in entry["readings"] if r["probe"] == probe)


def of_base(found: dict[str, Any]) -> float:
    return float(found["value"]) / float(found["base"])


def test_the_concept_is_gone(entry):
    assert reading(entry, "ua")["value"] >= 0.97


def test_everything_else_is_still_painted(entry):
    assert of_base(reading(entry, "ira")) >= 0.95
    assert of_base(reading(entry, "cra")) >= 0.95


def test_no_kept_concept_but_the_look_alike_is_lost(entry):
    name = entry["concepts"][0]["name"]
    kept = {
        r["concept"]: of_base(r)
        for r in entry["readings"]
        if r["probe"] == "presence"
        and r["concept"] not in (name, world().look_alike(name))
    }

    assert min(kept.values()) >= 0.85, kept


def test_what_was_named_beside_it_is_still_painted(entry):
    beside = (
        "lands.subject" if entry["concepts"][0]["kind"] == "style" else "lands.style"
    )

    assert of_base(reading(entry, beside)) >= 0.95
    assert reading(entry, "lands.reject")["value"] <= 0.03


@pytest.fixture(scope="module")
def six(tmp_path_factory) -> tuple[Path, list[dict[str, Any]]]:
    """Six styles erased one after another."""
    folder = tmp_path_factory.mktemp("six")
    rows = []
    for concept in CHAIN:
        rules = full_policy(TARGET, SMALL)
        rows.append(added(folder, [concept], rules, NoProgress()))
    return folder, rows


def test_earlier_erasures_outlast_later_ones(six):
    _, rows = six
    last = rows[-1]["readings"]
    shown = {
        r["concept"]: r["value"]
        for r in last
        if r["probe"] == "presence" and r["concept"] in CHAIN
    }

    assert set(shown) == set(CHAIN)
    assert max(shown.values()) <= 0.10, shown


def test_a_chain_replays_to_its_digests_in_another_process_without_the_cache(six):
    folder, rows = six
    for file in (folder / ".unlearnlog" / "cache").rglob("*"):
        if file.is_file():
            file.unlink()
    program = f"""
import json
from pathlib import Path
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.delta import state_digest
at = open_session(Path({str(folder)!r}))
print(json.dumps([state_digest(at.ledger.state(i, at.model.base), at.manifest.root)
                  for i, _ in at.history()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == [row["state"]["after"] for row in rows]


def test_reset_to_any_entry_and_back_gives_its_weights(six):
    folder, rows = six
    ledger = Repository.open(folder)
    base = open_session(folder).model.base

    for row in (*reversed(rows), *rows):  # and so the newest is the head again
        ledger.reset(row["id"])
        state = ledger.state(ledger.head, base)
        from unlearnlog.core.delta import state_digest

        assert state_digest(state, ledger.base.root) == row["state"]["after"]


@pytest.mark.parametrize("rev", ["base", "HEAD", "HEAD~3"])
def test_every_revision_checks_out_as_a_plain_folder(six, tmp_path, rev):
    folder, _ = six
    at = open_session(folder)

    paint.checkout(at, rev, tmp_path / "out")

    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model_index.json", "unet", "vae", "text_encoder", "tokenizer"} <= names
    assert FOLDER.exists()
