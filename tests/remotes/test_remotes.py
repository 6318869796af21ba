"""Histories that travel between ledgers and a remote, and what is refused."""

from __future__ import annotations

import pytest

from tests.ledger.making import base_weights, files, new_ledger, same
from tests.remotes.sharing import entry_at, files_below, more, other, shared
from unlearnlog import Ledger
from unlearnlog.commands.push_pull import Upstream
from unlearnlog.errors import (
    Diverged,
    LedgerError,
    RemoteError,
    RevisionError,
    UsageError,
    WrongBase,
)
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository


def test_a_clone_has_the_history_the_states_and_no_damage(tmp_path):
    one = shared(tmp_path)
    one.tag("first", "HEAD~1")
    one.push(tags=True)

    two = other(tmp_path)

    assert [e.id for e in two.entries()] == [e.id for e in one.entries()]
    assert two.tag() == one.tag()
    assert two.remotes == {"origin": str(tmp_path / "store")}
    assert two.fsck() == ()
    head = two.chain.head
    assert same(
        two.chain.state(head, base_weights(), fresh=True),
        one.chain.state(head, base_weights(), fresh=True),
    )
    assert sorted(p.name for p in two.folder.iterdir()) == [".unlearnlog"]
    assert not (two.folder / ".unlearnlog/cache/incoming").exists()


def test_only_what_a_remote_lacks_is_sent(tmp_path):
    one = shared(tmp_path)
    before = files_below(tmp_path / "store")
    entry = entry_at(one, more(one, 7))

    done = one.push()

    after = files_below(tmp_path / "store")
    new = {name for name in after if name not in before}
    assert {name.partition("/")[0] for name in new} == {"entries", "objects", "refs"}
    assert len(new) == 3
    assert done.n_files == 2
    assert done.n_bytes == sum(len(after[n]) for n in new if not n.startswith("refs"))
    assert (done.refs[0].new, done.refs[0].how) == (entry.id, "forward")


def test_a_second_push_moves_nothing(tmp_path):
    one = shared(tmp_path)
    before = files_below(tmp_path / "store")

    done = one.push()

    assert (done.n_files, done.refs[0].how) == (0, "same")
    assert files_below(tmp_path / "store") == before


