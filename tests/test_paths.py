"""Where a ledger lies is nobody's business: no path of the machine in what is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.exchanged import drawn
from tests.policy_texts import ANY_BASE, policy_text
from tests.tiny import build_pipeline
from unlearnlog.checkpoints import lora_writer
from unlearnlog.core.delta import LowRank
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.policy import Policy

NAME = "Zwölf-Boxkämpfer-jagen"
"""A folder that nothing else is called by."""

POLICY = policy_text(
    "quick",
    "ridge",
    judge="base",
    probes={"kept_share": 0.3, "information": 1},
    require=ANY_BASE,
    export={"fidelity": 0.0},
)

CONCEPTS = """
[concepts.Picasso]
kind = "style"
[concepts.Monet]
kind = "style"
[concepts.cat]
kind = "subject"
[concepts.dog]
kind = "subject"
"""


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder with a base of its own, whose files say where they were written."""
    folder = tmp_path / NAME / "models and ledgers"
    folder.mkdir(parents=True)
    base = build_pipeline(folder / "base")
    for file in ("model_index.json", "unet/config.json", "text_encoder/config.json"):
        content = json.loads((base / file).read_text())
        content["_name_or_path"] = str(base / Path(file).parent)
        (base / file).write_text(json.dumps(content, indent=2))
    (folder / "quick.toml").write_text(POLICY)
    (folder / "mine.toml").write_text(CONCEPTS)
    patches = drawn(DiffusersModel.load(base).base, seed=5, scale=0.01).patches
    pairs = {n: (p.left, p.right) for n, p in patches.items() if isinstance(p, LowRank)}
    tensors = lora_writer.written(pairs, "diffusers")
    save_file(
        {k: t.contiguous() for k, t in tensors.items()}, folder / "in.safetensors"
    )
    return folder


def given_away(folder: Path) -> dict[str, bytes]:
    """Return every file but the base itself, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "base"
    }


def spelled(text: str) -> list[bytes]:
    """Return a text as files write it: as UTF-8, and as JSON and HTML escape it."""
    return [text.encode(), json.dumps(text)[1:-1].encode(), b"Boxk"]


@pytest.mark.slow
def test_nothing_that_is_written_says_where_it_was_written(typed, deep, monkeypatch):
    """The card and the report of a model of one's own began with its absolute path."""
    monkeypatch.chdir(deep)
    at = ("--ledger", str(deep))
    how = (*at, "--policy", str(deep / "quick.toml"))
    world = ("--concepts", str(deep / "mine.toml"))

    done = [
        typed("init", "--model", str(deep / "base"), *at),
        typed("add", "Picasso", *how, *world, "-m", "asked", "--ref", "LEG-7"),
        typed(
            *("import", str(deep / "in.safetensors"), "--concept", "Monet"),
            *(*how, *world),
        ),
        typed("checkout", "HEAD", "-o", str(deep / "out"), *at),
        typed("audit", str(deep / "out"), "--record", *how, *world),
        typed("export", "HEAD", "-o", str(deep / "out.safetensors"), *how),
        typed("report", "-o", str(deep / "a.html"), *at, *world, "--pictures", "1"),
        typed("report", "-o", str(deep / "a.md"), *at, *world, "--pictures", "1"),
        typed("report", "-o", str(deep / "a.json"), *at, *world, "--pictures", "0"),
        typed("paint", "a cat", "-o", str(deep / "a.png"), *how),
        typed(
            *("rebase", "--onto", str(deep / "base"), "-o", str(deep / "again")),
            *(*how, *world),
        ),
    ]

    codes = [each.code for each in done]
    assert [c for c in codes if c not in (0, 3)] == [], [each.err for each in done]
    assert codes[1:4] == [0, 0, 0]
    files = given_away(deep)
    assert {"out/README.md", "a.html", "a.md", "a.json", "out.safetensors"} <= {*files}
    for name, data in files.items():
        for text in spelled(NAME):
            assert text not in data, name
    assert b"base, with erasures" in files["out/README.md"]


def test_a_base_is_checked_out_without_the_path_it_was_saved_from(typed, deep):
    """diffusers writes ``_name_or_path`` into what it saves, and it was copied."""
    typed("init", "--model", str(deep / "base"), "--ledger", str(deep))

    done = typed("checkout", "base", "-o", str(deep / "out"), "--ledger", str(deep))

    assert done.code == 0, done.err
    for file in ("model_index.json", "unet/config.json", "text_encoder/config.json"):
        old, new = (json.loads((deep / f / file).read_text()) for f in ("base", "out"))
        assert new.pop("_name_or_path") in ("base", "unet", "text_encoder")
        old.pop("_name_or_path")
        assert new == old


def test_a_name_that_is_no_path_stays_to_the_byte(typed, deep):
    config = deep / "base" / "unet" / "config.json"
    said = json.loads(config.read_text()) | {"_name_or_path": "somebody/model"}
    config.write_text(json.dumps(said))
    typed("init", "--model", str(deep / "base"), "--ledger", str(deep))

    typed("checkout", "base", "-o", str(deep / "out"), "--ledger", str(deep))

    assert (deep / "out/unet/config.json").read_bytes() == config.read_bytes()


def test_an_entry_keeps_the_name_of_a_judge_and_not_its_folder():
    policy = Policy.load("fast").saying(judge=f"/srv/{NAME}/clip-vit")

    assert policy.rules["judge"] == "clip-vit"
    assert Policy.load("fast").rules["judge"] == "auto"
