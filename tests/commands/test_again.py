"""A second command during a long one: the work already done is kept and recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import pytest
import torch

from tests import joint as joint_tests
from tests.fakes import NAME, LinearModel
from tests.joint import Together
from tests.meanwhile import Interrupting
from tests.policy_texts import ANY_BASE, Values, policy_text
from tests.tiny import build_pipeline
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.commands import add as erase
from unlearnlog.commands import compose, retry, revert
from unlearnlog.commands import verify as check
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init
from unlearnlog.core.active import live_concepts
from unlearnlog.core.delta import Delta, LowRank, state_digest
from unlearnlog.core.entry import Entry
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.prompt import Target
from unlearnlog.core.provenance import TRAINED_ON
from unlearnlog.erasers import eraser_table
from unlearnlog.erasers.eraser import Eraser, Request, Work
from unlearnlog.errors import ConceptError, LedgerError, LockBusy, Moved
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy


@dataclass(frozen=True)
class Homing(Eraser):
    """Goes a share of the way back to the base from the state it is trained on."""

    name = "homing"
    source = "these tests"
    n_trained = 0

    target: Target = "anchor"
    share: float = 0.5

    def erase(self, request: Request) -> Delta:
        """Train, and count it."""
        type(self).n_trained += 1
        request.watch.stage("training", 1)
        change = request.old[NAME].double() - request.model.base[NAME].double()
        left = -self.share * change.float() + 2.0**-10
        request.watch.advance(1, {})
        return Delta({NAME: LowRank(left, torch.eye(left.shape[1]))})

    def work(self, n_concepts: int) -> Work:
        """No pictures, one step."""
        return Work(0, n_concepts)

    def rehearsal(self) -> tuple[Self, Work]:
        """Itself."""
        return self, Work(0, 1)

    def check(self) -> None:
        """Anything goes."""


@dataclass(frozen=True)
class Solving(Together):
    """A joint eraser that says when it begins."""

    def erase(self, request: Request) -> Delta:
        """Solve."""
        request.watch.stage("solving", 1)
        return super().erase(request)


class Quick(LinearModel):
    """Paints in one step, however many are asked for."""

    def paint(self, prompts, seeds, *, sampling, **options):
        return super().paint(
            prompts, seeds, sampling=replace(sampling, steps=1), **options
        )


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    table = {**eraser_table.ERASERS, "homing": Homing, "together": Solving}
    monkeypatch.setattr(eraser_table, "ERASERS", MappingProxyType(table))
    monkeypatch.setattr(Homing, "n_trained", 0)


@pytest.fixture
def at(tmp_path) -> Session:
    linear: Any = Quick()
    ledger = Repository.init(tmp_path, linear.manifest)
    return Session(tmp_path, ledger, linear, linear.manifest, CONCEPTS)


def another(at: Session) -> Session:
    """The same ledger as another process has it."""
    return replace(at, ledger=Repository.open(at.folder), pin=None)


def rules(eraser: str = "homing", n_nats: int = 0, **data: Any) -> Policy:
    given = joint_tests.policy() | {"eraser": {"name": eraser}} | data
    given["probes"] |= {"information": n_nats}
    return Policy.of(given, "joint")


def order(
    at: Session, name: str, policy: Policy, watch: Any = None
) -> erase.AddRequest:
    made = erase.AddRequest((at.world.concept(name),), policy)
    return made if watch is None else replace(made, watch=watch)


def elsewhere(at: Session, name: str, *, scale: float = 2.0**-6) -> Entry:
    """Record what another command imports, through a ledger of its own."""
    here = another(at)
    left = scale * (1 + torch.arange(8.0)[:, None] * len(name) / 64)
    delta = Delta({NAME: LowRank(left, torch.ones(1, 6))})
    made = EraserRecord(name="elsewhere")
    return erase.add_delta(here, order(here, name, rules()), delta, made).entry


def assert_sound(at: Session) -> None:
    """Every entry replays from its deltas to what was recorded."""
    ledger = Repository.open(at.folder)
    assert ledger.fsck() == ()
    for entry in ledger.reachable():
        ledger.state(entry, at.model.base, fresh=True)  # compares the digests


def test_what_was_trained_is_recorded_on_what_another_command_recorded(at):
    """The training was thrown away: "the ledger moved", and everything once more.

    What was trained is kept and measured on the sum, which the entry says.
    """
    watch = Interrupting("training", lambda: elsewhere(at, "Monet"))

    done = erase.add(at, order(at, "Picasso", rules(n_nats=2), watch)).entry

    theirs = at.the_ledger().entry(done.parent) if done.parent else None
    assert theirs is not None
    assert theirs.concepts[0].name == "Monet"
    assert Homing.n_trained == 1
    assert done.state.before == theirs.state.after
    assert done.made_with[TRAINED_ON] == state_digest({}, at.manifest.root)
    assert any(f"recorded meanwhile: {theirs.id[:12]}" in s for s in watch.stages)
    assert [*live_concepts(at.the_ledger().history(done.id))] == ["Monet", "Picasso"]
    assert_sound(at)
    drift = next(r for r in done.readings if r.probe == "drift")
    at.the_ledger().reset("base")
    before = erase.add(another(at), order(at, "Picasso", rules(n_nats=2))).entry
    assert before.delta == done.delta
    assert TRAINED_ON not in before.made_with
    assert drift.value > next(r for r in before.readings if r.probe == "drift").value


def test_a_concept_that_another_command_erased_meanwhile_is_refused(at):
    watch = Interrupting("training", lambda: elsewhere(at, "Picasso"))

    with pytest.raises(ConceptError, match="'Picasso' is erased already, by entry"):
        erase.add(at, order(at, "Picasso", rules(), watch))

    assert len(at.the_ledger().history(at.head)) == 1


def test_what_the_policy_refuses_on_the_new_head_is_trained_on_it(at):
    """Trained on the base it goes nowhere; on the other's state it goes back."""
    limit = {"reading": "drift", "at_most": 1e-3}
    homing = {"name": "homing", "share": 1.0}
    policy = rules(n_nats=2, limits=[limit]).model_copy(update={"eraser": homing})
    watch = Interrupting("training", lambda: elsewhere(at, "Monet", scale=0.25))

    done = erase.add(at, order(at, "Picasso", policy, watch)).entry

    assert Homing.n_trained == 2
    assert done.verdict.passed
    assert TRAINED_ON not in done.made_with
    assert at.head == done.id
    assert_sound(at)


