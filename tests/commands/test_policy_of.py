"""The report shows the limits that were in force, not what they are called today."""

from tests.histories import WORLD, shown, step
from unlearnlog.commands.report import policy_of
from unlearnlog.findings.build import Subject, gather
from unlearnlog.policy import Policy
from unlearnlog.report.html_page import html
from unlearnlog.report.markdown_page import markdown

THEN = Policy.of(
    {
        "name": "fast",
        "eraser": {"name": "ridge"},
        "sampling": {"steps": 7},
        "limits": [{"reading": "ua", "at_least": 0.123}],
    },
    "fast",
)


def entry(**changed):
    readings = [shown("Picasso", 0, erased=True)]
    return step(1, ["Picasso"], ["Picasso"], readings, **changed)


def found_in(last):
    policy, recorded = policy_of(last.entry)
    subject = Subject("atelier", "d" * 64, "HEAD", WORLD, policy, recorded)
    return gather(subject, [last])


def test_the_entry_s_own_limits_are_shown():
    found = found_in(entry(rules=THEN.rules))

    assert found.method.limits == ("ua at least 0.123",)
    assert found.method.sampling == "7 steps, guidance 3"
    assert found.method.rules == found.last.entry.rules_digest
    for text in (html(found), markdown(found)):
        assert found.method.rules in text
        assert "today" not in text


def test_an_entry_that_keeps_only_a_name_is_shown_what_it_says_today():
    found = found_in(entry())

    assert found.method.rules == ""
    assert found.method.limits == tuple(x.text for x in Policy.load("fast").limits)
    for text in (html(found), markdown(found)):
        assert "says today" in text


def test_what_nobody_can_read_is_not_made_up():
    later = {**THEN.rules, "colour": "red"}

    for last in (entry(rules=later), entry(policy="of-mine")):
        found = found_in(last)
        assert not found.method.known
        assert found.method.limits == ()
        assert "cannot be read here" in html(found)
