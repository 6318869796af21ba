"""Names of branches and tags that every system has files for."""

import pytest

from tests.ledger.making import new_ledger, next_entry, some_delta
from unlearnlog.errors import RevisionError
from unlearnlog.ledger.checksummed import sealed
from unlearnlog.ledger.repository import Repository


@pytest.fixture
def ledger(tmp_path):
    made, delta = new_ledger(tmp_path), some_delta(0)
    made.append(next_entry(made, delta), delta)
    return made


@pytest.mark.parametrize(
    "name",
    [
        *("CON", "con", "nul", "aux.txt", "PRN.a.b", "com1", "LPT9.x", "june/NUL/x"),
        *("a.", "a./b", "june/b.", "com0"),
    ],
)
def test_a_name_that_windows_cannot_have_is_refused_with_another(ledger, name):
    """A ledger with a branch called aux could not be copied to Windows."""
    with pytest.raises(RevisionError, match="Windows") as error:
        ledger.create_branch(name, "HEAD")

    another = error.value.fix.rpartition(" ")[2]
    ledger.create_branch(another, "HEAD")
    assert f"heads/{another}" in ledger.refs


@pytest.mark.parametrize(
    "name", ['a"b', "a<b", "a>b", "a|b", "a?b", "a*b", "a:b", "a "]
)
def test_signs_that_windows_cannot_have_are_refused(ledger, name):
    with pytest.raises(RevisionError, match="cannot be the name"):
        ledger.create_branch(name, "HEAD")


@pytest.mark.parametrize(
    "name", ["console", "june/con-x", "nullable", "com", "a.b", "com10"]
)
def test_names_that_only_look_like_these_are_taken(ledger, name):
    ledger.create_branch(name, "HEAD")

    assert f"heads/{name}" in ledger.refs


def test_an_older_branch_of_such_a_name_is_still_there(ledger, tmp_path):
    heads = tmp_path / ".unlearnlog" / "refs" / "heads"
    (heads / "aux").write_bytes(sealed("refs/heads/aux", [str(ledger.head)]))

    found = Repository.open(tmp_path)

    assert found.resolve("aux") == ledger.head
    found.switch("aux")
    assert found.branch == "aux"
