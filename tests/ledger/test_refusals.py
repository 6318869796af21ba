"""What a stranger may have put into a ledger: refused by name, nothing written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from tests.ledger.making import (
    FakeDisk,
    base_weights,
    erase,
    files,
    new_ledger,
    next_entry,
    some_delta,
)
from unlearnlog.core.delta import Delta, Full
from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.core.entry import EntryId
from unlearnlog.errors import IntegrityError, LedgerError, UnlearnlogError
from unlearnlog.ledger.checksummed import sealed
from unlearnlog.ledger.path_safety import MAX_TEXT
from unlearnlog.ledger.repository import Repository

PASSED_OVER = ("cache", "tmp", "lock", "lock.holder")


def make(folder):
    ledger = new_ledger(folder)
    erase(ledger, 1)
    ledger.create_branch("other")
    ledger.create_tag("june/first")
    erase(ledger, 2)
    return ledger


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    make(folder)
    return folder


@pytest.fixture
def root(model, tmp_path):
    shutil.copytree(model, tmp_path / "it")
    return tmp_path / "it" / ".unlearnlog"


def below(root, *, folders):
    """List every file, or every folder, that holds something of value."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.relative_to(root).parts[0] not in PASSED_OVER
        and path.is_dir() is folders
    ]


def read_everything(root):
    """Do what commands that read do."""
    ledger = Repository.open(root, disk=FakeDisk())
    assert ledger.base.source
    for entry in ledger.reachable():
        ledger.state(entry, base_weights())
    for branch in ledger.branches:
        ledger._store.moves(branch)
    ledger.resolve("HEAD~1")
    ledger.collect(dry_run=True)


def checked(root):
    """Return what fsck finds; a ledger that cannot be opened is damage, too."""
    try:
        return Repository.open(root, disk=FakeDisk()).fsck()
    except UnlearnlogError as error:
        return (error,)


@contextmanager
def no_longer_than(seconds):
    """Fail, not hang."""

    def stop(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def assert_refused(root, path):
    """Reading raises an error that names the path, fsck finds it, nothing changes."""
    listed = sorted(root.rglob("*"))
    with no_longer_than(10):
        with pytest.raises(UnlearnlogError) as caught:
            read_everything(root)
        found = checked(root)
    assert path.name in caught.value.message
    assert caught.value.fix
    assert any(path.name in str(damage) for damage in found)
    assert sorted(root.rglob("*")) == listed


class Trap:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_in_any_files_place_is_refused_and_never_loaded(root, tmp_path):
    sprung = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(sprung)))
    sprung.unlink()  # the trap works

    for path in below(root, folders=False):
        data = path.read_bytes()
        path.write_bytes(pickle.dumps(Trap(sprung)))
        assert_refused(root, path)
        path.write_bytes(data)

    assert not sprung.exists()
    assert checked(root) == ()


@pytest.mark.parametrize("folders", [False, True])
def test_a_link_in_any_files_or_folders_place_is_refused(root, tmp_path, folders):
    """The folder it leads to holds the very same bytes."""
    for path in below(root, folders=folders):
        outside = tmp_path / "outside"
        path.rename(outside)
        path.symlink_to(outside)
        found = checked(root)

        assert any("a symbolic link" in str(damage) for damage in found), path
        assert any(path.name in str(damage) for damage in found), path
        with pytest.raises(UnlearnlogError, match="a symbolic link"):
            read_everything(root)
        path.unlink()
        outside.rename(path)

    assert checked(root) == ()


def test_nothing_is_written_or_removed_through_a_link(root, tmp_path):
    for name in ("entries", "objects", "refs", "refs/heads", "logs", "tmp", "cache"):
        outside = tmp_path / "outside"
        (root / name).rename(outside)
        (outside / "precious").write_text("keep me")
        (root / name).symlink_to(outside)
        before = {p: p.read_bytes() for p in outside.rglob("*") if p.is_file()}

        ledger = Repository.open(root, disk=FakeDisk())
        for act in (
            lambda ledger=ledger: erase(ledger, 9),
            lambda ledger=ledger: ledger.collect(),
            lambda ledger=ledger: ledger.create_tag("new"),
        ):
            with suppress(UnlearnlogError):
                act()

        assert {p: p.read_bytes() for p in outside.rglob("*") if p.is_file()} == before
        (root / name).unlink()
        (outside / "precious").unlink()
        outside.rename(root / name)


@pytest.mark.parametrize("what", ["pipe", "/dev/zero"])
def test_what_never_ends_does_not_hold_anybody_up(root, what):
    for path in below(root, folders=False):
        data = path.read_bytes()
        path.unlink()
        if what == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(what)
        assert_refused(root, path)
        path.unlink()
        path.write_bytes(data)


