"""The answers of the page, without Gradio: texts are text, and nothing is written."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from tests.histories import in_nats, shown, step, three_steps
from tests.hostile_texts import HOSTILE, NAMES
from tests.ledger.making import new_ledger, next_entry, some_delta
from tests.tiny import build_pipeline
from unlearnlog import Ledger
from unlearnlog.api.page.history_view import MOST, entry_view, log_view
from unlearnlog.api.page.page_actions import PageActions, PageProgress
from unlearnlog.api.page.page_markup import facts, refusal, table, verdict
from unlearnlog.api.page.page_server import check_page
from unlearnlog.core.concept import Concept
from unlearnlog.core.visible import visible
from unlearnlog.errors import UsageError

GOLDEN = Path(__file__).parents[1] / "golden"
OURS = {
    *("section", "h2", "span", "p", "div", "table", "caption", "thead", "tbody", "tr"),
    *("th", "td", "dl", "dt", "dd"),
}


class Read(HTMLParser):
    """The elements of a page, their attributes, and all that stands between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def actions(tmp_path):
    ledger, delta = new_ledger(tmp_path), some_delta(0)
    reading = shown("Picasso", 0, erased=True)
    ledger.append(next_entry(ledger, delta, readings=(reading,)), delta)
    return PageActions(Ledger.open(tmp_path))


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_verdict_stands_first_with_a_sign_and_what_is_erased(actions):
    page = actions.state()

    assert page.startswith('<section class="ul-verdict ul-passed"')
    assert "✓1 concept is erased" in Read(page).text
    assert "Picasso" in page


def test_a_ledger_without_entries_says_so(tmp_path):
    new_ledger(tmp_path)
    actions = PageActions(Ledger.open(tmp_path))

    assert "Nothing is erased yet" in actions.state()
    assert "Nothing is recorded yet" in actions.history()
    assert actions.revisions() == [("base", "base")]
    assert "a tiny model" in actions.entry("")


def test_the_history_is_listed_newest_first_with_its_readings():
    entries = [each.entry for each in three_steps()]

    text = Read(log_view(entries)).text

    assert text.index("cat") < text.index("Monet") < text.index("Picasso")
    assert "2026-01-02" in text


def test_a_long_history_is_cut_and_the_rest_counted():
    entries = [step(n, [f"c{n}"], []).entry for n in range(MOST + 3)]

    page = log_view(entries)

    assert page.count("<tr>") == MOST + 1
    assert "and 3 older: unlearnlog log" in page
    assert "c202" in page
    assert ">c2<" not in page


def test_an_entry_shows_every_reading_under_its_question():
    entry = three_steps()[0].entry

    text = Read(entry_view(entry, "Picasso")).text

    assert entry.id in text
    for name in ("Picasso", "Braque", "Monet", "Renoir", "cat", "dog"):
        assert name in text
    assert "100.0 %" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_and_never_markup(name):
    readings = (shown(name, 0, erased=True), in_nats("judge-mi", name, 0.0))
    entry = step(1, [], [], readings, concepts=(Concept(name, "style"),)).entry

    for page in (log_view([entry]), entry_view(entry, name)):
        found = Read(page)
        assert found.tags <= OURS
        assert found.attributes <= {"class", "scope", "role", "aria-hidden"}
        assert visible(name) in found.text


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_said_is_escaped(text):
    error = UsageError(text, fix=text)
    pages = (
        *(refusal(error), verdict("failed", text, text), facts({text: text})),
        table((text,), [(text,)], text),
    )

    for page in pages:
        found = Read(page)
        assert found.tags <= OURS
        assert visible(text) in found.text


def test_a_name_that_is_not_typed_again_erases_nothing(actions):
    before = files(actions.ledger.folder)

    for again in ("", "Monet", "monet ", "MONET"):
        page = actions.erase("monet", again, "style", "")
        assert "nothing was written" in page
        assert 'role="alert"' in page

    assert files(actions.ledger.folder) == before


@pytest.mark.parametrize("policy", ["/etc/passwd", "../x.toml", "nope", "default.toml"])
def test_only_policies_that_ship_are_taken(actions, policy):
    page = actions.forecast("Monet", "style", policy)

    assert 'role="alert"' in page
    assert "choose of default, fast" in page


