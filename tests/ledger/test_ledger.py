import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.making import (
    base_weights,
    erase,
    files,
    new_ledger,
    next_entry,
    revert,
    same,
    some_delta,
)
from unlearnlog.core.concept import concept_id
from unlearnlog.core.delta import Delta, Full, state_after, state_digest
from unlearnlog.core.entry import Append, DeltaRecord, Drop, SetGroup, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.errors import (
    IntegrityError,
    LedgerError,
    NoLedger,
    RevisionError,
    WrongBase,
)
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository

DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def test_a_new_ledger_stands_on_the_base(ledger):
    assert ledger.head is None
    assert ledger.branch == "main"
    assert ledger.refs == {"heads/main": None}
    assert ledger.history(ledger.head) == []
    assert ledger.state(None, base_weights()) == {}
    assert ledger.fsck() == ()


def test_the_state_of_no_entry_has_the_digest_of_untouched_weights(ledger):
    assert ledger.state_digest(None) == state_digest({}, ledger.base.root)


def test_an_appended_entry_is_the_new_head(ledger):
    delta = some_delta(1)
    entry = next_entry(ledger, delta)

    name = ledger.append(entry, delta)

    assert ledger.head == name == entry.id
    assert ledger.entry(name) == entry
    assert ledger.delta(delta.digest) == delta
    assert ledger.fsck() == ()


