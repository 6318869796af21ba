"""The page: everything is in it, nothing of a stranger's is taken for markup."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tests.histories import DOT, WORLD, pair, shown, some_findings, step, three_steps
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.build import Subject, gather
from unlearnlog.report.formatting import MINUS
from unlearnlog.report.html_page import html

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Collects what a test asks of a page, and that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.links, self.ids = [], [], [], []
        self.labelled, self.unclosed, self.words = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.links += [found[key] for key in ("src", "href") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "label":
            self.labelled.add(found["for"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(word for word in self.words if word)


def test_every_element_is_closed_and_every_id_is_one_of_a_kind():
    page = Page(html(some_findings()))

    assert page.unclosed == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_the_verdict_comes_before_every_figure():
    text = html(some_findings())

    order = [text.index(f'<section id="{name}"') for name in ("verdict", "pictures")]
    assert order == sorted(order)
    assert order[0] < text.index("<svg")


def test_headings_go_down_one_level_at_a_time():
    levels = Page(html(some_findings())).headings

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_every_slider_has_a_label():
    assert Page(html(some_findings())).labelled == {"sweep", "time"}


def test_nothing_outside_the_file_is_asked_for():
    text = html(some_findings())

    assert {link[:5] for link in Page(text).links} <= {"data:", "#verd"}
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("evil", ["<b>x</b>", "</script><script>x", '" onload="x'])
def test_a_name_is_never_taken_for_markup(evil):
    steps = [step(1, [evil], [evil], [shown(evil, 3, erased=True)])]
    world = WORLD.knowing(steps[0].entry.concepts)
    doubt = VerdictRecord(passed=False, failures=(f"ua of {evil} is 0.1",))
    steps.append(step(2, [evil], [evil], [shown(evil, 4, erased=True)], doubt))
    subject = Subject(evil, "d" * 64, evil, world, None)

    text = html(gather(subject, steps, [pair(evil)]))

    assert evil not in text
    page = Page(text)
    assert page.unclosed == []
    assert " ".join(evil.split()) in page.text


def test_a_concept_that_came_back_stands_in_the_table_with_n_and_interval():
    text = Page(html(some_findings())).text

    assert "Picasso 3 25.0 % 13.3 to 42.1 32 100.0 % +25.0 points" in text


def test_an_erased_concept_is_marked_by_more_than_its_colour():
    text = html(some_findings())

    assert text.count('class="node erased d0"') == 3
    assert text.count(">erased</text>") == 2
    assert text.count(">shows 25 %</text>") == 1
    assert f'<text class="said" y="-15">{MINUS}75</text>' in text


def test_without_pictures_there_is_no_slider_for_them():
    text = html(some_findings(pairs=()))

    assert 'id="sweep"' not in text
    assert DOT not in text


def test_a_history_without_readings_says_so():
    found = some_findings([step(1, ["Monet"], ["Monet"], policy="of mine")], ())

    text = Page(html(found)).text

    assert "Not measured" in text
    assert "No information was read" in text


def test_a_policy_that_nobody_knows_here_is_not_made_up():
    subject = Subject("atelier", "d" * 64, "HEAD", WORLD, None)

    text = Page(html(gather(subject, three_steps()))).text

    assert "what it asked for cannot be read here" in text
    assert "guidance" not in text


def test_everything_that_says_how_it_was_measured_is_there():
    found = some_findings()

    text = Page(html(found)).text

    for each in (found.base, found.last.entry.id, found.last.entry.state.after):
        assert each in text
    assert "1, 2, 3 (of the erasers" in text
    assert "2 January 2026, 03:04 UTC" in text
    assert "10 steps, guidance 3" in text


def test_twenty_concepts_with_their_pictures_fit_into_five_megabytes():
    names = [f"style {i}" for i in range(20)]
    steps = [
        step(
            i + 1,
            [name],
            names[: i + 1],
            [
                *(shown(each, 0, 32, erased=True) for each in names[: i + 1]),
                *(shown(f"kept {k}", 16, 16) for k in range(32)),
            ],
        )
        for i, name in enumerate(names)
    ]
    picture = "data:image/png;base64," + "A" * 17_000  # 64 x 64 of noise, as a PNG
    pairs = [
        type(pair())(name, "erased", name, name, k, picture, picture)
        for name in names
        for k in range(4)
    ]

    text = html(some_findings(steps, pairs))

    assert len(text.encode()) < 5_000_000


def test_a_loss_by_relation_is_listed_where_an_entry_holds_it():
    first, *_ = three_steps()
    lost = shown("Picasso", 12, 96).model_copy(update={"probe": "damage.look-alike"})
    steps = [
        step(1, ["Picasso"], ["Picasso"], [*first.entry.readings, lost]),
        step(2, ["Monet"], ["Picasso", "Monet"]),
    ]

    text = Page(html(some_findings(steps))).text

    assert "1 Picasso lost by its look-alike 12.5 % 7.3 to 20.6 96" in text
