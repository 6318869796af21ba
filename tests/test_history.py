"""Taking back, branching and comparing on the bundled model, without training."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from tests.policy_texts import ANY_BASE, policy_text
from unlearnlog.commands import revert
from unlearnlog.commands.bisect import first_bad
from unlearnlog.commands.diff import diff
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank, state_after, state_digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import LedgerError, UsageError
from unlearnlog.ledger.repository import Repository

SMALL = policy_text("small", "mim", probes={"earlier": 1}, require=ANY_BASE)

REAL = SMALL.replace("steps = 1\nguidance = 1.0", "steps = 10\nguidance = 3.0")
"""With pictures that show what they are asked for."""

QUICK: dict[str, Any] = {
    "n_pictures": 17,
    "n_family": 0,
    "batch": 2,
    "max_steps": 2,
    "check_every": 1,
}
ERASED = (("Picasso", "style"), ("Monet", "style"), ("cat", "subject"))


def some_delta(base, seed, rows):
    """Return a small change of the first projection that listens to these rows."""
    name = next(iter(base))
    rng = torch.Generator().manual_seed(seed)
    left = 1e-3 * torch.randn(base[name].shape[0], 1, generator=rng)
    right = torch.zeros(1, base[name].shape[1])
    right[0, rows] = 1.0
    return Delta({name: LowRank(left, right)})


@pytest.fixture
def at(tmp_path):
    """Three erasures that nobody trained: the third listens where the first does."""
    made = open_session(tmp_path, may_create=True)
    ledger = Repository.init(tmp_path, made.manifest)
    base, deltas = made.model.base, []
    for seed, (name, kind) in enumerate(ERASED):
        delta = some_delta(base, seed, [0, 1] if name != "Monet" else [2, 3])
        deltas.append(delta)
        after = state_digest(state_after(base, deltas), ledger.base.root)
        entry = Entry(
            parent=ledger.head,
            kind="erase",
            concepts=(Concept(name, kind, parent=""),),
            eraser=EraserRecord(name="mim", settings=QUICK),
            seed=seed,
            policy="none",
            changes=(Append(object=delta.digest),),
            delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
            state=StateRecord(before=ledger.state_digest(ledger.head), after=after),
            verdict=VerdictRecord(passed=True),
            seconds=1.0,
            made_with={"created": f"2026-01-0{seed + 1}T00:00:00+00:00"},
        )
        ledger.append(entry, delta)
    (tmp_path / "small.toml").write_text(SMALL)
    return open_session(tmp_path)


def replay_of(at, *seeds):
    base = at.model.base
    rows = {0: [0, 1], 1: [2, 3], 2: [0, 1]}
    deltas = [some_delta(base, seed, rows[seed]) for seed in seeds]
    return state_digest(state_after(base, deltas), at.manifest.root)


def test_one_from_the_middle_is_left_out_to_the_bit(at):
    done = revert.revert(at, revert.RevertRequest(("HEAD~1",), None))

    assert done.entry.state.after == replay_of(at, 0, 2)
    assert at.state_digest() == replay_of(at, 0, 2)
    assert list(live_concepts(at.history())) == ["Picasso", "cat"]
    assert done.entry.readings == ()
    at.weights(at.head)  # replays, and compares with the record


def test_several_at_once_are_one_entry(at):
    done = revert.revert(at, revert.RevertRequest(("HEAD", "HEAD~2"), None))

    assert done.entry.state.after == replay_of(at, 1)
    assert {c.name for c in done.entry.concepts} == {"cat", "Picasso"}
    assert len(at.history()) == 4


def test_a_revert_that_is_reverted_brings_the_entry_back_into_its_old_place(at):
    revert.revert(at, revert.RevertRequest(("HEAD~2",), None))

    done = revert.revert(at, revert.RevertRequest(("HEAD",), None))

    assert done.entry.state.after == replay_of(at, 0, 1, 2)
    assert list(live_concepts(at.history())) == ["Picasso", "Monet", "cat"]


def test_later_entries_that_listen_to_the_same_text_are_stale(at):
    done = revert.revert(at, revert.RevertRequest(("HEAD~2",), None))

    (stale,) = done.stale
    assert stale.concepts == ("cat",)
    assert stale.degrees == pytest.approx(0, abs=0.1)


def test_what_cannot_be_left_out_is_refused_and_nothing_is_recorded(at):
    ledger = at.the_ledger()
    ledger.create_branch("old", "HEAD~2")
    last = at.head
    revert.revert(at, revert.RevertRequest(("HEAD~1",), None))
    n = len(at.history())

    with pytest.raises(LedgerError, match="left out already"):
        revert.revert(at, revert.RevertRequest(("HEAD~2",), None))
    with pytest.raises(UsageError, match="the base"):
        revert.revert(at, revert.RevertRequest(("base",), None))
    with pytest.raises(UsageError, match="named twice"):
        revert.revert(at, revert.RevertRequest(("HEAD~1", last), None))
    assert len(at.history()) == n
    ledger.switch("old")
    with pytest.raises(UsageError, match="not in the history of branch old"):
        revert.revert(at, revert.RevertRequest((last,), None))


def test_a_revert_is_looked_at_as_the_policy_says(at, typed):
    row = typed("revert", "HEAD~1", "--policy", "small.toml", "--json").json()

    readings = at.history()[-1][1].readings
    better = {r.concept: r.better for r in readings if r.probe == "presence"}
    assert better["Monet"] == "higher"
    assert better["Picasso"] == better["cat"] == "lower"
    assert row["kind"] == "revert"
    assert row["verdict"]["passed"]


@pytest.mark.slow
def test_what_comes_after_is_made_anew_when_somebody_asks(at, typed, tmp_path):
    (tmp_path / "blind.toml").write_text(SMALL.replace('"auto"', '"none"'))
    words = ["--rederive", "--policy", "blind.toml", "--json"]
    row = typed("revert", "HEAD~2", *words).json()

    assert [entry["concepts"][0]["name"] for entry in row["again"]] == ["Monet", "cat"]
    history = at.history()
    assert [entry.kind for _, entry in history[3:]] == ["revert", "erase", "erase"]
    assert list(live_concepts(history)) == ["Monet", "cat"]
    assert history[3][1].state.after == replay_of(at)
    assert history[4][1].seed == 1
    assert typed("fsck", "--full").code == 0


def test_two_revisions_are_compared_by_what_only_one_of_them_has(at):
    found = diff(at, "HEAD~2", "HEAD")

    assert found.left.concepts == ()
    assert found.right.concepts == ("Monet", "cat")
    assert (found.left.norm, found.overlap) == (0.0, 0.0)
    base, name = at.model.base, next(iter(at.model.base))
    both = [some_delta(base, 1, [2, 3]), some_delta(base, 2, [0, 1])]
    assert found.right.norm == pytest.approx(sum(d.norm**2 for d in both) ** 0.5)
    (moved,) = found.moved
    one, other = (at.weights(at.resolved(r))[name].double() for r in ("HEAD~2", "HEAD"))
    share = float((one - other).norm() / base[name].double().norm())
    assert moved.name == name
    assert moved.share == pytest.approx(share)


def test_branches_that_listen_to_the_same_text_overlap(at):
    ledger = at.the_ledger()
    ledger.create_branch("other", "base")

    assert diff(at, "HEAD~2", "HEAD").overlap == 0
    assert diff(at, "other", "HEAD").moved == diff(at, "HEAD", "other").moved
    assert diff(at, "HEAD", "HEAD").moved == ()


def test_the_verbs_of_history_can_be_typed(at, typed):
    tip = at.head
    assert typed("tag", "v1", "HEAD~1").code == 0
    assert typed("branch", "side", "v1").code == 0
    listed = typed("branch", "--json").json()
    assert listed["current"] == "main"
    assert set(listed["branches"]) == {"main", "side"}
    assert typed("switch", "side", "--json").json()["head"] != tip
    assert typed("revert", "HEAD", "--no-probes", "--json").json()["stale"] == []
    assert typed("tag", "--json").json() == {"tags": {"v1": at.resolved("v1")}}

    tree = typed("log", "--graph", "--json").json()
    assert len(tree["entries"]) == 4
    drawn = typed("log", "--graph").out.splitlines()
    assert len([line for line in drawn if "*" in line]) == 5  # the base is the fifth
    assert any("HEAD -> side" in line and "revert Monet" in line for line in drawn)
    assert any("|/" in line.replace(" ", "") for line in drawn)
    assert drawn[-1].strip().startswith("* base")

    found = typed("diff", "main", "side", "--json").json()
    assert found["left"]["concepts"] == ["Monet", "cat"]
    shown = typed("diff", "main", "side")
    assert "only in main" in shown.out
    assert typed("fsck", "--full", "--json").json() == {"damage": []}


@pytest.mark.usefixtures("at")
def test_both_sides_are_painted_from_the_same_latents(typed, tmp_path):
    words = ["diff", "base", "HEAD", "--images", "both.png", "--policy", "small.toml"]

    assert typed(*words).code == 2
    assert typed(*words, "--prompt", "a photo of a cat").code == 0
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_damage_is_named_with_its_entry_and_exit_code_4(at, typed, tmp_path):
    entry = at.history()[1][1]
    digest = entry.objects[0]
    path = tmp_path / ".unlearnlog" / "objects" / digest[:2] / digest
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    done = typed("fsck", "--json")

    assert done.code == 4
    (damage,) = json.loads(done.out)["damage"]
    assert damage["entries"] == [entry.id]
    assert entry.id[:12] in done.err


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
def test_the_first_fault_is_found_in_a_few_looks(n):
    for first in range(1, n + 1):
        asked: list[int] = []

        def is_bad(i, first=first, asked=asked):
            asked.append(i)
            return i >= first

        found = first_bad(range(n), is_bad)

        assert found == (first if first < n else None)
        assert len(asked) <= 1 + math.ceil(math.log2(n))


def test_a_concept_whose_erasure_was_taken_back_is_back_with_that_entry(at, typed):
    (at.folder / "real.toml").write_text(REAL)
    name = at.history()[-1][1].concepts[0].name
    assert typed("revert", "HEAD", "--no-probes").code == 0
    newest = typed("log", "--json").json()[-1]["id"]

    words = ("bisect", "--concept", name, "--policy", "real.toml")
    found = typed(*words, "--json").json()

    assert (found["entry"], found["taken_back"]) == (newest, True)
    assert not found["erased"]
    assert found["looks"][0]["shown"]["value"] > 0.5
    said = f"{name} came back with entry {newest[:12]}, which took its erasure back"
    assert said in typed(*words).out


def test_where_a_branch_has_been_is_listed_with_what_was_left(at, typed):
    left = at.head
    assert typed("reset", "base").code == 0

    moves = typed("log", "--moves", "--json").json()

    assert (moves[-1]["old"], moves[-1]["new"], moves[-1]["why"]) == (
        *(left, "base"),
        "reset base",
    )
    assert left[:12] in typed("log", "--moves").out
    empty = typed("log")
    assert empty.out == ""
    assert "unlearnlog log --moves" in empty.err
    assert typed("log", "--moves", "--graph").code == 2
    assert "log --moves" in typed("show", "nothing").err


@pytest.mark.usefixtures("at")
def test_a_tag_is_no_branch_and_the_way_out_is_one(typed):
    assert typed("tag", "june").code == 0

    done = typed("switch", "june")

    assert done.code == 2
    assert "unlearnlog branch NAME june" in done.err
    assert typed("branch", "july", "june").code == 0


def test_a_fault_is_found_on_the_pictures_themselves(at, typed):
    """An entry that nobody said erased the dog wipes out whatever the text says."""
    base, ledger = at.model.base, at.the_ledger()
    rng = torch.Generator().manual_seed(7)
    wipe = Delta(
        {
            name: LowRank(
                5 * torch.randn(tensor.shape[0], 2, generator=rng),
                torch.randn(2, tensor.shape[1], generator=rng),
            )
            for name, tensor in base.items()
        }
    )
    digests = at.the_ledger().plan(at.head)
    deltas = [*map(at.delta, digests), wipe]
    after = state_digest(state_after(base, deltas), ledger.base.root)
    last = at.history()[-1][1]
    guilty = last.model_copy(
        update={
            "parent": ledger.head,
            "concepts": (Concept("nothing", "subject"),),
            "changes": (Append(object=wipe.digest),),
            "delta": DeltaRecord(digest=wipe.digest, n_bytes=wipe.n_bytes),
            "state": StateRecord(before=last.state.after, after=after),
        }
    )
    ledger.append(guilty, wipe)

    (at.folder / "real.toml").write_text(REAL)

    found = typed(
        "bisect", "--concept", "dog", "--policy", "real.toml", "--json"
    ).json()

    assert found["entry"] == guilty.id
    assert not found["erased"]
    assert len(found["looks"]) <= 3
    assert found["looks"][0]["shown"]["value"] < 0.5 < found["looks"][0]["base"]
