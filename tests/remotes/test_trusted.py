"""Signatures and sealed files that travel with a history."""

from __future__ import annotations

import json

import pytest

from tests.ledger.making import FakeDisk, base_weights, files, same
from tests.ledger.signing import allowed, asking, made_key
from tests.remotes.sharing import QUIET, at, entry_at, files_below, more, other, shared
from tests.remotes.test_transfer import check_flip
from unlearnlog import Ledger
from unlearnlog.errors import IntegrityError, Sealed
from unlearnlog.ledger.ledger_file import LedgerFile, file_beside
from unlearnlog.ledger.repository import Repository
from unlearnlog.remotes.fetching import fetch
from unlearnlog.remotes.file_lists import FileList
from unlearnlog.remotes.pushing import RefOrder, push

A, B = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Ada's key, and the file that allows it."""
    folder = tmp_path_factory.mktemp("keys")
    key = made_key(folder, "ada")
    return key, allowed(folder, key)


@pytest.fixture
def signed(tmp_path, keys):
    """A ledger of one unsigned and one signed entry, which its remote has."""
    one = shared(tmp_path, 1)
    asking(one.folder, *keys)
    more(one, 1)
    one.push()
    return one


@pytest.fixture
def identity(tmp_path):
    """A file as age-keygen writes it."""
    pyrage = pytest.importorskip("pyrage", reason="pip install 'unlearnlog[seal]'")
    secret = pyrage.x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"# public key: {secret.to_public()}\n{secret}\n")
    return path


def words(ledger, keys, rev="HEAD"):
    return [each.word for each in ledger.verify(rev, signers=keys[1]).entries]


def signatures(folder):
    return {n for n in files_below(folder) if n.startswith("signatures/")}


def test_a_clone_of_a_signed_ledger_is_verified_with_the_same_signers(
    tmp_path, signed, keys
):
    two = Ledger.clone(signed.remotes["origin"], tmp_path / "two")

    assert words(two, keys) == ["unsigned", "good"]
    assert signatures(two.folder / ".unlearnlog") == signatures(tmp_path / "store")
    assert len(signatures(tmp_path / "store")) == 1
    assert two.fsck() == ()


def test_a_later_signature_of_an_old_entry_travels_with_the_next_push(
    tmp_path, signed, keys
):
    two = other(tmp_path)
    signed.tag("checked", "HEAD", sign=True)

    sent = signed.push("origin", "checked")
    got = two.fetch()

    assert sent.n_files == got.n_files == 1
    assert words(two, keys) == ["tag", "good"]
    assert two.fsck() == ()
    assert signed.push("origin", "checked").n_files == 0
    assert two.fetch().n_files == 0


def test_a_signature_alone_is_news(tmp_path, signed, keys):
    two = other(tmp_path)
    store, first = signed.chain._store, entry_at(signed, "HEAD~1")
    from unlearnlog.ledger.signature_files import put_signature
    from unlearnlog.ledger.ssh_keygen import sign

    with store.writing() as writing:
        data = first.to_json()
        put_signature(store, writing, data, sign(data, keys[0]))

    sent, again = signed.push(), signed.push()
    two.fetch()

    assert [(m.how, m.new) for m in sent.refs] == [("same", signed.chain.head)]
    assert (sent.n_files, again.n_files) == (1, 0)
    assert words(two, keys) == ["good", "good"]


def test_signatures_of_both_sides_are_joined(tmp_path, signed, keys):
    two = other(tmp_path)
    asking(two.folder, *keys)
    two = Ledger.open(two.folder)
    two.tag("two", sign=True)
    signed.tag("one", sign=True)
    signed.push("origin", "one")

    two.push("origin", "two")
    signed.fetch()
    two.fetch()

    found = [signatures(each.folder / ".unlearnlog") for each in (signed, two)]
    assert found[0] == found[1] == signatures(tmp_path / "store")
    assert len(found[0]) == 3


def test_a_signature_with_a_flipped_byte_is_refused_by_name(tmp_path, signed):
    two = other(tmp_path)
    old = files_below(tmp_path / "store")
    more(signed, 2)
    signed.push()
    new = [n for n in files_below(tmp_path / "store") if n not in old]

    for kind in ("lists", "signatures"):  # a list that was read once is kept
        (name,) = (n for n in new if n.startswith(kind))
        for bit in (0, 801):
            check_flip(two, tmp_path / "store" / name, tmp_path / "store", bit)

    assert two.pull().new == signed.chain.head
    assert two.fsck() == ()


@pytest.mark.usefixtures("signed")
def test_a_signature_that_is_missing_there_is_named(tmp_path):
    (name,) = signatures(tmp_path / "store")
    (tmp_path / "store" / name).unlink()

    with pytest.raises(IntegrityError, match=name):
        other(tmp_path)


def test_a_signature_of_what_is_not_known_is_not_taken(tmp_path, signed):
    lost = signed.chain.head
    signed.reset("HEAD~1")
    signed.push(force_with_lease=True)

    two = other(tmp_path)

    assert lost in next(iter(signatures(tmp_path / "store")))
    assert signatures(two.folder / ".unlearnlog") == set()


def test_a_signed_ledger_that_is_worked_on_is_cloned_with_its_signatures(
    tmp_path, signed, keys
):
    before = files(signed.folder)

    two = Ledger.clone(str(signed.folder), tmp_path / "two")

    assert words(two, keys) == ["unsigned", "good"]
    assert files(signed.folder) == before