@pytest.mark.parametrize("what", ["pipe", "/dev/zero", "link"])
@pytest.mark.parametrize("name", ["lock", "lock.holder"])
def test_a_strange_lock_holds_nobody_up_and_nothing_is_written_through_it(
    root, tmp_path, name, what
):
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (root / name).unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(root / name)
    else:
        (root / name).symlink_to(precious if what == "link" else what)

    with no_longer_than(10), suppress(LedgerError):
        erase(Repository.open(root, disk=FakeDisk()), 9)

    assert precious.read_text() == "keep me"
    assert Repository.open(root).head is not None


@pytest.mark.parametrize("what", ["pipe", "link"])
def test_a_strange_cache_is_done_without(root, tmp_path, what):
    sums = root / "cache" / "sums"
    sums.mkdir(parents=True)
    if what == "pipe":
        os.mkfifo(sums / ("a" * 64))
        os.mkfifo(root / "cache" / "painted")
    else:
        (tmp_path / "outside").mkdir()
        sums.rmdir()
        sums.symlink_to(tmp_path / "outside")

    with no_longer_than(10):
        ledger = Repository.open(root, disk=FakeDisk())
        ledger.state(ledger.head, base_weights())
        ledger.shelf.put("a key", torch.zeros(2))
        ledger.shelf.get("a key")

    if what == "link":
        assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_longer_than_any_ledger_needs_is_not_read(root):
    for path in below(root, folders=False):
        data = path.read_bytes()
        os.truncate(path, 2**40)  # a hole: it takes no room
        assert_refused(root, path)
        path.write_bytes(data)


@pytest.mark.parametrize("length", [MAX_TEXT + 1, 2**62, 2**64 - 1])
def test_a_header_longer_than_any_deltas_is_refused(root, length):
    (path, *_) = (root / "objects").glob("*/*")
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])

    assert_refused(root, path)
    with pytest.raises(IntegrityError, match=f"at most {MAX_TEXT} are read"):
        Repository.open(root).delta(Digest(path.name))


NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def test_a_tower_of_brackets_is_refused(root):
    head = Repository.open(root).head
    assert head is not None
    header = b'{"__metadata__":' + NESTED + b"}"
    towers = {
        root / "base.json": NESTED,
        root / "objects" / "ab" / ("ab" * 32): len(header).to_bytes(8, "little")
        + header,
        root / "logs" / "heads" / "main": sealed(
            "logs/heads/main", [NESTED.decode()] * 2
        ),
    }
    for path, tower in towers.items():
        old = path.read_bytes() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tower)
        assert any(path.name in str(damage) for damage in checked(root)), path
        path.unlink() if old is None else path.write_bytes(old)
    stranger(root, NESTED, "not an entry")


def stranger(root, data, complaint):
    """Make the head an entry with these bytes under their own hash; see it refused."""
    entry = EntryId(digest_of(data))
    path = root / "entries" / entry[:2] / f"{entry}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    (root / "refs" / "heads" / "main").write_bytes(sealed("refs/heads/main", [entry]))
    ledger = Repository.open(root, disk=FakeDisk())

    is_newer = "this program reads" in complaint
    with pytest.raises(LedgerError if is_newer else IntegrityError) as e:
        ledger.history(ledger.head)

    assert complaint in e.value.message
    assert "\n" not in e.value.message
    assert entry in e.value.message
    assert any(entry in damage.entries for damage in ledger.fsck())
    return e.value


def changed(root, **fields):
    """Write the head's entry with other fields."""
    ledger = Repository.open(root)
    head = ledger.head
    assert head is not None
    return canonical_json({**json.loads(ledger.entry(head).to_json()), **fields})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"format": 0}, "not an entry: format"),
        ({"more": 1}, "not an entry: more"),
        ({"kind": "sabotage"}, "not an entry: kind"),
        ({"parent": "../../../etc/passwd"}, "not an entry: parent"),
        ({"changes": [{"op": "append", "object": "../../x"}]}, "not an entry: changes"),
        ({"seed": -1}, "not an entry: seed"),
        ({"concepts": [{"name": "", "kind": "style"}]}, "not an entry: "),
    ],
)
def test_an_entry_of_another_shape_is_refused_by_the_field(root, fields, complaint):
    stranger(root, changed(root, **fields), complaint)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format":1}'])
def test_bytes_that_are_no_entry_are_refused(root, data):
    stranger(root, data, "not an entry")


def test_an_entry_of_a_newer_program_says_so(root):
    error = stranger(root, changed(root, format=2), "has format 2, this program reads")

    assert error.fix == "pip install --upgrade unlearnlog"


