"""The commands about trust as they are typed."""

from __future__ import annotations

import pytest

from tests.ledger.making import erase, new_ledger
from tests.ledger.signing import allowed, made_key
from unlearnlog.ledger.repository import Repository


@pytest.fixture
def kept(tmp_path, monkeypatch, typed):
    """A ledger with one unsigned entry, and Ada's key beside it."""
    new_ledger(tmp_path / "it")
    key = made_key(tmp_path, "ada")
    signers = allowed(tmp_path, key)
    monkeypatch.chdir(tmp_path / "it")
    for what, value in (("key", key), ("signers", signers), ("required", "true")):
        assert typed("config", "set", f"sign.{what}", str(value)).code == 0
    ledger = Repository.open(tmp_path / "it")
    erase(ledger, 1)
    return ledger


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder with a ledger of one entry, for commands that change nothing."""
    folder = tmp_path_factory.mktemp("plain")
    erase(new_ledger(folder), 1)
    return folder


def test_what_is_not_signed_is_named_until_a_signed_tag_vouches_for_it(kept, typed):
    short = kept.head[:12]

    before = typed("fsck"), typed("verify", "--json")
    tagged = typed("tag", "-s", "reviewed")
    after = typed("fsck"), typed("verify"), typed("verify", "reviewed", "--json")

    assert [each.code for each in before] == [4, 4]
    assert short in before[0].err
    assert "unlearnlog tag -s NAME" in before[0].err
    assert before[1].json()["entries"][0]["word"] == "unsigned"
    assert tagged.code == 0, tagged.err
    assert [each.code for each in after] == [0, 0, 0]
    assert "vouched for by the tag reviewed" in after[1].out
    assert after[2].json()["tag"]["signers"] == ["ada@example.org"]


def test_a_tag_that_is_not_signed_does_not_pass_beside_signed_entries(kept, typed):
    typed("tag", "-s", "reviewed")
    typed("tag", "plain")

    tag, entry = typed("verify", "plain"), typed("verify", kept.head)

    assert (tag.code, entry.code) == (4, 0)
    assert "no allowed signer vouches for the tag plain: it is not signed" in tag.err
    assert f"unlearnlog verify {kept.head[:12]}" in tag.err


def test_a_file_of_signers_on_the_command_line_counts_without_any_configuration(
    kept, typed, tmp_path
):
    assert kept.head
    for what in ("required", "signers"):
        typed("config", "unset", f"sign.{what}")

    plain, asked = (
        typed("fsck"),
        typed("fsck", "--signers", str(tmp_path / "allowed_signers")),
    )
    without = typed("verify")

    assert (plain.code, asked.code, without.code) == (0, 4, 2)
    assert "add --signers FILE" in without.err


def test_the_short_log_by_signer_knows_who_signed(kept, typed):
    typed("config", "set", "sign.entries", "true")
    erase(Repository.open(kept.folder), 2)

    done = typed("shortlog", "--by", "signer", "--json")

    assert [(row["who"], row["n"]) for row in done.json()] == [
        ("(unknown)", 1),
        ("ada@example.org", 1),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verify", "nope"), "'nope' is no entry"),
        (("verify", "--signers", "nope"), "no file of allowed signers 'nope'"),
        (("tag", "-s"), "no tag is named"),
        (("blame", "Monet"), "no entry up to here is about 'Monet'"),
        (("blame", "Picasso", "--reading", "nope"), "a reading of nope"),
        (("log", "--concept", "Monet"), "no entry up to here is about 'Monet'"),
        (("log", "--graph", "--concept", "Picasso"), "are two lists"),
        (("seal",), "no recipient is named"),
        (("unseal", "-i", "nope"), "'nope' cannot be read"),
        (("config", "set", "sign.entries", "maybe"), "neither true nor false"),
        (("config", "set", "sign.key", "nope"), "there is no file"),
        (("release", "base", "-o", "out"), "nothing is erased at 'base'"),
        (("checkout", "HEAD", "-o", "out", "--sign", "nope"), "there is no key 'nope'"),
    ],
)
def test_a_mistake_is_said_with_what_to_type(plain, typed, monkeypatch, words, says):
    monkeypatch.chdir(plain)

    done = typed(*words)

    assert done.code == 2
    assert says in done.err
    assert "fix:" in done.err
