"""Bytes on their way: cut off, flipped, forged, repeated; and what they cost."""

from __future__ import annotations

import functools
import json
import random
import threading
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.ledger.making import (
    FakeDisk,
    base_weights,
    files,
    next_entry,
    same,
    some_delta,
)
from tests.remotes.sharing import (
    QUIET,
    at,
    big_delta,
    entry_at,
    failing,
    files_below,
    long_history,
    more,
    other,
    shared,
)
from unlearnlog import Ledger
from unlearnlog.commands.push_pull import fetch_from
from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Drop, EntryId, StateRecord
from unlearnlog.errors import (
    IntegrityError,
    LockBusy,
    RemoteError,
    UnlearnlogError,
    UsageError,
)
from unlearnlog.ledger.repository import Repository
from unlearnlog.remotes.expiring_lock import held_remotely
from unlearnlog.remotes.fetching import fetch
from unlearnlog.remotes.pushing import RefOrder, push
from unlearnlog.remotes.ref_log import NEWEST, move, name_of, newest
from unlearnlog.remotes.remote_refs import RemoteRefs

N_FLIPS = 40
SOME = Digest("a" * 64)


def flipped(path, bit):
    """Flip one bit of a file; return what it was."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    return data


def check_flip(two, path, store, bit):
    """Flip a bit of a remote's file: it is refused by name, and nothing is taken."""
    before = files(two.folder)
    was = flipped(path, bit)
    try:
        with pytest.raises(IntegrityError) as refused:
            two.fetch()
    finally:
        path.write_bytes(was)
    assert str(path.relative_to(store)) in refused.value.message
    assert files(two.folder) == before


def news(tmp_path):
    """Return a clone, and the files of the remote that its next fetch reads."""
    one, two = shared(tmp_path, 1), other(tmp_path)
    old = files_below(tmp_path / "store")
    more(one, 7)
    one.push()
    new = [
        n for n, data in files_below(tmp_path / "store").items() if old.get(n) != data
    ]
    return two, [tmp_path / "store" / name for name in new]