def test_an_entry_in_another_spelling_is_found_by_fsck(root):
    data = changed(root).replace(b'{"changes"', b'{ "changes"')
    entry = EntryId(digest_of(data))
    path = root / "entries" / entry[:2] / f"{entry}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)

    (damage,) = checked(root)

    assert damage.problem == "it is not in canonical form"
    assert damage.entries == (entry,)


OUTSIDE = ["../../x", "/etc/passwd", "..", ".", "a/../../b", "x\0y", "", "A" * 64]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_of_the_ledger_leads_nowhere(root, name):
    before = files(root.parent)
    ledger = Repository.open(root, disk=FakeDisk())

    for act in (
        lambda: ledger.resolve(name),
        lambda: ledger.reset(name),
        lambda: ledger.switch(name),
        lambda: ledger.create_branch(name),
        lambda: ledger.create_tag(name),
        lambda: ledger.entry(EntryId(name)),
        lambda: ledger.delta(Digest(name)),
    ):
        with pytest.raises(UnlearnlogError) as caught:
            act()
        assert caught.value.fix
    assert files(root.parent) == before


PATHS = ["../../etc/passwd", "/etc/passwd", "unet.a/../../b", "unet.a#left", "unet.z"]


@pytest.mark.parametrize("name", PATHS)
def test_a_tensor_that_the_base_has_not_is_refused_whatever_its_name(root, name):
    delta = Delta({name: Full(torch.ones(6, 4))})
    ledger = Repository.open(root, disk=FakeDisk())
    before = files(root.parent)
    entry = next_entry(
        ledger,
        delta,
        state=ledger.entry(_head(ledger)).state.model_copy(
            update={"before": ledger.state_digest(ledger.head)}
        ),
    )

    with pytest.raises(ValueError, match="the base has no tensor"):
        ledger.append(entry, delta)

    assert files(root.parent) == before
    with ledger._store.writing() as writing:  # a stranger's program is less careful
        ledger._store.put_object(writing, delta)
        ledger._store.put_entry(writing, entry)
        ledger._store.put_ref(writing, "heads/main", entry.id)
    with pytest.raises(IntegrityError, match="the base has no tensor"):
        ledger.state(entry.id, base_weights())
    (damage,) = ledger.fsck()
    assert damage.entries == (entry.id,)
    assert ascii(name)[1:-1] in damage.problem


def test_a_delta_of_another_shape_than_the_bases_tensor_is_refused(root):
    delta = Delta({"unet.a": Full(torch.ones(4, 6))})
    ledger = Repository.open(root, disk=FakeDisk())
    state = ledger.entry(_head(ledger)).state
    before = state.model_copy(update={"before": ledger.state_digest(ledger.head)})

    with pytest.raises(ValueError, match=r"unet.a is \[6, 4\], its patch \[4, 6\]"):
        ledger.append(next_entry(ledger, delta, state=before), delta)


def test_an_entry_whose_numbers_changed_since_its_id_was_known_is_not_written(root):
    """A record is frozen, but the dictionary in it is not."""
    ledger = Repository.open(root, disk=FakeDisk())
    entry = next_entry(ledger, some_delta(9))
    before, _ = files(root.parent), entry.id
    entry.eraser.settings["rank"] = 8

    with pytest.raises(ValueError, match="its content is"):
        ledger.append(entry, some_delta(9))

    assert files(root.parent) == before


def test_a_name_that_is_no_text_is_refused_by_fsck_and_by_readers(root):
    name = os.fsencode(root / "refs" / "tags") + b"/\xff\xfe"
    Path(os.fsdecode(name)).write_bytes(b"anything")

    assert any("refs/tags" in str(damage) for damage in checked(root))
    with pytest.raises(IntegrityError, match="is damaged"):
        read_everything(root)


def test_gc_removes_nothing_where_a_log_or_a_branch_is_missing(root):
    """Nobody would know what was recorded, and everything would be garbage."""
    names = [
        *("refs", "refs/heads", "refs/heads/main", "refs/tags/june/first", "HEAD"),
        *("logs", "logs/heads", "logs/heads/main", "logs/heads/other", "logs/names"),
    ]
    for name in names:
        aside = root.parent / "aside"
        (root / name).rename(aside)
        before = files(root.parent)

        with pytest.raises(UnlearnlogError):
            Repository.open(root, disk=FakeDisk()).collect()

        assert files(root.parent) == before
        aside.rename(root / name)
    assert Repository.open(root).fsck() == ()


def _head(ledger):
    assert ledger.head is not None
    return ledger.head
