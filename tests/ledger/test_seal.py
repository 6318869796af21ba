"""Sealed ledgers: read and checked without a key, computed only with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ledger.making import (
    DEATHS,
    Death,
    DyingDisk,
    FakeDisk,
    base_weights,
    erase,
    files,
    new_ledger,
    replay_everything,
    same,
)
from tests.ledger.signing import made_key
from unlearnlog.api import Ledger
from unlearnlog.core.delta import raw_bytes
from unlearnlog.errors import IntegrityError, LedgerError, Sealed, UsageError
from unlearnlog.ledger.repository import Repository

pyrage = pytest.importorskip("pyrage", reason="pip install 'unlearnlog[seal]'")


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """A file as age-keygen writes it."""
    secret = pyrage.x25519.Identity.generate()
    path = tmp_path_factory.mktemp("age") / "key.txt"
    path.write_text(f"# public key: {secret.to_public()}\n{secret}\n")
    return path


@pytest.fixture
def opened(tmp_path):
    """A ledger of two entries, whose cache holds sums of deltas."""
    ledger = new_ledger(tmp_path / "it")
    for seed in (1, 2):
        erase(ledger, seed)
    ledger.state(ledger.head, base_weights())
    return ledger


def public(identity: Path) -> str:
    return identity.read_text().split()[3]


def sealed(folder, identity):
    Ledger.open(folder).seal(public(identity))
    return Repository.open(folder)


def test_what_is_unsealed_is_what_was_sealed_to_the_byte(opened, identity):
    before = files(opened.folder)
    state = opened.state(opened.head, base_weights())

    ledger = sealed(opened.folder, identity)
    done = Ledger.open(ledger.folder).unseal(identity)

    assert (done.n_deltas, done.n_attacks) == (2, 0)
    after = files(opened.folder)
    kept = {path: data for path, data in after.items() if path.parts[0] != "sealed"}
    assert kept == before
    assert not [path for path, data in after.items() if data and path not in kept]
    assert same(
        Repository.open(ledger.folder).state(ledger.head, base_weights()), state
    )


def test_nothing_of_a_delta_is_left_in_a_sealed_ledger(opened, identity):
    deltas = [opened.delta(digest) for digest in opened.plan(opened.head)]
    parts = [
        raw_bytes(tensor).tobytes()
        for delta in deltas
        for patch in delta.patches.values()
        for tensor in patch.parts.values()
    ]
    root = opened.folder / ".unlearnlog"

    sealed(opened.folder, identity)

    everything = b"".join(p.read_bytes() for p in root.rglob("*") if p.is_file())
    assert len(parts) == 6
    assert not [part for part in parts if part[:16] in everything]
    assert not [*(root / "cache").rglob("*.*")]


def test_a_sealed_ledger_is_read_and_checked_without_a_key(opened, identity):
    head = opened.head

    ledger = sealed(opened.folder, identity)

    assert ledger.head == head
    assert [entry.seed for _, entry in ledger.history(head)] == [0, 0]
    assert ledger.fsck() == ()
    assert ledger.collect(dry_run=True) == ()


def test_what_needs_a_delta_says_what_to_type(opened, identity):
    ledger = sealed(opened.folder, identity)

    with pytest.raises(Sealed, match="is sealed") as found:
        ledger.state(ledger.head, base_weights())
    with pytest.raises(Sealed):
        Ledger.open(ledger.folder).checkout("HEAD", ledger.folder / "out")

    assert "unlearnlog unseal -i" in found.value.fix


def test_a_flipped_byte_of_a_sealed_file_is_found_without_a_key(opened, identity):
    ledger = sealed(opened.folder, identity)
    file = next((opened.folder / ".unlearnlog/sealed").rglob("*/*/*/*"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    (damage,) = ledger.fsck()

    assert damage.path.startswith("sealed/objects/")
    assert damage.entries


def test_another_key_opens_nothing(opened, identity, tmp_path):
    ledger = sealed(opened.folder, identity)
    other = tmp_path / "other.txt"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    before = files(ledger.folder)

    with pytest.raises(UsageError, match="does not open"):
        Ledger.open(ledger.folder).unseal(other)

    assert files(ledger.folder) == before


def test_an_ssh_key_seals_and_unseals(opened, tmp_path):
    key = made_key(tmp_path, "ada")

    Ledger.open(opened.folder).seal(recipient_files=[key.with_suffix(".pub")])
    done = Ledger.open(opened.folder).unseal(key)

    assert done.n_deltas == 2


def test_a_sealed_file_that_holds_another_delta_is_refused(opened, identity):
    """Whoever knows a recipient can encrypt to it; the name is a digest still."""
    first, second = opened.plan(opened.head)
    path = opened._store.object_path(first)
    sealed(opened.folder, identity)
    root = opened.folder / ".unlearnlog"
    shutil.rmtree(root / "sealed/objects" / second[:2] / second)
    (old,) = (root / "sealed/objects" / first[:2] / first).iterdir()
    wrong = root / "sealed/objects" / second[:2] / second / old.name
    wrong.parent.mkdir(parents=True)
    shutil.copy(old, wrong)

    with pytest.raises(IntegrityError, match="its content is"):
        Ledger.open(opened.folder).unseal(identity)

    assert not path.exists()


def test_there_must_be_a_recipient_and_something_to_seal(opened, identity):
    ledger = Ledger.open(opened.folder)

    with pytest.raises(UsageError, match="no recipient"):
        ledger.seal()
    with pytest.raises(UsageError, match="'age1nope' is no recipient"):
        ledger.seal("age1nope")
    with pytest.raises(UsageError, match="secret key") as found:
        ledger.seal(secret := identity.read_text().split()[4])
    assert secret not in str(found.value)
    sealed(opened.folder, identity)
    with pytest.raises(LedgerError, match="nothing to seal"):
        ledger.seal(public(identity))


def die_everywhere(model, folder, act, *, stride):
    """Die at points of an act; whatever is left can be sealed and unsealed again."""
    disk = FakeDisk()
    shutil.copytree(model, folder / "whole")
    act(Repository.open(folder / "whole", disk=disk))
    points = [(n, *how) for n in range(1, disk.n_changes + 1) for how in DEATHS]
    for i, point in enumerate(points[::stride]):
        it = folder / str(i)
        shutil.copytree(model, it)
        at = DyingDisk(*point[:2])
        with pytest.raises(Death):
            act(Repository.open(it, disk=at))
        if point[2]:
            at.lose_power()
        yield it, point


SECRET = b"a key that only tests have"


def _hidden(data):
    return SECRET + data[::-1]


def _shown(data):
    return data[len(SECRET) :][::-1]


def test_sums_that_a_killed_command_left_go_with_the_next(opened, identity):
    """All deltas are sealed, and the process died before it removed the cache."""
    sealed(opened.folder, identity)
    left = opened.folder / ".unlearnlog" / "cache" / "sums" / "left"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"a sum of deltas")

    with pytest.raises(LedgerError, match="nothing to seal"):
        Ledger.open(opened.folder).seal(public(identity))

    assert not left.exists()


def die_and_recover(ledger, folder, word, *, stride):
    """Die while sealing or unsealing; return how many deaths were recovered from."""
    if word == "unseal":
        ledger.seal(_hidden)
    acts = {
        "seal": lambda ledger: ledger.seal(_hidden),
        "unseal": lambda ledger: ledger.unseal(_shown),
    }
    n = 0
    for it, point in die_everywhere(ledger.folder, folder, acts[word], stride=stride):
        found = Repository.open(it, disk=FakeDisk())
        assert found.fsck() == (), point
        if [path for path in files(it) if len(path.parts) == 5]:
            found.unseal(_shown)
        replay_everything(it)
        assert Repository.open(it).fsck() == (), point
        n += 1
    return n


@pytest.mark.parametrize("word", ["seal", "unseal"])
def test_whoever_dies_while_sealing_loses_no_delta(opened, tmp_path, word):
    assert die_and_recover(opened, tmp_path, word, stride=7) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("word", ["seal", "unseal"])
def test_whoever_dies_anywhere_while_sealing_loses_no_delta(opened, tmp_path, word):
    assert die_and_recover(opened, tmp_path, word, stride=1) >= 40
