import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from unlearnlog.core.concept import Concept
from unlearnlog.core.digest import digest_of
from unlearnlog.core.entry import (
    Append,
    DeltaRecord,
    Drop,
    Entry,
    SetGroup,
    StateRecord,
)
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.reading import Reading
from unlearnlog.core.replay_plan import plan
from unlearnlog.core.verdict_record import VerdictRecord

A, B, C, D = map(digest_of, (b"a", b"b", b"c", b"d"))


def _set(group: str, *members: Any, object: Any) -> SetGroup:
    return SetGroup(
        group=group, eraser=EraserRecord(name="uce"), members=members, object=object
    )


def _dropped(entry: Any) -> Drop:
    return Drop(entry=entry)


def _entry(*changes, parent=None, **changed):
    fields = {
        "parent": parent,
        "kind": "erase",
        "concepts": (Concept("Van Gogh", "style", aliases=("Vincent",)),),
        "eraser": EraserRecord(name="mim", settings={"rate": 1.0, "parts": ("k", "v")}),
        "seed": 7,
        "policy": "default",
        "changes": changes,
        "delta": DeltaRecord(digest=A, n_bytes=80),
        "state": StateRecord(before=A, after=B),
        "readings": (
            Reading(
                probe="ua",
                concept="van-gogh",
                value=1.0,
                unit="share",
                n=64,
                low=0.94,
                high=1.0,
                better="higher",
                base=0.01,
            ),
        ),
        "verdict": VerdictRecord(passed=True),
        "seconds": 61.5,
        "made_with": {"created": "2026-01-01T00:00:00+00:00"},
    }
    return Entry(**{**fields, **changed})


def _chain(*steps):
    """Chain entries; a step is its changes, or a function of the entries so far."""
    entries: list[Entry] = []
    for step in steps:
        changes = step(entries) if callable(step) else step
        parent = entries[-1].id if entries else None
        entries.append(_entry(*changes, parent=parent))
    return entries


def _drop(i):
    return lambda entries: (Drop(entry=entries[i].id),)


def test_an_id_is_the_hash_of_the_bytes_on_disk():
    entry = _entry(Append(object=A))

    assert entry.id == hashlib.sha256(entry.to_json()).hexdigest()


def test_an_entry_comes_back_from_disk_as_it_was():
    entry = _entry(
        Append(object=A),
        _set("uce", "monet", "picasso", object=B),
        _set("rece", object=None),
        _dropped(C),
        parent=D,
    )

    again = Entry.from_json(entry.to_json())

    assert again == entry
    assert again.id == entry.id


def test_an_id_does_not_depend_on_the_order_of_settings():
    one = EraserRecord(name="mim", settings={"a": 1, "b": 2})
    two = EraserRecord(name="mim", settings={"b": 2, "a": 1})

    assert _entry(eraser=one).id == _entry(eraser=two).id


@pytest.mark.parametrize(
    "changed",
    [
        {"parent": A},
        {"kind": "revert"},
        {"concepts": (Concept("Monet", "style"),)},
        {"eraser": EraserRecord(name="mim")},
        {"seed": 8},
        {"policy": "strict"},
        {"changes": (Append(object=A),)},
        {"delta": None},
        {"state": StateRecord(before=A, after=C)},
        {"readings": ()},
        {"verdict": VerdictRecord(passed=False, failures=("ua",))},
        {"seconds": 61.25},
        {"made_with": {}},
    ],
)
def test_an_id_depends_on_every_field(changed):
    assert _entry(**changed).id != _entry().id


def test_a_changed_copy_has_an_id_of_its_own():
    """The id is computed once; a copy must not take it along."""
    entry = _entry()
    known = entry.id

    copied = entry.model_copy(update={"seed": entry.seed + 1})

    assert copied.id != known
    assert copied.id == Entry.from_json(copied.to_json()).id


def test_the_id_of_a_known_entry_never_changes():
    """The format is a promise: with another id, every existing ledger is orphaned."""
    entry = _entry(Append(object=A), parent=D)

    assert (
        entry.id == "f39cfc22c6102365bcc7c0c310ca0322b8067ed1f74200cb11c795eaa70258de"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"parent": "abcd"},
        {"parent": "A" * 64},
        {"kind": "forget"},
        {"seed": -1},
        {"seed": 2**53},
        {"seed": 1.0},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"format": 2},
        {"changes": [Append(object=A)]},
        {"colour": "red"},
        {"made_with": {"created": 1}},
        {"delta": {"digest": A, "n_bytes": -1}},
        {"verdict": {"passed": 1}},
    ],
)
def test_an_entry_with_a_wrong_field_is_refused(changed):
    with pytest.raises(ValidationError):
        _entry(**changed)


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"n": 2**53},
        {"n": -(2**60)},
        {"rates": (0.5, float("nan"))},
        {"name": "other"},
        {"nested": {"a": 1}},
    ],
)
def test_settings_that_json_would_not_keep_are_refused(settings):
    with pytest.raises(ValidationError):
        EraserRecord(name="mim", settings=settings)


@pytest.mark.parametrize("members", [("b", "a"), ("a", "a")])
def test_a_group_is_a_sorted_set(members):
    with pytest.raises(ValidationError, match="sorted"):
        SetGroup(
            group="uce", eraser=EraserRecord(name="uce"), members=members, object=A
        )


