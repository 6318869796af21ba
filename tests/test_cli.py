"""The command line from outside: what is typed, what comes back, which exit code."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import build_pipeline
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.mim import Mim
from unlearnlog.ledger.disk import Disk

QUICK = """
name = "quick"
[eraser]
name = "ridge"
[sampling]
steps = 10
guidance = 3.0
[probes]
erased = 1
renamed = 1
family = 1
alike = 1
kept = 1
kept_share = 0.1
information = 1
"""

PASSING = """
name = "passing"
[eraser]
name = "ridge"
[sampling]
steps = 1
guidance = 1.0
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
kept = 1
kept_share = 0.1
information = 0
[require]
base_presence = 0.0
"""
"""For what does not depend on what the pictures show: they show little."""

TRAINED = PASSING.replace(
    'name = "ridge"',
    'name = "mim"\nn_pictures = 18\nn_family = 0\nmax_steps = 2\nrate = 0.005',
)
NEVER = '[[limits]]\nreading = "damage.composition"\nat_most = -1.0\n'


@pytest.fixture(scope="module")
def forgot_picasso(tmp_path_factory) -> tuple[Path, Any]:
    """A folder whose ledger forgot Picasso, quickly, and what ``add --json`` said."""
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "quick.toml").write_text(QUICK)
    words = ["add", "Picasso", "--policy", "quick.toml", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "unlearnlog", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return what counts: the cache is never trusted, what is unfinished is swept."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not {"cache", "tmp"} & set(p.parts)
    }


def test_add_erases_and_says_everything_in_json(forgot_picasso):
    _, row = forgot_picasso

    readings = {r["probe"]: r for r in row["readings"]}
    assert row["created"] is True
    assert row["parent"] is None
    assert row["concepts"][0]["name"] == "Picasso"
    assert row["eraser"]["name"] == "ridge"
    assert row["verdict"]["passed"] is True
    assert row["verdict"]["accepted"] is False
    assert readings["ua"]["value"] > readings["ua"]["base"] + 0.5
    assert {"ira", "cra", "lands.subject", "lands.anchor", "floor"} <= readings.keys()
    assert {"drift", "self-mi", "self-mi.gap", "presence"} <= readings.keys()
    assert {"ua.alias", "nra", "ora", "family.erased"} <= readings.keys()
    assert all(r["n"] >= 1 and r["low"] <= r["high"] for r in row["readings"])


def test_log_show_and_status_agree_on_the_entry(forgot_picasso, typed):
    folder, row = forgot_picasso

    log = typed("log", "--ledger", str(folder), "--json").json()
    shown = typed("show", "HEAD", "--ledger", str(folder), "--json").json()
    status = typed("status", "--ledger", str(folder), "--json").json()

    assert [each["id"] for each in log] == [row["id"]] == [shown["id"]]
    assert status["head"] == row["id"]
    assert status["state"] == row["state"]["after"]
    assert status["erased"] == ["Picasso"]


def test_people_are_shown_tables(forgot_picasso, typed):
    folder, row = forgot_picasso

    log = typed("log", "--ledger", str(folder)).out
    shown = typed("show", "--ledger", str(folder)).out

    assert row["id"][:12] in log
    assert "Picasso" in log
    assert "95 % interval" in shown


def test_reset_goes_to_the_base_and_back_to_the_same_state(forgot_picasso, typed):
    folder, row = forgot_picasso
    at = ("--ledger", str(folder), "--json")

    typed("reset", "base", *at)
    below = typed("status", *at).json()
    typed("reset", row["id"][:8], *at)
    above = typed("status", *at).json()

    assert below["head"] == "base"
    assert below["state"] == row["state"]["before"]
    assert above["state"] == row["state"]["after"]


def test_a_checkout_paints_the_same_without_this_package(forgot_picasso, typed):
    folder, _ = forgot_picasso
    prompt = "a painting of a cat by Picasso"
    out, png = folder / "erased", folder / "both.png"
    at = ("--ledger", str(folder))

    assert typed("checkout", "HEAD", "-o", str(out), *at).code == 0
    painted = typed("paint", prompt, "-n", "1", "--seed", "5", "-o", str(png), *at)
    assert painted.code == 0

    from unlearnlog.models.diffusers_model import DiffusersModel

    latent = DiffusersModel.load(FOLDER).latent(prompt, 5)
    np.save(folder / "latent.npy", latent[None].numpy())
    program = f"""