def test_a_signed_entry_costs_one_small_file_and_a_short_list_more(tmp_path, signed):
    two = other(tmp_path)
    for seed in range(2, 5):
        more(signed, seed)
        signed.push()
    newest = more(signed, 9)
    here = Repository.open(signed.folder, disk=FakeDisk())

    with at(tmp_path / "store") as pushing:
        push(here, pushing, [RefOrder("heads/main", newest)], QUIET)
    with at(tmp_path / "store") as fetching:
        fetch(Repository.open(two.folder, disk=FakeDisk()), fetching, QUIET)

    assert pushing.n_requests == 9 + 3
    assert fetching.n_requests <= 20


def test_lists_are_cut_and_lead_to_the_older_ones(tmp_path, signed, monkeypatch, keys):
    monkeypatch.setattr("unlearnlog.remotes.file_lists._FULL", 2)
    for seed in range(2, 6):
        more(signed, seed)
        signed.push()

    two = other(tmp_path)

    lists = [*(tmp_path / "store/lists").rglob("?" * 64)]
    assert any(path.read_text().startswith("older ") for path in lists)
    assert words(two, keys) == ["unsigned", *["good"] * 5]


@pytest.mark.parametrize(
    "path",
    [
        *("", "a/b", f"signatures/aa/{A}", f"signatures/ab/{A}/{B}"),
        *(f"sealed/aa/{A}/{B}", f"../signatures/aa/{A}/{B}", f"/aa/{A}/{B}"),
        *(f"objects/aa/{A}/{B}", f"sealed/../aa/{A}/{B}", f"signatures/aa/{A}/../{B}"),
    ],
)
def test_a_path_that_is_none_of_a_file_beside_is_refused(path):
    with pytest.raises(ValueError, match="no"):
        FileList.of(f"{path}\n".encode())


def test_a_list_comes_back_as_it_was_written():
    made = FileList((LedgerFile("signatures", B, A),), A)

    assert FileList.of(made.to_bytes()) == made
    assert file_beside(f"sealed/objects/aa/{A}/{B}") == LedgerFile(
        "sealed/objects", B, A
    )


def test_redactions_do_not_travel(tmp_path, signed):
    signed.redact("Picasso")
    signed.tag("v1")
    signed.push("origin", "main", "v1")

    two = other(tmp_path)

    assert not (two.folder / ".unlearnlog/redactions").exists()
    assert not any(
        b"redact" in name.encode() for name in files_below(tmp_path / "store")
    )


def test_a_sealed_ledger_is_pushed_as_it_is_and_its_clone_is_sealed(tmp_path, identity):
    one = Ledger.open(shared(tmp_path, 1, name="first").folder)
    one.seal(identity.read_text().split()[3])
    one.add_remote("vault", str(tmp_path / "vault"))

    one.push("vault")
    made = Ledger.copied(str(tmp_path / "vault"), tmp_path / "two")

    kinds = {name.partition("/")[0] for name in files_below(tmp_path / "vault")}
    assert kinds == {"bases", "entries", "sealed", "lists", "refs"}
    assert made.sealed
    two = Ledger.open(made.ledger)
    assert two.status().sealed
    assert two.fsck() == ()
    with pytest.raises(Sealed, match="unseal"):
        two.chain.state(two.chain.head, base_weights())
    two.unseal(identity)
    assert two.fsck() == ()
    whole = Ledger.clone(str(tmp_path / "store"), tmp_path / "three").chain
    assert same(
        two.chain.state(two.chain.head, base_weights(), fresh=True),
        whole.state(whole.head, base_weights(), fresh=True),
    )


def test_an_open_entry_follows_sealed_ones(tmp_path, identity):
    one = shared(tmp_path, 1, name="first")
    one.seal(identity.read_text().split()[3])
    one.add_remote("vault", str(tmp_path / "vault"))
    one.push("vault")
    two = Ledger.clone(str(tmp_path / "vault"), tmp_path / "two")
    two.unseal(identity)
    newest = more(two, 7)

    two.push()
    one.pull("vault")

    assert one.chain.head == newest
    assert one.fsck() == ()
    objects = [n for n in files_below(tmp_path / "vault") if n.startswith("objects/")]
    assert [n.rpartition("/")[2] for n in objects] == [*entry_at(two, newest).objects]


def test_a_sealed_file_with_a_flipped_byte_is_refused_by_name(tmp_path, identity):
    one = shared(tmp_path, 1, name="first")
    one.seal(identity.read_text().split()[3])
    one.add_remote("vault", str(tmp_path / "vault"))
    one.push("vault")
    (path,) = (tmp_path / "vault/sealed").rglob("?" * 64 + "/*")
    data = bytearray(path.read_bytes())
    data[99] ^= 1
    path.write_bytes(data)

    with pytest.raises(IntegrityError, match=path.name):
        Ledger.clone(str(tmp_path / "vault"), tmp_path / "two")


def test_a_sealed_delta_that_is_asked_for_open_says_how_to_unseal(tmp_path, identity):
    one = shared(tmp_path, 1, name="first")
    digest = entry_at(one, "HEAD").objects[0]
    one.seal(identity.read_text().split()[3])

    with pytest.raises(Sealed) as refused:
        one.chain.file(LedgerFile("objects", digest))

    assert "unlearnlog unseal" in refused.value.fix


def test_the_command_says_that_a_clone_is_sealed(tmp_path, identity, typed):
    one = shared(tmp_path, 1, name="first")
    one.seal(identity.read_text().split()[3])

    for words in ((), ("--json",)):
        found = typed(
            "clone", str(one.folder), str(tmp_path / f"two{len(words)}"), *words
        )
        if words:
            assert json.loads(found.out)["sealed"]
        else:
            assert "unlearnlog unseal" in found.out
