"""What attacks found is kept with the entry, and missed when it is gone."""

import json

import pytest
import torch

from tests.ledger.making import (
    FakeDisk,
    erase,
    files,
    new_ledger,
    next_entry,
    some_delta,
)
from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.core.digest import digest_of
from unlearnlog.core.entry import Entry, StateRecord
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.store import attack_digest
from unlearnlog.ledger.tensors_file import decoded, encoded

FOUND = {
    "tokens": torch.tensor([5, 7, 11]),
    "vectors.0": torch.linspace(-1, 1, 8).reshape(2, 4),
}


def attempt(tensors=FOUND):
    return AttackRecord(
        attack="prefix",
        concept="Picasso",
        object=attack_digest(tensors),
        budget={"tokens": 3, "rate": 0.5},
        best_of=2,
        state=digest_of(b"state"),
        verdict="reached",
    )


def audit(ledger, *attempts):
    """The entry of attacks on the head: it changes nothing."""
    here = ledger.state_digest(ledger.head)
    state = StateRecord(before=here, after=here)
    draft = next_entry(ledger, some_delta(2), state=state, kind="audit")
    nothing = {"changes": (), "delta": None, "attacks": attempts}
    return draft.model_copy(update=nothing)


@pytest.fixture
def ledger(tmp_path):
    made = new_ledger(tmp_path)
    erase(made, 1)
    return made


@pytest.fixture
def attacked(ledger):
    ledger.append(audit(ledger, attempt()), attacks=[FOUND])
    return ledger


def path_of(folder):
    (path,) = (folder / ".unlearnlog" / "attacks").glob("*/*")
    return path


def test_what_was_found_is_read_back_to_the_bit(attacked, tmp_path):
    (stored,) = Repository.open(tmp_path).entry(attacked.head).attacks

    tensors = Repository.open(tmp_path).attack(stored.object)

    assert tensors.keys() == FOUND.keys()
    assert all(torch.equal(tensors[name], FOUND[name]) for name in FOUND)
    assert stored == attempt()
    assert attacked.fsck() == ()


def test_an_entry_without_attacks_is_written_as_it_always_was(ledger):
    entry = ledger.entry(ledger.head)

    assert b"attacks" not in entry.to_json()
    assert "attacks" not in entry.row()
    assert Entry.from_json(entry.to_json()) == entry


def test_an_entry_with_attacks_is_chained_by_a_hash_that_covers_them(ledger):
    entry = audit(ledger, attempt())
    other = entry.model_copy(
        update={"attacks": (attempt().model_copy(update={"best_of": 3}),)}
    )

    assert Entry.from_json(entry.to_json()) == entry
    assert entry.id != other.id
    (row,) = entry.row()["attacks"]
    assert (row["attack"], row["concept"], row["best_of"]) == ("prefix", "Picasso", 2)
    assert json.loads(entry.to_json())["attacks"] == [row]


def test_a_recorded_attack_is_never_garbage(attacked, tmp_path):
    attacked.reset("HEAD~1")
    before = files(tmp_path)

    attacked.collect()

    assert files(tmp_path) == before


def test_an_attack_that_a_crash_left_goes(ledger, tmp_path):
    store = ledger._store
    with store.writing() as writing:
        store.put_attack(writing, FOUND)
    path = path_of(tmp_path)

    gone = ledger.collect()

    assert f"attacks/{path.parent.name}/{path.name}" in {each.path for each in gone}
    assert not path.exists()


def test_a_missing_attack_is_named_with_its_entry(attacked, tmp_path):
    path = path_of(tmp_path)
    path.unlink()

    (damage,) = attacked.fsck()

    assert damage.path == f"attacks/{path.parent.name}/{path.name}"
    assert damage.problem == "it is missing"
    assert damage.entries == (attacked.head,)


@pytest.mark.parametrize("place", [0, 9, 60, -1])
def test_a_flipped_byte_of_an_attack_is_found_wherever_it_is(attacked, tmp_path, place):
    path = path_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))

    (damage,) = Repository.open(tmp_path, disk=FakeDisk()).fsck()

    assert path.name in damage.path
    assert damage.entries == (attacked.head,)
    with pytest.raises(IntegrityError, match="is damaged"):
        attacked.attack(path.name)


def test_a_file_that_is_not_named_as_an_attack_is_damage(attacked, tmp_path):
    (tmp_path / ".unlearnlog" / "attacks" / "notes.txt").write_text("mine")

    (damage,) = attacked.fsck()

    assert damage.problem == "it is not named as an attack is"


def test_an_entry_that_names_an_attack_nobody_has_is_not_recorded(ledger, tmp_path):
    before = files(tmp_path)

    with pytest.raises(IntegrityError, match="it is missing"):
        ledger.append(audit(ledger, attempt()))

    assert files(tmp_path) == before


def test_an_attack_that_no_entry_names_is_not_recorded(ledger):
    with pytest.raises(ValueError, match="no attack of the entry"):
        ledger.append(audit(ledger), attacks=[FOUND])


def test_tensors_have_one_spelling():
    there, back = encoded(FOUND), encoded(dict(reversed(FOUND.items())))

    assert there == back
    assert attack_digest(FOUND) == digest_of(there)


@pytest.mark.parametrize(
    "data", [b"", b"12345678", encoded(FOUND)[:-4], encoded(FOUND) + b"\0" * 4]
)
def test_bytes_that_are_no_attack_are_refused(data):
    with pytest.raises(ValueError, match="no attack's tensors"):
        decoded(data)


def test_a_file_of_tensors_that_was_written_otherwise_is_refused():
    """A header may be padded by any number of spaces: readers do not mind."""
    data = encoded(FOUND)
    n = int.from_bytes(data[:8], "little")
    padded = (n + 8).to_bytes(8, "little") + data[8 : 8 + n] + b" " * 8 + data[8 + n :]

    with pytest.raises(ValueError, match="not as they were written"):
        decoded(padded)


def test_half_precision_is_not_kept():
    with pytest.raises(ValueError, match="float16"):
        encoded({"a": torch.zeros(2).half()})