def test_a_pull_moves_the_branch_forward(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    newest = more(one, 7)
    one.push()

    done = two.pull()

    assert (done.new, done.branch) == (newest, "main")
    assert done.fetched.n_files == 2
    assert two.chain.head == newest
    assert two.moves()[-1].why == "pull origin"
    assert two.fsck() == ()


def test_a_fetch_moves_no_branch_and_its_refs_are_revisions(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    head, newest = two.chain.head, more(one, 7)
    one.push()

    done = two.fetch()

    assert two.chain.head == head
    assert done.branches == {"main": (head, newest)}
    assert two.remote_branches() == {"origin/main": newest}
    assert entry_at(two, "origin/main").id == newest
    assert entry_at(two, "origin/main~1").id == head
    assert two.status().upstream == Upstream("origin/main", 0, 1)
    assert two.pull().new == newest
    assert two.status().upstream == Upstream("origin/main", 0, 0)


def test_a_push_that_would_lose_work_is_refused_with_what_to_type(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    theirs = more(one, 7)
    one.push()
    more(two, 8)
    before = files_below(tmp_path / "store/refs")

    with pytest.raises(Diverged, match=theirs[:12]) as refused:
        two.push()

    for words in ("fetch origin", "branch my-main", "reset origin/main", "compose my-"):
        assert f"unlearnlog {words}" in refused.value.fix
    assert files_below(tmp_path / "store/refs") == before


def test_a_branch_that_is_behind_is_to_be_pulled(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    more(one, 7)
    one.push()
    two.fetch()

    with pytest.raises(Diverged, match="behind") as refused:
        two.push()

    assert "unlearnlog pull origin" in refused.value.fix


def test_a_pull_of_a_history_that_diverged_moves_nothing_and_keeps_the_fetch(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    theirs, ours = more(one, 7), more(two, 8)
    one.push()

    with pytest.raises(Diverged, match="both moved"):
        two.pull()

    assert two.chain.head == ours
    assert two.remote_branches() == {"origin/main": theirs}
    assert two.status().upstream == Upstream("origin/main", 1, 1)


def test_with_a_lease_work_is_lost_only_where_it_was_seen(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    theirs, ours = more(one, 7), more(two, 8)
    one.push()

    with pytest.raises(Diverged, match="expected"):
        two.push(force_with_lease=True)
    two.fetch()
    done = two.push(force_with_lease=True)

    assert [(m.old, m.new, m.how) for m in done.refs] == [(theirs, ours, "forced")]
    one.fetch()
    assert one.remote_branches() == {"origin/main": ours}
    assert entry_at(one, theirs).id == theirs


def test_a_lease_may_say_itself_what_is_expected(tmp_path):
    one = shared(tmp_path)
    first = entry_at(one, "HEAD~1").id
    one.reset("HEAD~1")

    with pytest.raises(Diverged):
        one.push(force_with_lease={"main": "base"})
    done = one.push(force_with_lease={"main": "origin/main"})

    assert done.refs[0].new == first


def test_the_last_position_of_a_remote_can_still_be_read_after_a_forced_push(tmp_path):
    one = shared(tmp_path)
    lost = one.chain.head
    one.reset("HEAD~1")

    one.push(force_with_lease=True)

    assert lost in (tmp_path / "store/refs/000000000001").read_text()


def test_branches_and_tags_travel_by_name_and_a_tag_never_moves(tmp_path):
    one = shared(tmp_path)
    one.branch("june/first", "HEAD~1")
    one.tag("v1", "HEAD~1")
    one.push("origin", "june/first", "v1")
    two = other(tmp_path)
    more(two, 9)
    two.tag("v2")
    one.tag("v2", "base")

    two.push("origin", "v2")
    done = one.fetch()

    assert set(two.remote_branches()) == {"origin/main", "origin/june/first"}
    assert two.tag()["v1"] == one.tag()["v1"]
    assert done.kept == ("v2",)
    assert one.tag()["v2"] is None
    with pytest.raises(Diverged, match="a tag never moves"):
        one.push("origin", "v2")


def test_a_clone_may_be_on_another_branch(tmp_path):
    one = shared(tmp_path)
    one.branch("june", "HEAD~1")
    one.push("origin", "june")

    two = Ledger.clone(str(tmp_path / "store"), tmp_path / "two", branch="june")

    assert two.branch() == {"june": one.branch()["june"]}
    assert two.chain.branch == "june"
    assert two.fsck() == ()
    with pytest.raises(RevisionError, match="jume"):
        Ledger.clone(str(tmp_path / "store"), tmp_path / "three", branch="jume")
    assert not (tmp_path / "three").exists()


def test_two_pushes_of_different_branches_do_not_disturb_each_other(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    two.branch("side")
    two.switch("side")
    more(two, 8)
    more(one, 7)

    one.push()
    done = two.push()

    assert done.refs[0].how == "new"
    one.fetch()
    assert set(one.remote_branches()) == {"origin/main", "origin/side"}


def test_a_remote_of_another_model_is_refused(tmp_path):
    shared(tmp_path)
    manifest = BaseManifest.of("another", "sd1", {})
    stranger = Ledger.open(Repository.init(tmp_path / "other", manifest).folder)
    stranger.add_remote("origin", str(tmp_path / "store"))

    for act in (stranger.push, stranger.fetch):
        with pytest.raises(WrongBase, match="digest"):
            act()


def test_the_path_of_a_base_does_not_travel(tmp_path):
    manifest = BaseManifest.of("/srv/of/ada/models/mine", "sd1", base_weights())
    one = Ledger.open(Repository.init(tmp_path / "one", manifest).folder)
    more(one, 1)
    one.add_remote("origin", str(tmp_path / "store"))
    one.push()

    two = other(tmp_path)

    assert two.chain.base.source == "../mine"
    assert two.chain.base.root == one.chain.base.root
    assert not any(b"srv" in data for data in files_below(tmp_path / "store").values())


def test_a_place_that_holds_other_files_is_no_remote(tmp_path):
    one = shared(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.png").write_bytes(b"")
    one.add_remote("photos", str(tmp_path / "photos"))

    with pytest.raises(RemoteError, match=r"cat\.png"):
        one.push("photos")

    assert [*files_below(tmp_path / "photos")] == ["cat.png"]


def test_a_ledger_that_is_worked_on_is_cloned_and_pulled_from_and_not_pushed_to(
    tmp_path,
):
    one = shared(tmp_path)
    one.tag("first", "HEAD~1")
    before = files(one.folder)

    two = Ledger.clone(str(one.folder), tmp_path / "two")

    assert two.chain.head == one.chain.head
    assert two.tag() == one.tag()
    assert set(two.remote_branches()) == {"origin/main"}
    assert files(one.folder) == before
    newest = more(one, 7)
    assert two.pull().new == newest
    assert two.fsck() == ()
    with pytest.raises(UsageError, match="worked on") as refused:
        two.push()
    assert f"remote add shared {one.folder}-remote" in refused.value.fix


def test_the_inside_of_a_ledger_is_no_remote(tmp_path):
    one = shared(tmp_path)
    one.add_remote("inside", str(one.folder / ".unlearnlog/objects"))

    with pytest.raises(UsageError, match="worked on"):
        one.push("inside")


def test_a_remote_without_a_history_says_how_it_gets_one(tmp_path):
    with pytest.raises(RemoteError, match="no ledger yet") as refused:
        Ledger.clone(str(tmp_path / "nothing"), tmp_path / "two")

    assert "unlearnlog push" in refused.value.fix
    assert not (tmp_path / "two").exists()


def test_no_ledger_is_overwritten_by_a_clone(tmp_path):
    one = shared(tmp_path)
    before = files(one.folder)

    with pytest.raises(LedgerError, match="already"):
        Ledger.clone(str(tmp_path / "store"), one.folder)

    assert files(one.folder) == before


def test_a_removed_remote_takes_its_branches_along(tmp_path):
    two = (shared(tmp_path), other(tmp_path))[1]
    two.branch("origin/main", "HEAD~1")  # a branch counts more than a remote's

    assert two.chain.resolve("origin/main") == two.branch()["origin/main"]
    two.remove_remote("origin")

    assert two.remotes == {}
    assert two.remote_branches() == {}
    assert two.fsck() == ()
    with pytest.raises(UsageError, match="no remote"):
        two.push()


def test_what_a_remote_leads_to_is_no_garbage(tmp_path):
    one, two = shared(tmp_path), other(tmp_path)
    newest = more(one, 7)
    one.push()
    two.fetch()

    two.gc()

    assert entry_at(two, "origin/main").id == newest
    assert two.fsck() == ()


def test_a_damaged_file_of_the_own_ledger_is_not_sent(tmp_path):
    from unlearnlog.errors import IntegrityError

    one = shared(tmp_path)
    entry = entry_at(one, more(one, 7))
    path = next((one.folder / ".unlearnlog").rglob(entry.objects[0]))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    before = files_below(tmp_path / "store/refs")

    with pytest.raises(IntegrityError, match=entry.objects[0]):
        one.push()

    assert files_below(tmp_path / "store/refs") == before


def test_an_empty_history_travels_too(tmp_path):
    one = Ledger.open(new_ledger(tmp_path / "one").folder)
    one.add_remote("origin", str(tmp_path / "store"))
    one.push()

    two = other(tmp_path)
    newest = more(two, 1)
    two.push()

    assert one.pull().new == newest


def test_the_usual_remote_is_origin_or_the_only_one(tmp_path):
    one = shared(tmp_path)
    for name in ("backup", "mirror"):
        one.add_remote(name, str(tmp_path / name))

    assert one.push().remote == "origin"
    one.remove_remote("origin")
    with pytest.raises(UsageError, match="several remotes: backup, mirror"):
        one.push()
    one.remove_remote("backup")
    assert one.push().remote == "mirror"
    with pytest.raises(UsageError, match="miror") as refused:
        one.push("miror")
    assert "did you mean 'mirror'" in refused.value.fix
