"""A ledger in which hostile texts stand, read by every command that reads."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from tests.hostile_texts import CONTROLS, NAMES, VISIBLE
from tests.test_history import some_delta
from tests.test_terminal import on_terminal
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import state_after, state_digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.note import Author, Note
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.core.visible import is_seen, visible
from unlearnlog.ledger.repository import Repository
from unlearnlog.probes.statistics import share

ANYTHING = (*VISIBLE, *CONTROLS)
"""Whatever a ledger can hold: halves of characters it cannot."""

EACH = 24
"""Texts of an entry."""


def reading_of(concept):
    seen = share(94, 96)
    return Reading(
        probe="presence",
        concept=concept,
        value=seen.value,
        unit="share",
        n=96,
        low=seen.low,
        high=seen.high,
        better="lower",
        base=1.0,
    )


def entry_of(ledger, base, delta, texts, names, made):
    """Return an entry in which every free text is one of these."""
    after = state_digest(state_after(base, [delta] * made), ledger.base.root)
    seen = [text for text in texts if text.strip() and visible(text) == text] or ["x"]
    seen = [" ".join(text.split()) for text in seen]
    return Entry(
        parent=ledger.head,
        kind="erase",
        concepts=tuple(Concept(name, "style") for name in names),
        eraser=EraserRecord(name=texts[0], settings={text: text for text in texts}),
        seed=0,
        policy=texts[1],
        changes=(Append(object=delta.digest),),
        delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
        state=StateRecord(before=ledger.state_digest(ledger.head), after=after),
        readings=tuple(map(reading_of, (*names, *texts))),
        verdict=VerdictRecord(passed=False, failures=texts, undecided=texts),
        seconds=1.0,
        made_with={"created": texts[2], texts[3]: texts[3]},
        note=Note(message=seen[0], ref=seen[-1], author=Author(name=seen[0])),
    )


@pytest.fixture(scope="module")
def haunted(tmp_path_factory):
    """A ledger on the bundled model whose entries hold every hostile text."""
    folder = tmp_path_factory.mktemp("haunted")
    here = open_session(folder, may_create=True)
    ledger = Repository.init(folder, here.manifest)
    delta = some_delta(here.model.base, 0, [0, 1])
    names = list(NAMES)
    for made, i in enumerate(range(0, len(ANYTHING), EACH), 1):
        texts = ANYTHING[i : i + EACH]
        texts = texts if len(texts) > 3 else ANYTHING[-EACH:]
        own, names = names[:12], names[12:]
        entry = entry_of(
            ledger, here.model.base, delta, texts, own or ["Picasso"], made
        )
        ledger.append(entry, *([delta] if made == 1 else []))
    return folder


def check(done):
    assert done.code == 0, done
    assert all(c == "\n" or is_seen(c) for c in done.out + done.err)
    return done


READING = (
    *(
        ("log",),
        ("log", "--graph"),
        ("log", "--moves"),
        ("status",),
        ("show", "HEAD~3"),
    ),
    *(("drift", "--reading", "presence"), ("branch",), ("tag",), ("config",)),
    *(("show", "base"), ("fsck",), ("gc", "--dry-run")),
)


def test_every_entry_is_listed_and_shown(typed, haunted):
    at = ("--ledger", str(haunted))
    history = Repository.open(haunted).history(Repository.open(haunted).head)

    for words in READING:
        check(typed(*words, *at))
        json.loads(check(typed(*words, *at, "--json")).out)
    log = "".join(check(typed("log", *at)).out.split())
    for _, entry in history:
        for concept in entry.concepts:
            assert "".join(concept.name.split()) in log
    entry_id, entry = history[len(history) // 2]
    said = "".join(check(typed("show", entry_id, *at)).out.split())
    row = json.loads(check(typed("show", entry_id, *at, "--json")).out)
    assert row["verdict"]["failures"] == list(entry.verdict.failures)
    for text in entry.verdict.failures:
        assert "".join(visible(text, lines=True).split()) in said


@pytest.mark.slow
def test_a_terminal_of_every_width_obeys_no_text(haunted):
    for columns in (20, 80, 400):
        for words in (("log",), ("status",), ("show",), ("log", "--graph")):
            said = on_terminal(*words, "--ledger", str(haunted), columns=columns)

            plain = re.sub(r"\x1b\[[\d;]*m|\r", "", said)
            assert all(c == "\n" or is_seen(c) for c in plain)
            assert "Traceback" not in plain


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no font on this machine:UserWarning")
def test_every_form_of_report_and_graph_is_written(typed, haunted, tmp_path):
    at = ("--ledger", str(haunted))

    for form in ("html", "md", "json"):
        check(typed("report", *at, "--pictures", "0", "-o", f"r.{form}"))
        check(typed("report", *at, "--pictures", "0", "--format", form))
    for form in ("svg", "png", "graphml", "json"):
        check(typed("graph", *at, "-o", f"g.{form}"))
    check(typed("graph", *at))
    json.loads(check(typed("graph", *at, "--json")).out)
    check(typed("concepts", *at))
    check(typed("diff", "HEAD~1", "HEAD", *at))
    check(typed("checkout", "HEAD", "-o", "out", *at))

    texts = (
        "r.html",
        "r.md",
        "r.json",
        "g.graphml",
        "g.json",
        "g.svg",
        "out/README.md",
    )
    for name in texts:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert all(c == "\n" or is_seen(c) for c in text), name
    for name in ("g.graphml", "g.svg"):
        ET.parse(tmp_path / name)
    for name in ("r.json", "g.json"):
        json.loads((tmp_path / name).read_text(encoding="utf-8"))
    with Image.open(tmp_path / "g.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Ghost [/b]", "A$AP Ke$ha", "<script>x</script>"])
def test_a_hostile_name_is_erased_and_taken_back(typed, tmp_path, name):
    """`add "Ghost [/b]"` recorded, and from then on `log` and `status` crashed."""
    from tests.test_cli import PASSING

    (tmp_path / "passing.toml").write_text(PASSING)
    add = ("add", name, "--kind", "style", "--policy", "passing.toml")

    check(typed(*add, "--accept-undecided"))

    for words in (("log",), ("status",), ("show",), ("graph",), ("concepts",)):
        assert name in check(typed(*words)).out
    check(typed("paint", f"a painting by {name}", "-o", "x.png", "-n", "1"))
    check(typed("revert", "HEAD", "--no-probes"))
    assert name in check(typed("log")).out