def test_a_flipped_bit_of_a_remote_is_refused_by_name(tmp_path):
    two, paths = news(tmp_path)
    chance = random.Random(0)

    for path in paths:
        for _ in range(N_FLIPS // len(paths)):
            bit = chance.randrange(8 * path.stat().st_size)
            check_flip(two, path, tmp_path / "store", bit)

    assert {path.relative_to(tmp_path / "store").parts[0] for path in paths} == {
        *("entries", "objects", "refs"),
    }
    assert two.pull().new == entry_at(two, "origin/main").id
    assert two.fsck() == ()


@pytest.mark.slow
def test_every_byte_of_a_remote_may_be_flipped_and_is_refused_by_name(tmp_path):
    two, paths = news(tmp_path)
    chance = random.Random(1)

    for path in paths:
        for place in range(path.stat().st_size):
            bit = 8 * place + chance.randrange(8)
            check_flip(two, path, tmp_path / "store", bit)

    assert two.pull().new == entry_at(two, "origin/main").id


def test_a_file_that_is_missing_there_is_named(tmp_path):
    two, paths = news(tmp_path)

    for path in paths:
        was = path.read_bytes()
        path.unlink()
        if path.name not in ("newest", "000000000002"):  # these are optional or new
            with pytest.raises(IntegrityError, match=path.name):
                two.fetch()
        path.write_bytes(was)


def test_a_lost_number_of_refs_is_found_by_counting(tmp_path):
    two, _ = news(tmp_path)
    (tmp_path / "store" / NEWEST).unlink()

    assert two.pull().fetched.n_files == 2


def test_a_push_that_is_cut_off_shows_nothing_and_goes_on(tmp_path):
    one, two = shared(tmp_path, 1), other(tmp_path)
    for seed in range(7, 12):
        more(one, seed)
    here, head = one.chain, one.chain.head
    orders, n, sent, done = [RefOrder("heads/main", head)], 0, [], None

    while done is None:
        n += 9
        with at(tmp_path / "store", failing(n)) as there, suppress(RemoteError):
            done = push(here, there, orders, QUIET)
        sent.append(len(files_below(tmp_path / "store")))
        assert done is not None or two.fetch().n_files == 0
    sent.append(len(files_below(tmp_path / "store")))

    assert n > 20
    assert sent == sorted(sent)
    assert done.moves[0].new == head
    assert two.pull().new == head
    assert two.fsck() == ()


def test_a_fetch_that_is_cut_off_shows_nothing_and_goes_on(tmp_path):
    one, two = shared(tmp_path, 1), other(tmp_path)
    for seed in range(7, 11):
        more(one, seed)
    one.push()
    before, here = files(two.folder), Repository.open(two.folder, disk=FakeDisk())
    reads = []

    class Cut(FakeDisk):
        def read(self, path):
            reads.append(path)
            if len(reads) > 7:
                raise ConnectionResetError
            return super().read(path)

    with at(tmp_path / "store", Cut()) as there, pytest.raises(RemoteError):
        fetch(here, there, QUIET)
    after = files(two.folder)
    done = two.pull()

    assert after == before
    assert 0 < done.fetched.n_files < 8
    assert done.new == one.chain.head
    assert two.fsck() == ()


def test_a_clone_that_is_cut_off_is_no_ledger_and_goes_on(tmp_path):
    shared(tmp_path, 3)
    entry = next((tmp_path / "store/entries").rglob("*.json"))
    was = flipped(entry, 80)
    with pytest.raises(IntegrityError, match=entry.name):
        other(tmp_path)
    assert not (tmp_path / "two/.unlearnlog").exists()
    entry.write_bytes(was)

    two = other(tmp_path)

    assert two.fsck() == ()
    assert [p.name for p in two.folder.iterdir()] == [".unlearnlog"]


@pytest.mark.parametrize("fault", ["state", "drop"])
def test_a_forged_history_that_cannot_be_replayed_is_refused(tmp_path, fault):
    one, two = shared(tmp_path, 1), other(tmp_path)
    here = one.chain
    delta = some_delta(7)
    entry = next_entry(here, delta)
    if fault == "state":
        after = entry.state.after
        entry = entry.model_copy(
            update={"state": StateRecord(before=SOME, after=after)}
        )
    else:
        entry = entry.model_copy(update={"changes": (Drop(entry=EntryId(SOME)),)})
    store = here._store
    with store.writing() as writing:
        store.put_object(writing, delta)
        store.put_entry(writing, entry)
        store.put_ref(writing, "heads/main", entry.id)
    with at(tmp_path / "store") as there:
        push(
            Repository.open(one.folder),
            there,
            [RefOrder("heads/main", entry.id)],
            QUIET,
        )
    before = files(two.folder)

    with pytest.raises(IntegrityError, match=entry.id):
        two.fetch()

    assert files(two.folder) == before


def test_of_two_that_move_the_refs_from_one_number_one_wins(tmp_path):
    refs = RemoteRefs(SOME, SOME, "main", {"heads/main": None})
    with at(tmp_path / "store") as there:
        assert move(there, None, refs)
        state = newest(there)
        assert move(there, state, refs)

        assert not move(there, state, refs)

        found = newest(there)
    assert found is not None
    assert (found.number, found.refs) == (2, refs)


def test_a_slower_client_cannot_hide_a_later_move(tmp_path):
    refs = RemoteRefs(SOME, SOME, "main", {"heads/main": None})
    with at(tmp_path / "store") as there:
        move(there, None, refs)
        first = (tmp_path / "store" / NEWEST).read_bytes()
        move(there, newest(there), refs)

        (tmp_path / "store" / NEWEST).write_bytes(first)

        found = newest(there)
    assert found is not None
    assert found.number == 2


def test_an_answer_that_is_lost_makes_no_second_move(tmp_path):
    """The remote has moved, and the client does not know."""
    one = shared(tmp_path, 1)
    head = more(one, 7)
    with at(tmp_path / "store") as there:
        push(one.chain, there, [RefOrder("heads/main", head)], QUIET)

    done = one.push()

    assert done.refs[0].how == "same"
    assert not (tmp_path / "store" / name_of(3)).exists()


def test_refs_of_a_later_program_are_refused(tmp_path):
    one = shared(tmp_path, 1)
    from unlearnlog.ledger.checksummed import sealed

    lines = ["unlearnlog-remote 2", "anything"]
    path = tmp_path / "store" / name_of(1)
    path.write_bytes(sealed(name_of(1), lines))

    with pytest.raises(RemoteError, match="format 2") as refused:
        one.fetch()

    assert "upgrade" in refused.value.fix


def test_a_store_that_cannot_create_takes_a_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", _no_link)
    monkeypatch.setattr("unlearnlog.remotes.expiring_lock._SETTLES", 0)
    one, two = shared(tmp_path, 1), other(tmp_path)
    assert "moves by lock" in (tmp_path / "store" / name_of(1)).read_text()
    assert not (tmp_path / "store/lock").exists()
    newest_id = more(one, 7)
    one.push()
    assert two.pull().new == newest_id

    with (
        at(tmp_path / "store") as there,
        held_remotely(there, settles=0),
        pytest.raises(LockBusy, match="another client"),
        held_remotely(there, settles=0),
    ):
        pass

    with at(tmp_path / "store") as there, held_remotely(there, settles=0):
        pass  # it was freed


def _no_link(*_):
    raise PermissionError(1, "no links here")


def test_a_lock_of_a_client_that_died_expires(tmp_path):
    from unlearnlog.ledger.checksummed import sealed

    path = tmp_path / "store/lock"
    path.parent.mkdir()
    path.write_bytes(sealed("lock", ["0" * 32, "2026-01-01T00:00:00+00:00"]))

    with at(tmp_path / "store") as there, held_remotely(there, settles=0) as check:
        check()

    assert not path.exists()


def check_cost(tmp_path, n):
    """Push one entry to a remote of many, fetch it; return both connections."""
    one = long_history(tmp_path / "one", n)
    one.add_remote("origin", str(tmp_path / "store"))
    one.push()
    two = other(tmp_path)
    here = Repository.open(one.folder, disk=FakeDisk())
    delta = big_delta()
    entry = next_entry(here, delta)
    here.append(entry, delta)
    own = len(entry.to_json()) + len(
        (
            one.folder / f".unlearnlog/objects/{delta.digest[:2]}/{delta.digest}"
        ).read_bytes()
    )
    with at(tmp_path / "store") as pushing:
        push(here, pushing, [RefOrder("heads/main", entry.id)], QUIET)
    with at(tmp_path / "store") as fetching:
        fetch(Repository.open(two.folder, disk=FakeDisk()), fetching, QUIET)
    assert entry_at(two, "origin/main").id == entry.id
    for each in (pushing, fetching):
        assert each.n_requests <= 20
        assert each.n_bytes <= 1.2 * own
    return pushing, fetching


def test_a_push_of_one_entry_costs_little_beside_a_long_history(tmp_path):
    check_cost(tmp_path, 60)


@pytest.mark.slow
def test_a_push_of_one_entry_costs_little_beside_a_thousand(tmp_path):
    pushing, fetching = check_cost(tmp_path, 1_000)

    assert (pushing.n_requests, fetching.n_requests) == (9, 5)


class Quiet(SimpleHTTPRequestHandler):
    """A plain web server, which says nothing."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def web(tmp_path):
    """The address of a web server for the folder of a test."""
    pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_server_is_read_and_never_written_to(tmp_path, web):
    one = shared(tmp_path)

    two = Ledger.clone(f"{web}/store", tmp_path / "two")
    newest_id = more(one, 7)
    one.push()

    assert two.pull().new == newest_id
    assert two.fsck() == ()
    head = two.chain.head
    assert same(
        two.chain.state(head, base_weights(), fresh=True),
        one.chain.state(head, base_weights(), fresh=True),
    )
    with pytest.raises(UsageError, match="only be read"):
        two.push()


def test_a_flipped_bit_of_a_web_server_is_refused_by_name(tmp_path, web):
    shared(tmp_path, 1)
    path = next(p for p in (tmp_path / "store/objects").rglob("*") if p.is_file())
    flipped(path, 900)

    with pytest.raises(IntegrityError, match=path.name):
        Ledger.clone(f"{web}/store", tmp_path / "two")


def test_a_server_that_is_gone_is_named_with_what_to_do(tmp_path):
    pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")

    with pytest.raises(RemoteError, match=r"127\.0\.0\.1:9/x") as refused:
        Ledger.clone("http://127.0.0.1:9/x", tmp_path / "two")

    assert "run the same again" in refused.value.fix


def test_commands_say_where_refs_were_and_are(tmp_path, typed):
    one = shared(tmp_path, 1)
    store, head = str(tmp_path / "store"), one.chain.head
    here = ("--ledger", str(one.folder))

    listed = typed("remote", *here, "--json").json()
    cloned = typed("clone", store, "two", "--json").json()
    newest_id = more(one, 7)
    pushed = typed("push", *here, "--json").json()
    pulled = typed("pull", "--ledger", "two", "--json").json()
    said = typed("push", *here)

    assert listed == {"remotes": {"origin": store}}
    assert (cloned["head"], cloned["branch"], cloned["url"]) == (head, "main", store)
    assert pushed["refs"] == [
        {"ref": "heads/main", "old": head, "new": newest_id, "how": "forward"}
    ]
    assert (pulled["old"], pulled["new"]) == (head, newest_id)
    assert f"unchanged, {newest_id[:12]}" in said.out
    assert json.loads(typed("status", *here, "--json").out)["upstream"] == {
        **{"name": "origin/main", "ahead": 0, "behind": 0},
    }


def test_a_clone_says_what_to_do_for_a_base_that_is_not_here(tmp_path, typed):
    shared(tmp_path, 1)
    store = str(tmp_path / "store")
    (tmp_path / "model").mkdir()

    done = typed("clone", store, "two")
    found = typed("clone", store, "three", "--base", "model", "--json")
    none = typed("clone", store, "four", "--base", "nowhere")

    assert "unlearnlog config set base PATH" in done.out
    assert found.json()["base_found"]
    assert typed("config", "get", "base", "--ledger", "three").out == "../model\n"
    assert none.code == 2
    assert not (tmp_path / "four").exists()


def test_a_lease_is_typed_with_what_is_expected(tmp_path, typed):
    one = shared(tmp_path, 2)
    here = ("--ledger", str(one.folder))
    one.reset("HEAD~1")
    last = one.chain.resolve("origin/main")

    alone = typed("push", *here, "--expect", f"main:{last}")
    wrong = typed("push", *here, "--force-with-lease", "--expect", "main")
    stale = typed("push", *here, "--force-with-lease", "--expect", "main:base")
    done = typed("push", *here, "--force-with-lease", "--expect", f"main:{last}")

    assert (alone.code, wrong.code, stale.code, done.code) == (2, 2, 1, 0)
    assert "add --force-with-lease" in alone.err
    assert "forced" in done.out


def test_a_busy_ledger_keeps_what_was_fetched(tmp_path):
    from unlearnlog.ledger.lock import held

    two, _ = news(tmp_path)
    with held(two.folder / ".unlearnlog"), pytest.raises(LockBusy):
        two.fetch()

    done = fetch_from(two.chain, "origin", QUIET)

    assert done.n_files == 0
    assert two.pull().new != entry_at(two, "HEAD~1").id


def test_every_refusal_ends_with_what_to_type(tmp_path):
    one = shared(tmp_path, 1)
    one.add_remote("web", "https://127.0.0.1:9/x")

    for act in (lambda: one.push("web"), lambda: one.pull("origin", "nope")):
        with pytest.raises(UnlearnlogError) as refused:
            act()
        assert refused.value.fix