@pytest.mark.parametrize(
    ("prompt", "n", "seed", "says"),
    [
        ("", 1, 0, "no prompt is given"),
        ("  ", 1, 0, "no prompt is given"),
        ("a cat", 0, 0, "0 pictures cannot be painted"),
        ("a cat", 9, 0, "9 pictures cannot be painted"),
        ("a cat", None, 0, "no whole number"),
        ("a cat", 1, None, "no whole number"),
        ("a cat", 1, float("nan"), "no whole number"),
        ("a cat", 1, float("inf"), "no whole number"),
        ("a cat", 1, -1, "-1 is no seed"),
    ],
)
def test_what_cannot_be_painted_is_said_before_a_model_is_loaded(
    actions, prompt, n, seed, says
):
    page = actions.paint(prompt, "HEAD", n, seed)

    assert says in page
    assert 'role="alert"' in page


@pytest.mark.parametrize("rev", ["nope", "HEAD~9", "<b>", "../x"])
def test_a_revision_that_is_none_is_refused_as_text(actions, rev):
    for page in (actions.entry(rev), actions.paint("a cat", rev, 1, 0)):
        assert 'role="alert"' in page
        assert "<b>" not in page


def test_every_revision_can_be_chosen(actions):
    known = actions.revisions()

    assert [text for text, _ in known] == [f"{known[0][1][:12]} erase Picasso", "base"]
    assert actions.ledger.show(known[0][1]).id == known[0][1]


def test_progress_is_a_share_with_a_name():
    told = []
    watch = PageProgress(lambda share, name: told.append((share, name)))

    watch.stage("painting \x1b[31m", 4)
    watch.advance(1, {})
    watch.advance(9, {})

    name = "painting \\x1b[31m"
    assert told == [(0.0, name), (0.25, name), (1.0, name)]


@pytest.mark.parametrize(("host", "port"), [("", 1), ("127.0.0.1", -1), ("a", 65536)])
def test_an_address_that_is_none_is_refused(host, port):
    with pytest.raises(UsageError, match=r"no address|no port"):
        check_page(host, port)


def test_pictures_are_shown_in_pairs_with_a_slider():
    from unlearnlog.api.page.painting_view import pairs_view
    from unlearnlog.report.image_grid import single_pictures

    row = single_pictures(torch.zeros(2, 4, 4, 3, dtype=torch.uint8))

    page = pairs_view("<b>a cat", "HEAD", [row, row], 7)

    assert page.count("<article") == 2
    assert page.count('type="range"') == 2
    assert re.findall(r'aria-label="(.*?)"', page) == [
        "seed 7: from base to HEAD",
        "seed 8: from base to HEAD",
    ]
    assert "<b>" not in page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:this ledger recorded only the tensors")
def test_a_name_that_is_typed_again_is_erased_and_recorded(tmp_path):
    """On a tiny model of noise, by a policy that sets no limit."""
    build_pipeline(tmp_path / "base")
    shutil.copytree(GOLDEN / "ledger", tmp_path / "led" / ".unlearnlog")
    rules = (GOLDEN / "small.toml").read_text(encoding="utf-8")
    (tmp_path / "free.toml").write_text(rules.partition("[[limits]]")[0])
    ledger = Ledger.open(tmp_path / "led")
    ledger.config["policy"] = str(tmp_path / "free.toml")
    before, told = len(ledger.entries()), []
    watch = PageProgress(lambda share, name: told.append((share, name)))

    page = PageActions(ledger).erase("Warhol", "Warhol", "", "", watch)

    newest = ledger.log()[0]
    assert len(ledger.entries()) == before + 1
    assert [each.name for each in newest.concepts] == ["Warhol"]
    assert "Warhol is erased" in page
    assert f"unlearnlog revert {newest.id[:12]}" in page
    assert told[-1][0] == 1.0


def test_a_name_that_is_redacted_while_the_page_is_open_is_shown_no_more(actions):
    before = actions.history()

    Ledger.open(actions.ledger.folder).redact("Picasso")

    assert "Picasso" in before
    for page in (
        actions.state(),
        actions.history(),
        actions.entry("HEAD"),
        actions.entry("Picasso"),
        actions.erase("Picasso", "Pablo", "", ""),
        str(actions.revisions()),
    ):
        assert "picasso" not in page.casefold()
    assert "[redacted 1]" in actions.history()