import sys, numpy as np, torch
from diffusers import StableDiffusionPipeline
pipeline = StableDiffusionPipeline.from_pretrained({str(out)!r})
pipeline.set_progress_bar_config(disable=True)
latents = torch.from_numpy(np.load({str(folder / "latent.npy")!r}))
picture = pipeline([{prompt!r}], latents=latents, num_inference_steps=10,
                   guidance_scale=3.0, output_type="np").images[0]
np.save({str(folder / "plain.npy")!r}, picture)
assert not any(name.startswith("unlearnlog") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder)
    theirs = np.load(folder / "plain.npy") * 255  # [64, 64, 3]
    with Image.open(png) as opened:
        sheet = np.asarray(opened).astype(float)
    top, left, scale = 22 + 8 + 22, 8, 3
    ours = sheet[top : top + 64 * scale : scale, left : left + 64 * scale : scale]
    assert np.abs(ours - theirs).max() <= 1.01


def test_a_picture_at_two_revisions_shows_both(forgot_picasso, typed):
    folder, _ = forgot_picasso
    png = folder / "rows.png"
    revs = ("--at", "base", "--at", "HEAD")

    done = typed(
        *("paint", "a cat, on canvas", "-n", "2", "-o", str(png), *revs),
        *("--ledger", str(folder), "--json"),
    )

    assert done.json()["at"] == ["base", "HEAD"]
    with Image.open(png) as sheet:
        assert sheet.size == (2 * 192 + 3 * 8, 22 + 8 + 2 * (192 + 22 + 8))


def test_a_concept_is_not_erased_twice(forgot_picasso, typed):
    folder, row = forgot_picasso

    done = typed("add", "pablo  picasso", "--ledger", str(folder))

    assert done.code == 2
    assert f"erased already, by entry {row['id'][:12]}" in done.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("photo", "'photo' is the plain picture, not a concept"),
        ("", "empty"),
        ("x" * 10_000, "10000 characters long"),
        ("Picaso", "did you mean 'Picasso'?"),
        ("Haring", "the base paints 'Haring' in 0 % of 16 pictures: nothing to erase"),
    ],
)
def test_a_name_that_cannot_be_erased_is_refused_by_name(typed, tmp_path, name, said):
    (tmp_path / "quick.toml").write_text(QUICK)

    done = typed("add", name, "--policy", "quick.toml")

    assert done.code == 2
    assert said in done.err
    assert "fix:" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_refused_erasure_leaves_no_trace(typed, tmp_path):
    (tmp_path / "harsh.toml").write_text(PASSING + NEVER)

    done = typed("add", "Picasso", "--policy", "harsh.toml")

    assert done.code == 3
    assert "must be at most -1" in done.err
    assert done.out.startswith("✕ refused, nothing recorded: Picasso by ")
    assert "\n✕ lost beside its name  " in done.out
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_refused_erasure_leaves_a_ledger_as_it_was(forgot_picasso, typed):
    folder, _ = forgot_picasso
    (folder / "harsh.toml").write_text(PASSING + NEVER)
    before = files_of(folder / ".unlearnlog")

    done = typed(
        "add", "Monet", "--policy", str(folder / "harsh.toml"), "--ledger", str(folder)
    )

    assert done.code == 3
    assert files_of(folder / ".unlearnlog") == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3", "name"),
        (QUICK + "[limit]\nua = 1\n", "limit"),
        (TRAINED.replace("max_steps", "max_stepz"), "max_stepz"),
        (TRAINED.replace('"mim"', '"mime"'), "did you mean 'mim'"),
        ("name = ", "cannot be read"),
    ],
)
def test_a_wrong_policy_is_refused_before_any_work(typed, tmp_path, text, said):
    (tmp_path / "mine.toml").write_text(text)

    done = typed("add", "Picasso", "--policy", "mine.toml")

    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_policy_that_is_not_there_is_refused_with_those_that_are(typed):
    done = typed("add", "Picasso", "--policy", "lenient")

    assert done.code == 2
    assert "there is no policy 'lenient'" in done.err
    assert "default" in done.err


