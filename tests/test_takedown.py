"""The record of a takedown: why, on whose request, by whom and when, wherever it is."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.test_cli import PASSING
from unlearnlog.api import Ledger
from unlearnlog.cli.app import out
from unlearnlog.commands.rebase import orders

REASON = "asked by the *estate* [bold]& heirs[/bold] <b>"
REF = "LEG-7"
WHO = "Ada Lovelace <ada@example.org>"
LIMITS = """
[[limits]]
reading = "cra"
at_least = 0.0
[[limits]]
reading = "presence"
at_least = 0.0
at_most = 1.0
of_base = true
"""


@pytest.fixture(scope="module")
def taken(tmp_path_factory) -> SimpleNamespace:
    """A ledger that forgot Picasso for a reason, and its folder."""
    folder = tmp_path_factory.mktemp("takedown")
    (folder / "passing.toml").write_text(PASSING + LIMITS)
    policy = str(folder / "passing.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARNLOG_AUTHOR_NAME", "Ada Lovelace")
        patch.setenv("GIT_AUTHOR_EMAIL", "ada@example.org")
        ledger = Ledger.open(folder, may_create=True)
        done = ledger.add("Picasso", policy=policy, message=REASON, ref=REF)
    return SimpleNamespace(
        folder=folder, ledger=ledger, entry=done.entry, at=("--ledger", str(folder))
    )


def test_the_log_and_the_entry_say_it_as_data(taken, typed):
    log = typed("log", *taken.at, "--json").json()[0]
    shown = typed("show", *taken.at, "--json").json()

    for row in (log, shown, taken.entry.row()):
        assert row["note"] == {
            "message": REASON,
            "ref": REF,
            "author": {"name": "Ada Lovelace", "email": "ada@example.org"},
        }
        assert row["date"] == taken.entry.made_with["created"]


@pytest.mark.parametrize("words", [("log",), ("show",)])
def test_people_are_shown_it_as_it_was_typed(taken, typed, monkeypatch, words):
    """In brackets it was taken for a colour, and was not shown."""
    monkeypatch.setattr(out, "width", 200)

    said = typed(*words, *taken.at).out

    assert REASON in said
    assert REF in said
    assert WHO in said
    assert taken.entry.date[:10] in said


def test_the_graph_says_it_in_short(taken, typed):
    (line,) = (
        line
        for line in typed("log", "--graph", *taken.at).out.split("\n")
        if taken.entry.id[:12] in line
    )

    assert f"{taken.entry.date[:10]} {REF}: asked by" in line


def test_an_entry_is_shown_with_its_verdict_and_the_limit_beside_each_value(
    taken, typed, monkeypatch
):
    """One had to hold readings and limits side by side oneself."""
    monkeypatch.setattr(out, "width", 200)

    said = typed("show", *taken.at).out
    row = typed("show", *taken.at, "--json").json()

    assert re.search(r"verdict +✓ passed", said)
    assert re.search(r" cra .*✓ at least 0 ", said)
    assert re.search(r" kept .*✓ at least 0 of base", said)
    assert re.search(r" erased +presence +Picasso .*✓ at most 1 of base", said)
    cra = next(r for r in row["readings"] if r["probe"] == "cra")
    assert cra["limits"] == [{"asks": "at least 0", "word": "passed"}]
    assert next(r for r in row["readings"] if r["probe"] == "ua")["limits"] == []


def test_reports_and_the_model_card_say_it(taken, typed, tmp_path):
    for name in ("a.html", "a.md", "a.json"):
        typed("report", "-o", name, "--pictures", "0", *taken.at)
    typed("checkout", "HEAD", "-o", "out", *taken.at)

    html, md, data, card = (
        Path(tmp_path / name).read_text(encoding="utf-8")
        for name in ("a.html", "a.md", "a.json", "out/README.md")
    )
    escaped = "asked by the *estate* [bold]&amp; heirs[/bold] &lt;b&gt;"
    assert html.count(escaped) == 2
    assert "Ada Lovelace &lt;ada@example.org&gt;" in html
    safe = r"asked by the \*estate\* \[bold\]&amp; heirs\[/bold\] &lt;b>"
    for text in (md, card):
        assert safe in text
        assert REF in text
        assert r"Ada Lovelace &lt;ada\@example.org>" in text
    assert taken.entry.date[:10] in card
    assert f'"ref": "{REF}"' in data
    assert f'"date": "{taken.entry.date}"' in data


def test_what_is_made_anew_elsewhere_keeps_why_it_was_made(taken):
    at = taken.ledger.place

    (again,) = orders(at, at.history())

    assert again.note == taken.entry.note


def test_a_revert_has_a_reason_of_its_own(taken, typed):
    taken.ledger.chain.create_branch("appeal")
    taken.ledger.chain.switch("appeal")
    words = ("--no-probes", "-m", "appeal upheld", "--ref", "LEG-9", *taken.at)

    row = typed("revert", "HEAD", *words, "--json").json()
    taken.ledger.chain.switch("main")

    assert row["note"]["message"] == "appeal upheld"
    assert row["note"]["ref"] == "LEG-9"


def test_the_ledgers_own_author_signs_where_the_environment_names_none(
    taken, typed, monkeypatch
):
    for name in ("UNLEARNLOG_AUTHOR", "GIT_AUTHOR"):
        monkeypatch.delenv(f"{name}_NAME", raising=False)
        monkeypatch.delenv(f"{name}_EMAIL", raising=False)
    taken.ledger.chain.create_branch("signed")
    taken.ledger.chain.switch("signed")
    typed("config", "set", "author.name", "Grace Hopper", *taken.at)

    row = typed("revert", "HEAD", "--no-probes", *taken.at, "--json").json()
    taken.ledger.chain.configure("author.name", None)
    taken.ledger.chain.switch("main")

    assert row["note"] == {"author": {"name": "Grace Hopper"}}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("add", "cat", "-m", "a\nb"), "the message 'a\\nb' holds"),
        (("add", "cat", "--ref", "x" * 201), "is 201 characters long"),
        (("attack", "-m", "why"), "-m would do nothing"),
        (("audit", "x", "--ref", "1", "-m", "why"), "-m and --ref would do nothing"),
        (("revert", "HEAD", "-m", "\x1b[2J"), "holds a character"),
        (("import", "x", "--concept", "cat", "--ref", "\x00"), "holds a character"),
        (("compose", "main", "-m", "\x7f"), "holds a character"),
        (("rebase", "--onto", "x", "-o", "y", "-m", "\x9b"), "holds a character"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_done(
    taken, typed, words, complaint
):
    before = taken.ledger.chain.head

    done = typed(*words, *taken.at)

    assert done.code == 2
    assert complaint in done.err
    assert taken.ledger.chain.head == before
