"""A record that was made and cannot be shown is said to be made, and is no failure."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.ledger.making import new_ledger, next_entry, some_delta
from unlearnlog import cli
from unlearnlog.cli.app import answer, recorded, recording
from unlearnlog.core.entry import EntryId
from unlearnlog.core.recorded import note_down, noted
from unlearnlog.errors import Interrupted, Refused
from unlearnlog.ledger.repository import Repository

ROOT = Path(__file__).parents[1]
BROKEN = "no room for it\x1b[2J"


@pytest.fixture
def verb(monkeypatch, tmp_path):
    """A command that records, and then does something else."""
    ledger, delta = new_ledger(tmp_path / "ledger"), some_delta(0)
    entry = next_entry(ledger, delta)

    def give(after, *, show=lambda: None):
        made = typer.Typer(pretty_exceptions_enable=False)

        @made.callback()
        def whole():
            pass

        @made.command()
        def record():
            with recording(as_json=False):
                note_down(ledger.append(entry, delta))
            answer(None, show)
            after()

        monkeypatch.setattr(cli, "app", made)
        return entry.id

    return give


def fail(error):
    def failing():
        raise error

    return failing


def test_a_display_that_fails_after_the_record_is_a_warning(verb, typed):
    entry = verb(lambda: None, show=fail(ZeroDivisionError(BROKEN)))

    done = typed("record")

    assert done.code == 0
    assert f"recorded {entry[:12]}; it could not be shown" in done.err
    assert "ZeroDivisionError: no room for it\\x1b[2J" in done.err
    assert f"unlearnlog show {entry[:12]}" in done.err


def test_so_is_whatever_else_fails_then(verb, typed):
    entry = verb(fail(MemoryError(BROKEN)))

    done = typed("record")

    assert done.code == 0
    assert f"recorded {entry[:12]}; it could not be shown" in done.err


def test_a_verdict_still_decides_the_exit_code(verb, typed):
    """An attack that got through is refused, whether or not its table can be shown."""
    refusal = Refused("it came back", fix="erase it again")
    verb(fail(refusal), show=fail(ZeroDivisionError(BROKEN)))

    done = typed("record")

    assert done.code == Refused.exit_code
    assert "could not be shown" in done.err
    assert "it came back" in done.err


def test_who_interrupts_the_display_is_told_what_was_recorded(verb, typed):
    """It said that nothing was recorded."""
    entry = verb(fail(KeyboardInterrupt()))

    done = typed("record")

    assert done.code == Interrupted.exit_code
    assert "nothing was recorded" not in done.err
    assert f"interrupted after {entry[:12]} was recorded" in done.err


def test_what_fails_before_the_record_is_a_fault(monkeypatch, typed):
    made = typer.Typer(pretty_exceptions_enable=False)

    @made.callback()
    def whole():
        pass

    @made.command()
    def record():
        with recording(as_json=False):
            note_down(EntryId("a" * 64))
            raise ZeroDivisionError(BROKEN)

    monkeypatch.setattr(cli, "app", made)

    with pytest.raises(ZeroDivisionError):
        typed("record")
    assert not recorded


def test_only_what_is_recorded_meanwhile_is_noted():
    note_down(EntryId("a"))
    with noted() as outer:
        note_down(EntryId("b"))
        with noted() as inner:
            note_down(EntryId("c"))
        note_down(EntryId("d"))

    assert (outer, inner) == (["b", "d"], ["c"])


RECORDING = [
    command
    for command in cli.app.registered_commands
    if command.callback
    and command.name != "push-model"  # its message is the hub's commit's
    and "message" in inspect.signature(command.callback).parameters
]


@pytest.mark.parametrize("command", RECORDING, ids=lambda c: c.callback.__name__)
def test_every_command_that_records_says_so(command):
    """Those that take a message; what is new among them is covered as well."""
    assert "recording(as_json" in inspect.getsource(command.callback)


def test_commands_that_record_are_there():
    assert len(RECORDING) >= 6


PROGRAM = """
import sys
from pathlib import Path
import typer
from tests.ledger.making import new_ledger, next_entry, some_delta
from unlearnlog import cli
from unlearnlog.cli.app import answer, out, recording
from unlearnlog.core.recorded import note_down

made = typer.Typer()

@made.callback()
def whole(): pass

@made.command()
def record():
    ledger, delta = new_ledger(Path("ledger")), some_delta(0)
    with recording(as_json=False):
        note_down(ledger.append(next_entry(ledger, delta), delta))
    answer(None, lambda: out.print("a table"))

cli.app = made
sys.argv = ["unlearnlog", "record"]
cli.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["/dev/full", "a pipe that nobody reads"])
def test_output_that_cannot_be_written_is_a_warning_beside_the_record(tmp_path, where):
    if where == "/dev/full":
        handle = os.open(where, os.O_WRONLY)
    else:
        nobody, handle = os.pipe()
        os.close(nobody)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=handle,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(handle)

    assert done.returncode == 0, done.stderr
    head = Repository.open(tmp_path / "ledger").head
    assert head
    assert f"recorded {head[:12]}; it could not be shown" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
