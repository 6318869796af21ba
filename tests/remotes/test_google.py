"""Remotes in a bucket of Google Cloud Storage, which fake-gcs-server stands in for."""

from __future__ import annotations

import threading

import pytest

from tests.ledger.making import files, new_ledger, replay_everything
from tests.remotes.servers import gcs, use_gcs
from tests.remotes.sharing import entry_at, more
from unlearnlog import Ledger
from unlearnlog.errors import Diverged, IntegrityError, RemoteError
from unlearnlog.remotes.object_store import ObjectStore
from unlearnlog.remotes.remote_url import remote_url

pytestmark = pytest.mark.slow

URL = "gs://ledgers/below/it"


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """Run a server with a bucket; return the store at the address."""
    pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")
    with gcs(tmp_path, "ledgers") as port:
        use_gcs(monkeypatch, port)
        yield ObjectStore(remote_url(URL))


@pytest.fixture
def one(tmp_path, bucket):
    """Return a ledger with one entry, which the bucket has."""
    assert bucket.names("") == []
    ledger = Ledger.open(new_ledger(tmp_path / "one").folder)
    more(ledger, 1)
    ledger.add_remote("origin", URL)
    ledger.push()
    return ledger


def test_a_ledger_goes_through_a_bucket_and_back(tmp_path, one, bucket):
    two = Ledger.clone(URL, tmp_path / "two")
    newest = more(two, 7)

    pushed = two.push()
    pulled = one.pull()

    assert pushed.n_files == 2
    assert pulled.new == newest
    assert b"moves by create" in (bucket.read("refs/000000000001") or b"")
    for ledger in (one, two):
        assert ledger.fsck() == ()
        replay_everything(ledger.folder)


def test_of_writes_at_once_where_nothing_is_one_is_taken(bucket):
    names = [f"tmp/{i}" for i in range(25)]
    taken: list[tuple[str, bytes]] = []

    def write(own):
        taken.extend((name, own) for name in names if bucket.create(name, own))

    writers = [threading.Thread(target=write, args=(b"%d" % i,)) for i in range(6)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()

    assert sorted(name for name, _ in taken) == sorted(names)
    assert all(bucket.read(name) == own for name, own in taken)
    assert bucket.can_create()


def test_of_two_pushes_at_once_one_is_refused_and_loses_nothing(tmp_path, one):
    two = Ledger.clone(URL, tmp_path / "two")
    entries = [more(ledger, seed) for seed, ledger in enumerate((one, two), 7)]
    outcomes: dict[int, Diverged | None] = {}
    start = threading.Barrier(2)

    def push(number, ledger):
        start.wait()
        try:
            ledger.push()
            outcomes[number] = None
        except Diverged as error:
            outcomes[number] = error

    pushes = [
        threading.Thread(target=push, args=each) for each in enumerate((one, two))
    ]
    for each in pushes:
        each.start()
    for each in pushes:
        each.join()

    (late,) = (number for number, error in outcomes.items() if error)
    error, loser = outcomes[late], (one, two)[late]
    assert error is not None
    assert "unlearnlog fetch origin" in error.fix
    assert loser.chain.head == entries[late]
    loser.fetch()
    assert entry_at(loser, "origin/main").id == entries[1 - late]
    with pytest.raises(Diverged):
        loser.push()
    assert Ledger.clone(URL, tmp_path / "three").chain.head == entries[1 - late]


def test_a_lease_that_is_out_of_date_is_refused(tmp_path, one):
    two = Ledger.clone(URL, tmp_path / "two")
    theirs = more(one, 7)
    one.push()
    mine = more(two, 8)

    with pytest.raises(Diverged, match=theirs[:12]):
        two.push(force_with_lease=True)
    two.fetch()
    two.push(force_with_lease=True)

    assert Ledger.clone(URL, tmp_path / "three").chain.head == mine


def test_a_flipped_byte_in_a_bucket_is_refused_by_name(tmp_path, one, bucket):
    two = Ledger.clone(URL, tmp_path / "two")
    known = {*bucket.names("")}
    more(one, 7)
    one.push()
    new = [name for name in bucket.names("") if name not in known]

    for name in new:
        was = bucket.read(name)
        for place in (0, len(was) // 2, len(was) - 1):
            changed = bytearray(was)
            changed[place] ^= 1
            bucket.write(name, bytes(changed))
            before = files(two.folder)
            with pytest.raises(IntegrityError, match=name):
                two.fetch()
            assert files(two.folder) == before
        bucket.write(name, was)

    assert {name.partition("/")[0] for name in new} == {"entries", "objects", "refs"}
    assert two.pull().new == one.chain.head


def test_a_bucket_that_is_not_there_or_not_open_is_named(one, monkeypatch):
    one.add_remote("nowhere", "gs://nowhere/x")

    with pytest.raises(RemoteError, match="gs://nowhere/x") as absent:
        one.push("nowhere")
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "of-another")
    more(one, 9)
    with pytest.raises(RemoteError, match="lacked valid auth") as shut:
        one.push()

    assert "GOOGLE_APPLICATION_CREDENTIALS" in absent.value.fix
    assert "of-another" not in shut.value.message + shut.value.fix
