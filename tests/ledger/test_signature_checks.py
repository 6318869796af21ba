"""Checks of signatures: what is kept of them, and when it is not believed."""

from __future__ import annotations

import shutil

import pytest

from tests.ledger.making import erase, new_ledger
from tests.ledger.signing import allowed, asking, made_key
from unlearnlog.commands.signatures import unvouched, verified_revision
from unlearnlog.errors import LedgerError
from unlearnlog.ledger.cache_pages import CacheForeign
from unlearnlog.ledger.repository import Repository


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return [made_key(folder, who) for who in ("ada", "eve")]


@pytest.fixture
def signers(tmp_path, keys):
    return allowed(tmp_path, keys[0])


@pytest.fixture
def signed(tmp_path, keys, signers):
    """A ledger of two entries that Ada signed."""
    new_ledger(tmp_path / "it")
    ledger = asking(tmp_path / "it", keys[0], signers)
    for seed in (1, 2):
        erase(ledger, seed)
    return ledger


@pytest.fixture
def without_program(monkeypatch, tmp_path):
    """Return what takes ssh-keygen away, so that whatever is checked fails."""
    return lambda: monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def words(folder):
    found = verified_revision(Repository.open(folder), "HEAD")
    return [(each.word, each.signers, each.keys) for each in found.entries]


def test_a_good_signature_is_checked_once(signed, without_program):
    before = words(signed.folder)
    without_program()

    after = words(signed.folder)

    assert after == before
    assert [word for word, _, _ in after] == ["good", "good"]
    assert [*unvouched(Repository.open(signed.folder))] == []


def test_another_file_of_allowed_signers_is_asked_anew(
    signed, signers, keys, without_program
):
    words(signed.folder)
    signers.write_text(signers.read_text().replace("ada@", "bob@"))

    assert [who for _, who, _ in words(signed.folder)] == [("bob@example.org",)] * 2

    signers.write_text(f"eve@example.org {keys[1].with_suffix('.pub').read_text()}")
    assert [word for word, _, _ in words(signed.folder)] == ["unknown", "unknown"]
    without_program()
    with pytest.raises(LedgerError, match="ssh-keygen"):
        words(signed.folder)


def test_a_bad_signature_is_never_kept(signed, without_program):
    (first, _), (second, _) = signed.history(signed.head)
    root = signed.folder / ".unlearnlog" / "signatures"
    shutil.rmtree(root / second[:2] / second)
    shutil.copytree(root / first[:2] / first, root / second[:2] / second)
    assert [word for word, _, _ in words(signed.folder)] == ["good", "bad"]
    without_program()

    with pytest.raises(LedgerError, match="ssh-keygen"):
        words(signed.folder)


def test_what_another_user_kept_is_not_believed(
    signed, tmp_path, monkeypatch, without_program
):
    words(signed.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "of-another"))
    without_program()

    with (
        pytest.warns(CacheForeign),
        pytest.raises(LedgerError, match="ssh-keygen"),
    ):
        words(signed.folder)


def test_a_tag_which_has_no_date_is_checked_each_time(signed, without_program):
    signed.create_tag("v1", sign=True)
    found = verified_revision(Repository.open(signed.folder), "v1")
    assert found.tag is not None
    assert found.tag.holds
    without_program()

    with pytest.raises(LedgerError, match="ssh-keygen"):
        verified_revision(Repository.open(signed.folder), "v1")
