"""What cannot be seen is spelt; JSON can be written anywhere and means the same."""

import io
import json
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile_texts import HOSTILE
from unlearnlog.cli import streams
from unlearnlog.core.visible import is_seen, json_line, visible
from unlearnlog.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Café 北斎 👨\u200d👩", "Café 北斎 👨\u200d👩"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b1m", r"\x9b1m"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("\U0001ffff", r"\U0001ffff"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_what_is_seen_stays_and_the_rest_is_spelt(text, shown):
    assert visible(text) == shown


def test_lines_stay_where_they_are_wanted():
    assert visible("a\nb\r", lines=True) == "a\nb\\r"


@given(st.text(st.characters()))
def test_whatever_is_shown_can_be_seen_and_written(text):
    assert all(map(is_seen, visible(text)))
    visible(text).encode("utf-8")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(st.characters()),
        lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
        max_leaves=8,
    ),
    st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252"]),
)
def test_json_means_what_the_data_says_in_any_encoding(data, encoding):
    line = json_line(data, encoding=encoding)

    assert json.loads(line) == data
    assert all(map(is_seen, line))
    line.encode(encoding)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_holds_every_hostile_text(text):
    """Half of a surrogate pair was a UnicodeEncodeError, after all was computed."""
    assert json.loads(json_line({text: text})) == {text: text}


def test_an_error_in_python_shows_no_escape():
    error = UsageError("no model in '\x1b]0;x\x07'", fix="look in '\x9b2J'")

    assert all(c == "\n" or is_seen(c) for c in str(error))


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_narrow_encoding_breaks_no_answer(tmp_path, encoding):
    """A name in Cyrillic on a terminal without it was a UnicodeEncodeError."""
    name = "Казимир Малевич"
    for words in (("log", name), ("log", name, "--json"), ("erasers",)):
        done = subprocess.run(
            [sys.executable, "-m", "unlearnlog", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )

        assert b"Traceback" not in done.stderr
        if "--json" in words:
            assert name in json.loads(done.stdout.decode(encoding))["error"]["message"]


def test_log_lines_and_tracebacks_of_libraries_show_no_escape(capsys):
    """They quote what stands in a stranger's configuration."""
    text, file = "class \x1b]0;x\x07\x9b2J", io.StringIO()
    log, handler = logging.getLogger("a library"), logging.StreamHandler(file)
    factory, hook = logging.getLogRecordFactory(), sys.excepthook
    log.addHandler(handler)

    try:
        streams.prepare()
        log.warning("unknown %s", text)
        sys.excepthook(KeyError, KeyError(text), None)
        sys.excepthook(ValueError, ValueError(text), None)
    finally:
        logging.setLogRecordFactory(factory)
        sys.excepthook = hook
        log.removeHandler(handler)

    assert file.getvalue() == "unknown class \\x1b]0;x\\x07\\x9b2J\n"
    assert all(c == "\n" or is_seen(c) for c in capsys.readouterr().err)
