"""Hostile texts typed into every command.

No crash, whatever is typed; nothing is written but what can be seen; JSON that is JSON.
"""

from __future__ import annotations

import json
import shutil

import pytest
import typer

from tests.hostile_texts import CONTROLS, HALVES, HOSTILE, NAMES
from tests.ledger.making import new_ledger, next_entry, some_delta
from tests.test_docs import COMMANDS
from unlearnlog import cli
from unlearnlog.core.visible import is_seen, visible

X = "\N{REPLACEMENT CHARACTER}"
"""Where a hostile text is typed."""

TYPED = (
    *((X,), ("log", "--ledger", X), ("log", X), ("show", X), ("status", "--ledger", X)),
    *(("add", X), ("add", "--batch", "Picasso", X), ("add", "Picasso", "--kind", X)),
    *(("add", X, "--kind", "style", "--policy", "no"), ("add", "Monet", "--set", X)),
    *(("add", "Monet", "--policy", X), ("add", "Monet", "--judge", X)),
    *(("add", "Monet", "--eraser", X), ("add", "Monet", "--device", X)),
    *(("add", "Monet", "--dtype", X), ("add", "Monet", "--base", X)),
    *(("add", "Monet", "--concepts", X), ("add", "Monet", "--seed", X)),
    *(("revert", X), ("revert", "HEAD", "--concept", X), ("compose", X)),
    *(("compose", f"{X}@HEAD"), ("import", X, "--concept", "Monet")),
    *(("import", "x.safetensors", "--concept", X), ("export", X, "-o", "x")),
    *(("export", "HEAD", "-o", X), ("export", "HEAD", "-o", "x", "--format", X)),
    *(("checkout", X, "-o", "new"), ("paint", "x", "-o", X), ("paint", "x", "--at", X)),
    *(("probe", X), ("probe", "--concept", X), ("probe", "--judge", X)),
    *(("graph", "--at", X), ("graph", "-o", X), ("graph", "--concepts", X)),
    *(("drift", X), ("drift", "--concept", X), ("drift", "--reading", X)),
    *(("report", X, "--format", "md"), ("report", "-o", X), ("report", "--format", X)),
    *(("diff", X), ("diff", "HEAD", X), ("bisect", X), ("branch", X)),
    *(("branch", "b", X),),
    *(("switch", X), ("tag", X), ("tag", "t", X), ("reset", X), ("reset", f"{X}~1")),
    *(("config", "set", "policy", X), ("config", "set", "author.name", X)),
    *(("config", "set", X, "y"), ("config", "get", X), ("config", "unset", X)),
    *(("fsck", "--base", X), ("gc", "--ledger", X), ("init", "--model", X)),
    *(("init", "--ledger", X, "--model", "nowhere/"), ("concepts", "--concepts", X)),
    *(
        ("erasers", X),
        ("audit", X),
        ("audit", "--finetune", X),
        ("audit", ".", "--at", X),
    ),
    ("serve", "--device", X),
    *(("rebase", "--onto", X, "-o", "new"), ("attack", X), ("attack", "--attack", X)),
    *(("attack", "--concept", X), ("attack", "--twin", X), ("attack", "--budget", X)),
    *(("add", "--from", X), ("init", "--model", "x.safetensors", "--tokenizer", X)),
    *(("audit", "--embedding", X), ("probe", "--prompts", X), ("probe", "--images", X)),
    *(("probe", "--images", ".", "--reference", X), ("compare", X, "y")),
    ("probe", "--images", ".", "--reference", ".", "--inception", X),
    *(("compare", "nowhere/", X), ("canvas", X), ("canvas", "-o", X)),
    *(("push-model", X, "a/b"), ("push-model", "HEAD", X)),
    *(("clone", X), ("clone", "nowhere/x", X), ("remote", "add", X, "nowhere/x")),
    *(("remote", "add", "o", X), ("remote", "remove", X), ("fetch", X), ("pull", X)),
    *(("push", X), ("push", "origin", X), ("push", "--expect", X)),
    *(("blame", X), ("blame", "x", "--reading", X), ("log", "--concept", X)),
    *(("shortlog", X), ("verify", X), ("verify", "HEAD", "--signers", X)),
    *(("redact", X), ("seal", "-r", X), ("seal", "-R", X), ("unseal", "-i", X)),
    *(
        ("release", X, "-o", "out"),
        ("release", "HEAD", "-o", X),
        ("shortlog", "--by", X),
    ),
)
"""Every command, with a hostile text in each of its places; none of it computes."""


def all_seen(text):
    return all(c == "\n" or is_seen(c) for c in text)


@pytest.fixture
def built_once(monkeypatch):
    """The same commands, without building them anew for each that is typed."""
    command, known = typer.main.get_command(cli.app), cli.app.registered_commands
    monkeypatch.setattr(command, "registered_commands", known, raising=False)
    monkeypatch.setattr(cli, "app", command)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A ledger of one entry whose model is nowhere: nothing is ever computed."""
    folder = tmp_path_factory.mktemp("bare")
    ledger, delta = new_ledger(folder), some_delta(0)
    ledger.append(next_entry(ledger, delta), delta)
    return folder


def check_typed(typed, words, text):
    told = [word.replace(X, text) for word in words]
    done = typed(*told)
    assert all_seen(done.out), (told, done.out)
    assert all_seen(done.err), (told, done.err)
    assert done.code in (0, 1, 2, 4, 130), (told, done)
    if done.code:
        assert "fix:" in done.err, (told, done)
    done = typed(*told, "--json")
    if "--" not in told:
        json.loads(done.out or "null")


def here(bare, tmp_path):
    shutil.copytree(bare / ".unlearnlog", tmp_path / ".unlearnlog")


def test_every_command_is_typed_into():
    typed_into = {words[0] for words in TYPED} - {X}

    assert typed_into == {*COMMANDS, "config", "remote"}


@pytest.mark.usefixtures("built_once")
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_typed_is_answered_in_what_can_be_seen(typed, bare, tmp_path):
    here(bare, tmp_path)
    few = (*CONTROLS[33::17], HALVES[1], *NAMES[::20])

    for i, words in enumerate(TYPED):
        check_typed(typed, words, few[i % len(few)])


@pytest.mark.slow
@pytest.mark.usefixtures("built_once")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_all_hostile_texts_are_typed_into_every_place(typed, bare, tmp_path, words):
    here(bare, tmp_path)

    for text in HOSTILE:
        if "\0" not in text:  # no system hands one to a program
            check_typed(typed, words, text)


@pytest.mark.parametrize("text", [*CONTROLS[33::17], "Ghost [/b]", HALVES[0]])
def test_what_a_strangers_model_says_of_itself_is_not_obeyed(typed, tmp_path, text):
    """A title of a window in place of a class reached the terminal as it was."""
    folder = tmp_path / "model"
    folder.mkdir()
    index = {"_class_name": text, "unet": [text, text]}
    (folder / "model_index.json").write_text(json.dumps(index))

    done = typed("init", "--model", "model")

    assert done.code == 2
    assert visible(text) in done.err
    assert all_seen(done.out + done.err)
    assert json.loads(typed("init", "--model", "model", "--json").out)["error"]