def test_a_history_is_told_oldest_first(history):
    ledger, ids = history

    assert [name for name, _ in ledger.history(ledger.head)] == ids
    assert [name for name, _ in ledger.history(ids[1])] == ids[:2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_state_is_the_replay_of_its_deltas(tmp_path, dtype):
    ledger = new_ledger(tmp_path, dtype)
    ids = [erase(ledger, seed, dtype) for seed in range(3)]

    state = ledger.state(ids[1], base_weights(dtype))

    assert same(state, state_after(base_weights(dtype), [some_delta(0), some_delta(1)]))


def test_the_weights_are_those_of_the_base_where_nothing_touches_them(history):
    ledger, ids = history
    base = base_weights()

    weights = ledger.weights(ids[2], base)

    assert weights.keys() == base.keys()
    assert torch.equal(weights["unet.c"], base["unet.c"])
    assert same(
        {n: weights[n] for n in ("unet.a", "unet.b")}, ledger.state(ids[2], base)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dropped_erasure_leaves_the_bits_of_a_ledger_without_it(tmp_path, dtype):
    with_it, without = (new_ledger(tmp_path / name, dtype) for name in ("a", "b"))
    for seed in range(4):
        erase(with_it, seed, dtype)
    for seed in (0, 2, 3):
        erase(without, seed, dtype)
    second = with_it.history(with_it.head)[1][0]
    left = [some_delta(seed) for seed in (0, 2, 3)]
    base = base_weights(dtype)
    states = StateRecord(
        before=with_it.state_digest(with_it.head),
        after=state_digest(state_after(base, left), with_it.base.root),
    )
    drop = next_entry(with_it, kind="revert", changes=_drops(second), state=states)

    with_it.append(drop)

    assert with_it.plan(with_it.head) == without.plan(without.head)
    found, wanted = (x.state(x.head, base) for x in (with_it, without))
    assert same(found, wanted)
    assert with_it.state_digest(with_it.head) == without.state_digest(without.head)


def _drops(entry):
    return (Drop(entry=entry),)


def test_dropping_everything_gives_the_digest_of_the_base(ledger):
    only = erase(ledger, 1)

    revert(ledger, only, [])

    assert ledger.plan(ledger.head) == ()
    assert ledger.state_digest(ledger.head) == ledger.state_digest(None)


def test_a_group_is_replayed_before_what_was_appended(ledger):
    erase(ledger, 0)
    solved = some_delta(1)
    group = SetGroup(
        group="uce",
        eraser=EraserRecord(name="uce"),
        members=(concept_id("Monet"),),
        object=solved.digest,
    )
    after = state_after(base_weights(), [solved, some_delta(0)])
    states = StateRecord(
        before=ledger.state_digest(ledger.head),
        after=state_digest(after, ledger.base.root),
    )

    ledger.append(next_entry(ledger, solved, changes=(group,), state=states), solved)

    assert same(ledger.state(ledger.head, base_weights()), after)


def test_a_delta_that_is_on_disk_need_not_be_given_again(ledger):
    first = erase(ledger, 0)
    delta = some_delta(0)
    revert(ledger, first, [])
    states = StateRecord(
        before=ledger.state_digest(None), after=ledger.state_digest(first)
    )
    again = next_entry(ledger, changes=(Append(object=delta.digest),), state=states)

    ledger.append(again)

    assert same(
        ledger.state(ledger.head, base_weights()), ledger.state(first, base_weights())
    )


def test_reset_goes_back_and_forth_to_the_same_bits(history):
    ledger, ids = history
    states = {name: ledger.state(name, base_weights()) for name in ids}

    for rev in (ids[0], ids[2], "base", ids[1][:8], ids[2]):
        head = ledger.reset(rev)
        assert ledger.head == head
        if head is not None:
            assert same(ledger.state(head, base_weights()), states[head])

    assert ledger.fsck() == ()


def test_a_reset_is_logged_so_that_nothing_recorded_is_lost(history):
    ledger, ids = history

    ledger.reset("HEAD~2")

    assert [(m.old, m.new, m.why) for m in ledger.moves] == [
        ("base", "base", "init"),
        ("base", ids[0], "erase"),
        (ids[0], ids[1], "erase"),
        (ids[1], ids[2], "erase"),
        (ids[2], ids[0], "reset HEAD~2"),
    ]
    assert ledger.resolve(ids[2][:12]) == ids[2]


def test_a_reset_to_where_one_is_writes_nothing(history, tmp_path):
    ledger, _ = history
    before = files(tmp_path)

    ledger.reset("HEAD")

    assert files(tmp_path) == before


def test_a_reset_to_nowhere_leaves_the_ledger_as_it_was(history, tmp_path):
    ledger, _ = history
    before = files(tmp_path)

    with pytest.raises(RevisionError):
        ledger.reset("nowhere")

    assert files(tmp_path) == before


def test_after_a_reset_a_new_entry_starts_a_new_line(history):
    ledger, ids = history
    ledger.reset(ids[0])

    other = erase(ledger, 7)

    assert [name for name, _ in ledger.history(other)] == [ids[0], other]
    assert ledger.fsck() == ()


def test_an_entry_on_an_older_head_is_refused(ledger, tmp_path):
    delta = some_delta(1)
    late = next_entry(ledger, delta)
    erase(ledger, 2)
    before = files(tmp_path)

    with pytest.raises(LedgerError, match="the ledger moved to"):
        ledger.append(late, delta)

    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"delta": None}, "its delta is"),
        (
            {"delta": DeltaRecord(digest=some_delta(1).digest, n_bytes=1)},
            "its delta is",
        ),
        (
            {"delta": DeltaRecord(digest=some_delta(2).digest, n_bytes=160)},
            "its delta is",
        ),
        ({"changes": ()}, "no change of the entry uses its delta"),
        (
            {
                "state": StateRecord(
                    before=some_delta(1).digest, after=some_delta(1).digest
                )
            },
            "its parent is",
        ),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(ledger, tmp_path, changed, complaint):
    delta, before = some_delta(1), files(tmp_path)
    entry = next_entry(ledger, delta).model_copy(update=changed)

    with pytest.raises(ValueError, match=complaint):
        ledger.append(entry, delta)

    assert files(tmp_path) == before


def test_an_entry_that_was_copied_past_its_checks_is_refused(ledger):
    delta = some_delta(1)
    entry = next_entry(ledger, delta).model_copy(update={"kind": "forget"})

    with pytest.raises(ValueError, match="not an entry"):
        ledger.append(entry, delta)