def _spoiled(**changed):
    return json.dumps({**json.loads(_entry().to_json()), **changed}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"\xff",
        b"[" * 10_000,
        _entry().to_json() + b"\n",
        _spoiled(),
        _spoiled(colour="red"),
        _spoiled(seconds="61.5"),
        _spoiled(changes=[{"op": "subtract", "object": A}]),
        _spoiled(concepts=[{"name": "", "kind": "style"}]),
        _spoiled(concepts=[{"name": "x", "kind": "style", "colour": "red"}]),
    ],
)
def test_bytes_that_are_not_exactly_an_entry_are_refused(data):
    with pytest.raises(ValueError, match="entry"):
        Entry.from_json(data)


def test_the_row_is_what_the_log_shows():
    entry = _entry(Append(object=A), parent=D)

    row = entry.row()

    assert json.loads(json.dumps(row)) == {
        "id": entry.id,
        "parent": D,
        "kind": "erase",
        "date": "2026-01-01T00:00:00+00:00",
        "concepts": [
            {
                "id": "van-gogh",
                "name": "Van Gogh",
                "kind": "style",
                "aliases": ["Vincent"],
                "anchor": "",
                "parent": "",
            }
        ],
        "eraser": {"name": "mim", "rate": 1.0, "parts": ["k", "v"]},
        "delta": {"bytes": 80, "digest": A},
        "state": {"before": A, "after": B},
        "readings": [entry.readings[0].row()],
        "verdict": {
            "passed": True,
            "accepted": False,
            "failures": [],
            "undecided": [],
        },
        "seconds": 61.5,
    }
    assert next(iter(row["eraser"])) == "name"


def test_the_row_of_an_entry_without_a_delta_has_none():
    assert _entry(delta=None).row()["delta"] is None


def test_an_entry_lists_the_objects_its_changes_name():
    entry = _entry(
        Append(object=B),
        _dropped(D),
        _set("x", object=None),
        _set("y", "a", object=A),
    )

    assert entry.objects == (B, A)


def test_no_entry_is_the_base():
    assert plan([]) == ()


def test_gradient_deltas_follow_in_the_order_of_their_entries():
    assert plan(_chain([Append(object=B)], [Append(object=A)])) == (B, A)


def test_groups_come_first_by_name_each_with_its_latest_set():
    entries = _chain(
        [Append(object=A)],
        [_set("uce", "x", object=B)],
        [_set("rece", "y", object=C)],
        [_set("uce", "x", "z", object=D)],
    )

    assert plan(entries) == (C, D, A)


def test_an_emptied_group_leaves_the_replay():
    entries = _chain(
        [_set("uce", "x", object=B)],
        [_set("uce", object=None)],
    )

    assert plan(entries) == ()


def test_a_dropped_entry_leaves_the_replay_wherever_it_stands():
    entries = _chain(
        [Append(object=A)], [Append(object=B)], [Append(object=C)], _drop(1)
    )

    assert plan(entries) == (A, C)


def test_a_dropped_drop_brings_the_entry_back_into_its_old_place():
    entries = _chain([Append(object=A)], [Append(object=B)], _drop(0), _drop(2))

    assert plan(entries[:3]) == (B,)
    assert plan(entries) == (A, B)


def test_a_drop_that_was_dropped_twice_counts_again():
    entries = _chain([Append(object=A)], _drop(0), _drop(1), _drop(2))

    assert plan(entries) == ()


def test_what_an_entry_did_to_groups_stays_when_it_is_dropped():
    """The entry that drops it brings the group's new set itself."""
    entries = _chain([_set("uce", "x", object=B), Append(object=A)], _drop(0))

    assert plan(entries) == (B,)


def test_dropping_what_is_not_in_the_history_is_an_error():
    entries = _chain([Append(object=A)], [_dropped(D)])

    with pytest.raises(ValueError, match="not before it"):
        plan(entries)


def test_free_prompts_are_written_only_where_there_are_any():
    concept = Concept("cat", "subject", prompts=(("a whisker", "a hair"),))
    entry = _entry(concepts=(concept,))

    assert Entry.from_json(entry.to_json()).concepts == (concept,)
    assert entry.row()["concepts"][0]["prompts"] == [["a whisker", "a hair"]]
    assert b"prompts" not in _entry().to_json()


RULES: dict[str, Any] = {
    "judge": "auto",
    "sampling": {"steps": 10, "guidance": 3.0},
    "limits": [{"reading": "ua", "at_least": 0.95, "at_most": None}],
}


def test_rules_are_written_only_where_there_are_any():
    """Entries from before there were rules keep their bytes, and so their ids."""
    entry = _entry(rules=RULES)

    assert b"rules" not in _entry().to_json()
    assert json.loads(entry.to_json())["rules"]["limits"][0]["at_least"] == 0.95
    assert _entry(rules={}).id != _entry().id


def test_rules_come_back_from_disk_in_the_one_canonical_form():
    entry = _entry(rules=RULES)

    again = Entry.from_json(entry.to_json())

    assert again == entry
    assert again.to_json() == entry.to_json()
    assert (
        again.rules_digest
        == entry.rules_digest
        == digest_of(
            b'{"judge":"auto","limits":[{"at_least":0.95,"at_most":null,"reading":"ua"}],'
            b'"sampling":{"guidance":3,"steps":10}}'
        )
    )
    assert _entry().rules_digest is None


def test_an_id_depends_on_the_rules():
    other = {**RULES, "sampling": {"steps": 20, "guidance": 3.0}}

    assert len({_entry(rules=r).id for r in (None, RULES, other)}) == 3


@pytest.mark.parametrize("rules", [{"a": float("nan")}, {"a": object()}, {1: 2}, []])
def test_rules_that_are_no_json_are_refused(rules):
    with pytest.raises(ValueError, match=r"rules|nan|not allowed"):
        _entry(rules=rules).to_json()