def test_a_joint_group_is_solved_for_the_members_that_it_then_has(at):
    def theirs() -> None:
        erase.add(another(at), order(at, "Monet", rules("together")))

    watch = Interrupting("solving", theirs)

    done = erase.add(at, order(at, "Picasso", rules("together"), watch)).entry

    (change,) = done.changes
    assert [*getattr(change, "members", ())] == ["monet", "picasso"]
    assert_sound(at)


def test_a_joint_group_that_nobody_touched_is_not_solved_again(at):
    watch = Interrupting("solving", lambda: elsewhere(at, "Monet"))

    done = erase.add(at, order(at, "Picasso", rules("together"), watch)).entry

    assert watch.stages.count("solving") == 1
    assert done.parent is not None
    assert_sound(at)


def test_a_revert_goes_on_what_another_command_recorded(at):
    mine = elsewhere(at, "cat")
    here = at.pinned()
    other = elsewhere(at, "Monet")

    done = revert.revert(here, revert.RevertRequest((mine.id,), None)).entry

    assert done.parent == other.id
    assert [*live_concepts(at.the_ledger().history(done.id))] == ["Monet"]
    assert_sound(at)


def test_a_revert_of_what_another_command_took_back_meanwhile_is_refused(at):
    mine = elsewhere(at, "cat")
    here = at.pinned()
    revert.revert(another(at), revert.RevertRequest((mine.id,), None))

    with pytest.raises(LedgerError, match="is left out already"):
        revert.revert(here, revert.RevertRequest((mine.id,), None))