def test_a_folder_that_is_no_pipeline_is_refused(typed, tmp_path):
    (tmp_path / "notes").mkdir()

    done = typed("init", "--model", "notes")

    assert done.code == 2
    assert "notes" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_base_other_than_the_ledgers_is_refused(typed, tmp_path):
    build_pipeline(tmp_path / "model")
    assert typed("init", "--model", str(tmp_path / "model")).code == 0
    before = files_of(tmp_path / ".unlearnlog")
    file = next((tmp_path / "model" / "unet").glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))

    done = typed("checkout", "base", "-o", "out")

    assert done.code == 7
    assert "unet." in done.err
    assert files_of(tmp_path / ".unlearnlog") == before
    assert not (tmp_path / "out").exists()


def test_training_that_ends_in_nan_records_nothing(typed, tmp_path):
    text = TRAINED.replace("rate = 0.005", "rate = 1e30")
    (tmp_path / "wild.toml").write_text(text)

    done = typed("add", "Picasso", "--policy", "wild.toml")

    assert done.code == 1
    assert "1e+30" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_ctrl_c_in_the_middle_of_training_records_nothing(typed, tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> torch.Tensor:
        raise KeyboardInterrupt

    (tmp_path / "quick.toml").write_text(TRAINED)
    monkeypatch.setattr(Mim, "_goal", interrupted)

    done = typed("add", "Picasso", "--policy", "quick.toml")

    assert done.code == 130
    assert "nothing was recorded" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_full_disk_leaves_the_ledger_as_it_was(forgot_picasso, typed, monkeypatch):
    folder, _ = forgot_picasso
    (folder / "passing.toml").write_text(PASSING)
    before = files_of(folder / ".unlearnlog")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Disk, "write", full)
    done = typed(
        *("add", "Monet", "--ledger", str(folder)),
        *("--policy", str(folder / "passing.toml")),
    )

    assert done.code == 1
    assert "space" in done.err
    assert files_of(folder / ".unlearnlog") == before


@pytest.mark.parametrize(
    "words",
    [
        ("log",),
        ("show",),
        ("status",),
        ("reset", "base"),
        ("checkout", "HEAD", "-o", "out"),
        ("paint", "a cat", "-o", "cat.png"),
    ],
)
def test_without_a_ledger_every_verb_but_add_says_what_to_type(typed, tmp_path, words):
    done = typed(*words)

    assert done.code == 2
    assert "no ledger" in done.err
    assert "unlearnlog add" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("lgo",), "unlearnlog --help"),
        (("--jsn",), "unlearnlog --help"),
        (
            ("add",),
            'name one: unlearnlog add "Picasso"; or give a file of many, '
            "--from names.csv",
        ),
        (("checkout", "HEAD"), "unlearnlog checkout --help"),
        (("log", "--jsn"), "unlearnlog log --help"),
    ],
)
def test_words_that_are_no_command_are_refused_without_a_traceback(typed, words, fix):
    done = typed(*words)

    assert done.code == 2
    assert f"fix: {fix}\n" in done.err


def test_without_a_word_the_commands_are_listed(typed):
    done = typed()

    assert (done.code, done.err) == (0, "")
    assert "Usage: unlearnlog" in done.out
    assert "Erase a concept" in done.out


def test_an_unknown_revision_is_refused_by_its_name(forgot_picasso, typed):
    folder, _ = forgot_picasso

    done = typed("show", "nosuch", "--ledger", str(folder))

    assert done.code == 2
    assert "nosuch" in done.err


def test_concepts_lists_everything_the_model_paints(typed):
    rows = typed("concepts", "--json").json()

    assert {row["kind"] for row in rows} == {"style", "subject"}
    assert len(rows) == 32
    assert next(r for r in rows if r["name"] == "Picasso")["look_alike"] == "Braque"


def test_erasers_are_listed_with_what_they_need_and_where_they_come_from(typed):
    rows = {row["name"]: row for row in typed("erasers", "--json").json()}

    assert set(rows) == set(ERASERS)
    for row in rows.values():
        assert row["source"].startswith("https://")
        assert row["says"].endswith(".")
        assert row["needs"]
        assert row["settings"][row["strength"]] > 0
    assert rows["uce"]["joint"]
    assert not rows["rece"]["joint"]
    assert "double-projection" in typed("erasers").out


def test_what_cannot_be_hardened_is_refused_before_any_work(typed):
    done = typed("add", "Picasso", "--eraser", "uce", "--harden")

    assert done.code == 2
    assert "'uce' cannot be hardened" in done.err


def test_a_setting_that_the_eraser_does_not_have_is_refused_by_its_name(typed):
    done = typed("add", "Picasso", "--eraser", "uce", "--set", "speed=3")

    assert done.code == 2
    assert "no setting 'speed'" in done.err
