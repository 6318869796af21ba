"""The command line on terminals, in pipes and for programs that read its JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios

import pytest

from tests.ledger.making import new_ledger, next_entry, some_delta
from tests.test_docs import COMMANDS
from unlearnlog.cli.command_groups import HEADINGS
from unlearnlog.core.concept import Concept
from unlearnlog.core.reading import Reading
from unlearnlog.errors import Interrupted
from unlearnlog.probes.statistics import share

PROGRAM = (sys.executable, "-m", "unlearnlog")
LONG = "Vincent van Gogh, the painter of sunflowers and of starry nights"


def environment(**more):
    """This environment, with nothing in it that says how to write."""
    said = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "TTY_COMPATIBLE")
    kept = {k: v for k, v in os.environ.items() if k not in said}
    return {**kept, "TERM": "xterm-256color", **more}


def on_terminal(*words, columns=80, **more):
    """Run the program on a terminal of its own; return what it wrote there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (25, columns))
    done = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**more),
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 4096):
            written += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    done.wait()
    return written.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ledger with one entry that has readings nobody measured; no model."""
    found = tmp_path_factory.mktemp("ledger")
    ledger = new_ledger(found)
    seen = share(94, 96)
    reading = Reading(
        probe="ua",
        concept=LONG,
        value=seen.value,
        unit="share",
        n=96,
        low=seen.low,
        high=seen.high,
        better="higher",
        base=0.0,
    )
    concept, delta = Concept(LONG, "style"), some_delta(0)
    entry = next_entry(ledger, delta, concepts=(concept,), readings=(reading,))
    ledger.append(entry, delta)
    return found


def test_every_command_stands_under_one_heading():
    listed = [name for names in HEADINGS.values() for name in names]

    assert sorted(set(listed)) == sorted(listed)
    assert set(COMMANDS) <= set(listed)


def test_help_lists_commands_by_what_people_do_and_cuts_no_sentence(typed):
    """One list in the order of the source files, each line ending in three dots."""
    text = typed("--help").out

    headings = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    assert headings == ["Options", *HEADINGS]
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE), command
    assert "..." not in text.partition("Options:")[2]


def test_what_goes_into_a_pipe_is_never_cut(folder, typed, monkeypatch):
    """A pipe was as wide as the terminal that it was started from, or 80."""
    monkeypatch.delenv("COLUMNS", raising=False)
    at = ("--ledger", str(folder))

    for words in (("log",), ("show",), ("show", "HEAD")):
        text = typed(*words, *at).out
        assert LONG in text
        assert "0.979" in text
        assert "…" not in text


@pytest.mark.slow
def test_a_pipe_from_a_narrow_terminal_is_as_wide_as_any(folder):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (25, 30))
    done = subprocess.run(
        [*PROGRAM, "log", "--ledger", str(folder)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        check=True,
    )
    os.close(theirs)
    os.close(ours)

    assert LONG in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("columns", [30, 60, 80])
def test_a_narrow_terminal_shows_every_number_whole(folder, columns):
    text = on_terminal("show", "--ledger", str(folder), columns=columns, NO_COLOR="1")

    assert "0.979" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= columns


def test_no_color_writes_no_escape_at_all():
    """Without colours, text was still bold and dim by escapes."""
    plain = on_terminal("lgo", NO_COLOR="1")
    coloured = on_terminal("lgo")

    assert "No such command" in plain
    assert "\x1b" not in plain
    assert "\x1b" in coloured


@pytest.mark.slow
def test_no_color_holds_for_tables_and_for_what_moves(folder):
    at = ("--ledger", str(folder))

    assert "\x1b" in on_terminal("show", *at)
    assert "\x1b" not in on_terminal("show", *at, NO_COLOR="1")
    assert "\x1b" not in on_terminal("log", *at, "--graph", NO_COLOR="1")


def completed(words):
    done = subprocess.run(
        PROGRAM,
        env=environment(
            _UNLEARNLOG_COMPLETE="complete_bash",
            COMP_WORDS=f"unlearnlog {words}",
            COMP_CWORD=str(words.count(" ") + 1),
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_words_are_completed():
    found = ["revert", "report", "reset", "remote", "rebase", "release", "redact"]

    assert completed("re") == found
    assert completed("export HEAD --form") == ["--format"]
    formats = {"checkpoint", "comfyui", "diffusers", "kohya", "kohya-diffusers"}
    formats |= {"original", "tensors"}
    assert formats == set(completed("export HEAD --format "))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell):
    done = subprocess.run(
        PROGRAM,
        env=environment(_UNLEARNLOG_COMPLETE=f"source_{shell}"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"_UNLEARNLOG_COMPLETE=complete_{shell}" in done.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_completion_is_installed_for_the_shell_that_asks(tmp_path):
    command = f"{' '.join(PROGRAM)} --install-completion; true"

    subprocess.run(
        ["bash", "-c", command],
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        check=True,
    )

    script = tmp_path / ".bash_completions" / "unlearnlog.sh"
    assert "_UNLEARNLOG_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (("log",), "NoLedger", 2),
        (("status",), "NoLedger", 2),
        (("paint", "a cat", "-o", "a.png"), "NoLedger", 2),
        (("fsck",), "NoLedger", 2),
        (("audit",), "UsageError", 2),
        (("add", "Picasso", "--policy", "lenient"), "PolicyError", 2),
        (("init", "--model", "nowhere"), "ModelError", 2),
        (("lgo",), "UsageError", 2),
        (("log", "--jsn"), "UsageError", 2),
        (("export",), "UsageError", 2),
        (("audit", "--steps", "none"), "UsageError", 2),
    ],
)
def test_an_error_is_one_line_of_json_where_json_is_asked_for(typed, words, kind, code):
    """A program that read standard output got nothing, and prose on the other one."""
    done = typed(*words, "--json")

    said = done.json()["error"]
    assert done.out.count("\n") == 1
    assert (said["kind"], said["exit_code"], done.code) == (kind, code, code)
    assert said["message"] in done.err
    assert f"fix: {said['fix']}" in done.err
    assert typed(*words).out == ""


def test_an_unknown_revision_is_an_error_in_json(folder, typed):
    done = typed("show", "nosuch", "--ledger", str(folder), "--json")

    assert done.json()["error"]["kind"] == "RevisionError"


def test_json_behind_two_dashes_is_a_word_and_not_an_option(typed):
    assert typed("log", "--", "--json").out == ""


def test_damage_is_said_together_with_the_error(folder, typed, tmp_path):
    """What was found and that it is an error are one document, not two lines."""
    shutil.copytree(folder, tmp_path / "copy")
    for file in (tmp_path / "copy" / ".unlearnlog").rglob("*.json"):
        if "entries" in file.parts:
            file.write_bytes(file.read_bytes() + b" ")

    done = typed("fsck", "--ledger", str(tmp_path / "copy"), "--json")

    data = done.json()
    assert done.code == data["error"]["exit_code"] == 4
    assert data["damage"]


def test_ctrl_c_is_an_error_in_json(typed, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unlearnlog.cli.history_commands.opened", interrupted)

    done = typed("log", "--json")

    assert done.code == Interrupted.exit_code
    assert done.json()["error"]["kind"] == "Interrupted"
    assert "nothing was recorded" in done.err


def test_a_fault_of_the_program_is_told_to_programs_too(typed, monkeypatch, capsys):
    def broken(*_: object) -> None:
        message = "a bug"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("unlearnlog.cli.history_commands.opened", broken)

    with pytest.raises(ZeroDivisionError):
        typed("log", "--json")

    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["kind"], said["message"]) == ("ZeroDivisionError", "a bug")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("config", "set"), "unlearnlog config set --help"),
        (("add", "Picasso", "--anchor"), "unlearnlog add --help"),
        (("add", "Picasso", "--polcy", "x"), "unlearnlog add --help"),
    ],
)
def test_a_mistake_names_the_help_of_its_own_command(typed, words, asked):
    """`config set` named the help of `unlearnlog set`, which there is not."""
    done = typed(*words)

    assert done.code == 2
    assert f"fix: {asked}" in done.err


def test_an_error_in_json_has_a_kind_that_python_knows(typed):
    """It was `_UnknownError`, a class of one file."""
    error = typed("add", "Pcasso", "--json").json()["error"]

    assert error["kind"] == "ConceptError"