def test_an_entry_whose_delta_is_nowhere_is_refused(ledger, tmp_path):
    entry, before = next_entry(ledger, some_delta(1)), files(tmp_path)

    with pytest.raises(IntegrityError, match="missing"):
        ledger.append(entry)

    assert files(tmp_path) == before


def test_an_entry_that_drops_what_never_was_is_refused(ledger):
    stranger = next_entry(ledger, some_delta(1)).id

    with pytest.raises(ValueError, match="not before it"):
        ledger.append(next_entry(ledger, changes=_drops(stranger)))


def test_a_record_that_is_not_true_is_found_by_the_replay(ledger):
    delta = some_delta(1)
    entry = next_entry(ledger, delta)
    wrong = StateRecord(before=entry.state.before, after=some_delta(2).digest)
    name = ledger.append(entry.model_copy(update={"state": wrong}), delta)

    with pytest.raises(IntegrityError) as caught:
        ledger.state(name, base_weights())

    assert f"entry {name} replays to {entry.state.after}" in caught.value.message
    assert caught.value.fix == f"go back to before it: unlearnlog reset {name[:12]}~1"


def test_other_weights_than_the_base_are_refused_by_name(history):
    ledger, ids = history
    other = base_weights()
    other["unet.b"] = other["unet.b"] + 1

    with pytest.raises(WrongBase, match=r"not the same: unet\.b\n"):
        ledger.state(ids[2], other)


def test_weights_of_another_shape_are_not_the_base(history):
    ledger, ids = history
    other = {**base_weights(), "unet.b": torch.ones(2, 2).half()}

    with pytest.raises(WrongBase, match=r"unet\.b"):
        ledger.state(ids[2], other)


def test_part_of_the_base_will_do_if_it_holds_what_is_touched(history):
    ledger, ids = history
    part = {name: base_weights()[name] for name in ("unet.a", "unet.b")}

    assert same(ledger.state(ids[2], part), ledger.state(ids[2], base_weights()))
    with pytest.raises(ValueError, match=r"no tensor unet\.b"):
        ledger.state(ids[2], {"unet.a": part["unet.a"]})


def test_another_model_is_refused(ledger):
    other = {**base_weights(), "unet.c": torch.zeros(3, 4).half()}

    ledger.check_base(BaseManifest.of("elsewhere", "sd1", base_weights()))
    with pytest.raises(WrongBase, match=r"unet\.c"):
        ledger.check_base(BaseManifest.of("a tiny model", "sd1", other))


def test_a_replay_leaves_the_base_alone(history):
    ledger, ids = history
    base = base_weights()

    ledger.state(ids[2], base)

    assert same(base, base_weights())


def test_a_ledger_is_found_from_a_folder_below(history, tmp_path):
    ledger, _ = history
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert Repository.find(below).head == ledger.head
    assert Repository.find(tmp_path).folder == tmp_path
    assert Repository.open(tmp_path / ".unlearnlog").head == ledger.head


def test_where_there_is_no_ledger_one_is_told_how_to_make_one(tmp_path):
    with pytest.raises(NoLedger, match="or in any folder above it") as found:
        Repository.find(tmp_path)
    with pytest.raises(NoLedger, match="there is no ledger in") as opened:
        Repository.open(tmp_path)

    assert found.value.fix == opened.value.fix
    assert 'unlearnlog add "Picasso"' in found.value.fix
    assert found.value.exit_code == 2


@pytest.mark.usefixtures("ledger")
def test_a_ledger_of_a_newer_program_is_refused(tmp_path):
    (tmp_path / ".unlearnlog" / "FORMAT").write_bytes(b"unlearnlog 2\n")

    with pytest.raises(
        LedgerError, match="has format 2, this program reads 1"
    ) as caught:
        Repository.open(tmp_path)

    assert "upgrade" in caught.value.fix


def test_a_ledger_in_version_control_loses_nothing(history, tmp_path):
    """Version control keeps no empty folder; the lock and the cache are ignored."""
    ledger, ids = history
    for name in ("tmp", "cache", "refs/tags"):
        shutil.rmtree(tmp_path / ".unlearnlog" / name)

    erase(ledger, 5)

    assert ledger.resolve("HEAD~1") == ids[2]
    assert ledger.fsck() == ()


