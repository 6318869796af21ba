"""Signatures of entries and tags: who vouches for a history, and what is forged."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.ledger.making import (
    DEATHS,
    Death,
    DyingDisk,
    FakeDisk,
    erase,
    new_ledger,
)
from tests.ledger.signing import allowed, asking, made_key
from unlearnlog.api import Ledger
from unlearnlog.commands.signatures import unvouched, verified_revision
from unlearnlog.errors import UsageError
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.signature_files import put_signature


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The keys of Ada, who may sign, and of Eve, who may not; the file that says so."""
    folder = tmp_path_factory.mktemp("keys")
    ada, eve = (made_key(folder, who) for who in ("ada", "eve"))
    return ada, eve, allowed(folder, ada)


@pytest.fixture
def signed(tmp_path, keys):
    """A ledger of two entries that Ada signed."""
    ada, _, signers = keys
    new_ledger(tmp_path / "it")
    ledger = asking(tmp_path / "it", ada, signers)
    for seed in (1, 2):
        erase(ledger, seed)
    return ledger


def words(ledger, rev="HEAD", signers=None):
    return [each.word for each in verified_revision(ledger, rev, signers).entries]


def test_each_entry_is_signed_and_its_signer_is_named(signed):
    found = verified_revision(signed, "HEAD")

    assert found.holds
    assert [each.word for each in found.entries] == ["good", "good"]
    assert {each.signers for each in found.entries} == {("ada@example.org",)}
    assert signed.fsck() == ()
    assert [*unvouched(signed)] == []


def test_a_signature_can_be_checked_by_hand_with_ssh_keygen_alone(signed, keys):
    entry = signed.head
    root = signed.folder / ".unlearnlog"
    (signature,) = (root / "signatures" / entry[:2] / entry).iterdir()
    words = ("-Y", "verify", "-f", str(keys[2]), "-I", "ada@example.org")

    done = subprocess.run(
        ["ssh-keygen", *words, "-n", "unlearnlog", "-s", str(signature)],
        input=(root / "entries" / entry[:2] / f"{entry}.json").read_bytes(),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_a_signature_changes_no_digest(signed, tmp_path):
    plain = new_ledger(tmp_path / "plain")
    for seed in (1, 2):
        erase(plain, seed)

    assert plain.head == signed.head


def test_a_history_that_was_forged_soundly_is_found_by_its_signatures(signed, tmp_path):
    """A forger replaces the whole history and computes every digest anew."""
    forged = new_ledger(tmp_path / "forged")
    for seed in (1, 9):
        erase(forged, seed)
    theirs, ours = (each.folder / ".unlearnlog" for each in (forged, signed))
    kept = {name: (ours / name) for name in ("signatures", "config")}
    for name, path in kept.items():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, theirs / name)

    found = Repository.open(tmp_path / "forged")

    assert found.fsck() == ()
    assert words(found) == ["good", "unsigned"]
    (damage,) = unvouched(found)
    assert damage.entries == (found.head,)
    assert damage.is_of_signatures


def test_a_signature_by_a_key_that_is_not_allowed_does_not_count(signed, keys):
    signed.configure("sign.key", str(keys[1]))
    erase(signed, 3)

    found = verified_revision(signed, "HEAD")

    assert [each.word for each in found.entries] == ["good", "good", "unknown"]
    assert found.entries[-1].keys[0].startswith("SHA256:")
    assert not found.holds


def test_a_signature_of_another_entry_is_called_one(signed):
    (first, _), (second, _) = signed.history(signed.head)
    root = signed.folder / ".unlearnlog" / "signatures"
    (signature,) = (root / first[:2] / first).iterdir()
    shutil.rmtree(root / second[:2] / second)
    shutil.copytree(signature.parent, root / second[:2] / second)

    found = Repository.open(signed.folder)

    assert found.fsck() == ()
    assert words(found) == ["good", "bad"]
    assert [each.problem for each in unvouched(found)] == [
        "its signature is of something else"
    ]


def test_junk_beside_a_good_signature_takes_nothing_from_it(signed):
    data = signed.entry(signed.head).to_json()
    with signed._store.writing() as writing:
        put_signature(signed._store, writing, data, b"no signature at all")

    assert words(signed) == ["good", "good"]


