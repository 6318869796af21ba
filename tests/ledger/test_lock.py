import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger.making import erase, files, new_ledger
from unlearnlog.errors import LedgerError, LockBusy
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.repository import Repository


def test_of_two_writers_one_wins_and_the_other_is_told_who(tmp_path):
    ledger = new_ledger(tmp_path)
    before = files(tmp_path)

    with held(tmp_path / ".unlearnlog"), pytest.raises(LockBusy) as caught:
        erase(ledger, 1)

    assert f"process {os.getpid()} on " in caught.value.message
    assert caught.value.exit_code == 6
    assert files(tmp_path) == before


def test_a_reset_takes_the_lock_too(tmp_path):
    ledger = new_ledger(tmp_path)
    erase(ledger, 1)

    with held(tmp_path / ".unlearnlog"), pytest.raises(LockBusy):
        ledger.reset("base")


def test_readers_need_no_lock(tmp_path):
    ledger = new_ledger(tmp_path)
    entry = erase(ledger, 1)

    with held(tmp_path / ".unlearnlog"):
        assert Repository.open(tmp_path).head == entry


def test_a_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        raise ZeroDivisionError

    with held(tmp_path):
        assert (tmp_path / "lock.holder").exists()
    assert not (tmp_path / "lock.holder").exists()


def test_a_holder_that_left_no_name_is_busy_all_the_same(tmp_path):
    with held(tmp_path):
        (tmp_path / "lock.holder").unlink()

        with pytest.raises(LockBusy, match="an unknown process"), held(tmp_path):
            pass


def test_a_folder_that_cannot_be_locked_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "lock").mkdir()

    with pytest.raises(LedgerError, match="cannot use"), held(tmp_path):
        pass


@pytest.mark.slow
def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    ledger = new_ledger(tmp_path)
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from unlearnlog.ledger.lock import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / ".unlearnlog")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockBusy, match=f"process {other.pid} on "):
            erase(ledger, 1)
        other.kill()

    assert erase(ledger, 1) == ledger.head