def test_resolving_reads_branches_tags_and_ids_from_disk(history):
    ledger, ids = history
    store = ledger._store
    with store.writing() as writing:
        store.put_ref(writing, "tags/2026/june", ids[0])
        store.put_ref(writing, "heads/other", None)

    found = [
        ledger.resolve(rev) for rev in ("2026/june", "other", "main~1", ids[2][:9])
    ]

    assert found == [ids[0], None, ids[1], ids[2]]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("aardr"), st.integers(0, 7)), max_size=8))
def test_any_chain_agrees_with_a_list_of_deltas(tmp_path_factory, steps):
    """A: append; D: drop one that is live; R: reset. The model is a list of pairs."""
    ledger = new_ledger(tmp_path_factory.mktemp("chain"))
    model: dict[str | None, list[int]] = {None: []}
    for step, number in steps:
        live = model[ledger.head]
        if step == "a":
            now = [*live, number]
            name = erase(ledger, number)
        elif step == "d" and live:
            owner = _owner(ledger, number % len(live))
            now = [*live[: number % len(live)], *live[number % len(live) + 1 :]]
            name = revert(ledger, owner, [some_delta(seed) for seed in now])
        else:
            target = list(model)[number % len(model)]
            ledger.reset(target or "base")
            continue
        model[name] = now

    for name, seeds in model.items():
        wanted = state_after(base_weights(), [some_delta(seed) for seed in seeds])
        assert same(ledger.state(name, base_weights()), wanted)
    assert ledger.fsck() == ()


def _owner(ledger, i):
    """Find the entry that appended the i-th delta that is still live."""
    chain = ledger.history(ledger.head)
    dropped = {d.entry for _, e in chain for d in e.changes if d.op == "drop"}
    return [n for n, e in chain if n not in dropped and e.kind == "erase"][i]


@pytest.mark.slow
def test_another_process_replays_the_recorded_digests_without_the_cache(tmp_path):
    ledger = new_ledger(tmp_path)
    ids = [erase(ledger, seed) for seed in range(5)]
    shutil.rmtree(tmp_path / ".unlearnlog" / "cache")
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from tests.ledger.making import base_weights\n"
        "from unlearnlog.core.delta import state_digest\n"
        "from unlearnlog.ledger.repository import Repository\n"
        "ledger = Repository.open(Path(sys.argv[1]))\n"
        "chain, base = ledger.history(ledger.head), base_weights()\n"
        "root = ledger.base.root\n"
        "print(json.dumps([state_digest(ledger.state(e, base), root)"
        " for e, _ in chain]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [ledger.entry(name).state.after for name in ids]


def test_a_ledger_opened_again_replays_the_recorded_digests(history, tmp_path):
    ledger, ids = history
    recorded = [ledger.entry(name).state.after for name in ids]
    shutil.rmtree(tmp_path / ".unlearnlog" / "cache")

    again = Repository.open(tmp_path)

    states = [again.state(name, base_weights()) for name in ids]
    assert [state_digest(state, again.base.root) for state in states] == recorded


def test_an_empty_delta_is_history_too(ledger):
    nothing = Delta({})

    ledger.append(next_entry(ledger, nothing), nothing)

    assert ledger.state(ledger.head, base_weights()) == {}


def test_a_bias_can_be_changed(tmp_path):
    base = {"transformer.bias": torch.ones(4).half()}
    ledger = Repository.init(tmp_path, BaseManifest.of("m", "sd3", base))
    delta = Delta({"transformer.bias": Full(torch.ones(4))})
    after = state_after(base, [delta])
    states = StateRecord(
        before=ledger.state_digest(None),
        after=state_digest(after, ledger.base.root),
    )
    entry = next_entry(
        ledger,
        changes=(Append(object=delta.digest),),
        delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
        state=states,
    )

    ledger.append(entry, delta)

    assert same(ledger.state(ledger.head, base), after)
