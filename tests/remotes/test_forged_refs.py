"""Refs that whoever can write to a remote puts there: refused, or without effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ledger.making import files
from tests.remotes.sharing import at, entry_at, other, shared
from unlearnlog import Ledger
from unlearnlog.errors import Diverged, IntegrityError
from unlearnlog.remotes.ref_log import name_of, newest


def forge(store, refs):
    """Write the next refs of a remote, well sealed."""
    with at(store) as there:
        state = newest(there)
    assert state
    path = name_of(state.number + 1)
    (store / path).write_bytes(replace(state.refs, refs=refs).to_bytes(path))
    return path


@pytest.mark.parametrize(
    "name", ["../../x", "a/../b", "..", "a//b", "/etc", "a\\b", "x.lock", "HEAD"]
)
def test_a_ref_that_leads_out_of_its_folder_is_refused_by_name(tmp_path, name):
    one = shared(tmp_path, 1)
    path = forge(tmp_path / "store", {f"heads/{name}": one.chain.head})
    before = files(tmp_path)

    with pytest.raises(IntegrityError, match=path):
        other(tmp_path)

    assert files(tmp_path) == before


def test_refs_of_which_one_is_the_folder_of_another_are_refused_by_name(tmp_path):
    one = shared(tmp_path, 1)
    two, at_head = other(tmp_path), one.chain.head
    names = ("main", "a", "a/b")
    path = forge(tmp_path / "store", {f"heads/{n}": at_head for n in names})

    with pytest.raises(IntegrityError, match=f"{path} of origin is damaged") as said:
        two.fetch()

    assert "'heads/a' and 'heads/a/b'" in str(said.value)
    assert two.fsck() == ()


@pytest.mark.parametrize("name", ["june/first", "June"])
def test_no_push_makes_refs_that_could_not_be_fetched(tmp_path, name):
    one = shared(tmp_path, 1)
    two = other(tmp_path)
    one.branch("june")
    one.push("origin", "june")
    two.branch(name)

    with pytest.raises(Diverged, match="has 'june'") as said:
        two.push("origin", name)

    assert "unlearnlog branch NAME" in said.value.fix
    assert [*two.fetch().branches] == ["june"]


def test_older_refs_that_are_put_back_take_no_entry_away(tmp_path):
    one = shared(tmp_path, 2)
    two, at_head = other(tmp_path), one.chain.head
    older = entry_at(one, "HEAD").parent
    forge(tmp_path / "store", {"heads/main": older})

    pulled = two.pull()

    assert pulled.old == pulled.new == at_head
    assert pulled.fetched.branches == {"main": (at_head, older)}
    assert Ledger.open(two.folder).chain.head == at_head
    assert [each.how for each in two.push().refs] == ["forward"]