def test_a_composition_goes_on_what_another_command_recorded(at):
    ledger = at.the_ledger()
    ledger.create_branch("one", "base")
    ledger.switch("one")
    elsewhere(at, "cat")
    ledger.switch("main")
    here = at.pinned()
    other = elsewhere(at, "Monet")

    done = compose.compose(here, compose.ComposeRequest(("one",), rules())).entry

    assert done.parent == other.id
    assert sorted(live_concepts(ledger.history(done.id))) == ["Monet", "cat"]
    assert_sound(at)


def test_an_entry_lands_on_its_branch_although_another_command_switched(at):
    ledger = at.the_ledger()
    ledger.create_branch("other")
    watch = Interrupting("training", lambda: ledger.switch("other"))

    done = erase.add(at, order(at, "Picasso", rules(), watch)).entry

    assert ledger.refs == {"heads/main": done.id, "heads/other": None}
    assert ledger.branch == "other"
    assert_sound(at)


def test_two_commands_may_create_the_ledger_at_the_same_time(tmp_path):
    """The second one said that there is a ledger already, and its work was lost."""
    linear: Any = Quick()
    none = Session(tmp_path, None, linear, linear.manifest, CONCEPTS)

    def theirs() -> None:
        erase.add(none, order(none, "Monet", rules("together")))

    watch = Interrupting("training", theirs)

    done = erase.add(none, order(none, "Picasso", rules(), watch)).entry

    ledger = Repository.open(tmp_path)
    assert [*live_concepts(ledger.history(ledger.head))] == ["Monet", "Picasso"]
    assert ledger.head == done.id
    assert Homing.n_trained == 1


def test_whoever_is_overtaken_each_time_is_told_in_the_end(at):
    n_before = 0

    def work(here: Session) -> None:
        nonlocal n_before
        n_before += 1
        raise Moved("the ledger moved", fix=f"again, on {here.head}")

    with pytest.raises(Moved):
        retry.until_recorded(at, Interrupting(""), work)

    assert n_before == retry.TRIES


def test_a_writer_that_is_busy_for_a_moment_is_waited_for(at):
    """The lock was asked for once, at the end of hours: busy, and all was lost."""
    holds, ends = threading.Event(), threading.Event()

    def write() -> None:
        with held(at.folder / ".unlearnlog"):
            holds.set()
            ends.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    holds.wait(10)
    threading.Timer(0.1, ends.set).start()

    entry = elsewhere(at, "cat")

    writer.join()
    assert at.head == entry.id


def test_a_writer_that_never_ends_is_named(at, monkeypatch):
    monkeypatch.setattr(retry, "PATIENCE", 0.1)

    with held(at.folder / ".unlearnlog"), pytest.raises(LockBusy, match="process"):
        elsewhere(at, "cat")


MIM: Values = {
    "name": "mim",
    "target": "context",
    "n_pictures": 20,
    "n_family": 0,
    "batch": 2,
    "max_steps": 4,
    "check_every": 1,
}
TINY = policy_text(
    "tiny",
    MIM,
    judge="none",
    sampling={"steps": 2, "guidance": 2.0},
    probes={"alike": 6, "information": 1},
    require=ANY_BASE,
)


@pytest.mark.slow
def test_commands_in_processes_of_their_own_are_all_recorded(tmp_path):
    """Of three that began together one was recorded, and two had worked in vain."""
    base = build_pipeline(tmp_path / "base")
    (tmp_path / "tiny.toml").write_text(TINY)
    init(tmp_path, str(base))
    words = [sys.executable, "-m", "unlearnlog", "add", "--policy", "tiny.toml"]
    names = ("Picasso", "Monet", "cat")
    running = [
        subprocess.Popen(
            [*words, name],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for name in names
    ]

    ends = [(each.communicate(timeout=300), each.returncode) for each in running]

    assert [code for _, code in ends] == [0, 0, 0], [said for (_, said), _ in ends]
    ledger = Repository.open(tmp_path)
    assert sorted(live_concepts(ledger.history(ledger.head))) == sorted(names)
    assert check.replayed(tmp_path) == ()