def test_a_signed_tag_vouches_for_the_unsigned_history_below_it(tmp_path, keys):
    ledger = new_ledger(tmp_path / "old")
    for seed in (1, 2):
        erase(ledger, seed)
    ledger = asking(tmp_path / "old", keys[0], keys[2])
    assert words(ledger) == ["unsigned", "unsigned"]

    ledger.create_tag("reviewed", "HEAD", sign=True)

    assert words(ledger) == ["tag", "tag"]
    found = verified_revision(ledger, "reviewed")
    assert found.tag is not None
    assert found.tag.word == "good"
    assert [*unvouched(ledger)] == []


def test_a_tag_that_was_moved_is_not_what_was_signed(signed):
    signed.create_tag("v1", "HEAD~1", sign=True)
    with signed._store.writing() as writing:
        signed._store.put_ref(writing, "tags/v1", signed.head)
        signed._store.put_name(writing, "tags/v1", signed.head)

    found = Repository.open(signed.folder)

    assert found.fsck() == ()
    moved = verified_revision(found, "v1")
    assert moved.tag is not None
    assert moved.tag.word == "unsigned"
    assert moved.faults == (moved.tag,)
    assert not moved.holds
    assert verified_revision(found, "HEAD").holds


def test_junk_beside_an_entry_takes_nothing_from_a_tag_that_vouches_for_it(
    tmp_path, keys
):
    erase(new_ledger(tmp_path / "old"), 1)
    ledger = asking(tmp_path / "old", keys[0], keys[2])
    ledger.create_tag("reviewed", "HEAD", sign=True)
    data = ledger.entry(ledger.head).to_json()
    with ledger._store.writing() as writing:
        put_signature(ledger._store, writing, data, b"no signature at all")

    assert words(ledger) == ["tag"]
    assert [*unvouched(ledger)] == []


def test_a_flipped_byte_of_a_signature_is_found_without_any_key(signed):
    (first, _), _ = signed.history(signed.head)
    root = signed.folder / ".unlearnlog" / "signatures"
    (signature,) = (root / first[:2] / first).iterdir()
    data = bytearray(signature.read_bytes())
    data[100] ^= 1
    signature.write_bytes(data)

    (damage,) = Repository.open(signed.folder).fsck()

    assert damage.entries == (first,)


def test_an_entry_that_cannot_be_signed_is_not_recorded(signed, tmp_path):
    head = signed.head
    signed.configure("sign.key", str(tmp_path / "gone"))

    with pytest.raises(UsageError, match="no signing key"):
        erase(signed, 3)

    assert Repository.open(signed.folder).head == head


def test_signatures_of_what_is_recorded_are_no_garbage(signed):
    signed.create_tag("v1", sign=True)

    found = signed.collect(dry_run=True)

    assert not [each for each in found if each.path.startswith("signatures")]


def test_a_signature_that_a_crash_left_is_garbage(signed):
    with signed._store.writing() as writing:
        put_signature(signed._store, writing, b"of nothing", b"a signature")

    found = signed.collect(dry_run=True)

    assert len([each for each in found if each.path.startswith("signatures/")]) == 1


def test_a_ledger_without_signatures_has_no_folder_for_them(tmp_path):
    ledger = new_ledger(tmp_path, disk=FakeDisk())
    erase(ledger, 1)

    assert not (tmp_path / ".unlearnlog" / "signatures").exists()


def test_whoever_dies_while_signing_leaves_a_history_that_is_signed(signed, tmp_path):
    """The signature is on disk before the entry, and the entry before the branch."""
    disk = FakeDisk()
    shutil.copytree(signed.folder, tmp_path / "whole")
    erase(Repository.open(tmp_path / "whole", disk=disk), 3)
    points = [(n, *how) for n in range(1, disk.n_changes + 1) for how in DEATHS]

    for i, (n, moment, cut) in enumerate(points[::7]):
        shutil.copytree(signed.folder, tmp_path / str(i))
        at = DyingDisk(n, moment)
        with pytest.raises(Death):
            erase(Repository.open(tmp_path / str(i), disk=at), 3)
        if cut:
            at.lose_power()
        found = Repository.open(tmp_path / str(i))
        assert found.fsck() == ()
        assert set(words(found)) == {"good"}

    assert len(points) > 30


def test_a_damaged_entry_is_named_before_any_signature(signed):
    (first, _), _ = signed.history(signed.head)
    path = signed.folder / ".unlearnlog" / "entries" / first[:2] / f"{first}.json"
    path.write_bytes(path.read_bytes().replace(b"Picasso", b"Pikasso"))

    found = Ledger.open(signed.folder).fsck()

    assert {each.path for each in found if first in each.entries}
