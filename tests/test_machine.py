"""Any order of verbs, as people use them: the bits are a naive model's, every time.

The model knows no deltas and no replay. It keeps for each entry what it erased and what
it took back, merges by set arithmetic, and sums what is left in exact integers.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import joint as joint_tests
from tests.fakes import NAME, LinearModel
from tests.joint import Together
from tests.test_history import some_delta
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.commands import add, compose
from unlearnlog.commands import revert as undo
from unlearnlog.commands.session import Session
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import state_digest
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.erasers import eraser_table
from unlearnlog.errors import LedgerError
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

JOINT = ("Picasso", "Monet", "Hokusai", "Klimt")
POLICY = Policy.of(joint_tests.policy(), "joint")


@dataclass(frozen=True)
class Did:
    """What one entry did: seeds and joint concepts it brought, entries it took back."""

    seeds: frozenset[int] = frozenset()
    joint: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    composed: bool = False


class Naive:
    """Chains of ids, and what each entry did."""

    def __init__(self):
        self.did: dict[str, Did] = {}

    def gone(self, chain, also=()):
        gone = set(also)
        for entry in reversed(chain):
            if entry not in gone:
                gone |= self.did[entry].back
        return gone

    def live(self, chain, also=()):
        gone = self.gone(chain, also)
        return [entry for entry in chain if entry not in gone]

    def all_of(self, chain, what, also=()):
        live = self.live(chain, also)
        return {each for entry in live for each in getattr(self.did[entry], what)}

    def twice(self, chain, did=None):
        """Count how often a seed is held once more than it should be."""
        self.did[""] = did or Did()
        seeds = [s for entry in self.live(chain) for s in self.did[entry].seeds]
        del self.did[""]
        return len(seeds) - len({*seeds})

    def merge(self, ours, theirs):
        """Return what an entry does that brings one chain's doings into another."""
        shared = {a for a, b in zip(ours, theirs, strict=False) if a == b}
        before = self.gone([entry for entry in ours if entry in shared])
        back = shared & (self.gone(theirs) - self.gone(ours) - before)
        news = [entry for entry in self.live(theirs) if entry not in ours]
        own = self.gone(ours) - before
        left_out = self.gone(ours, back) - own
        had = {s for e in ours if e not in left_out for s in self.did[e].seeds}
        seeds = {seed for entry in news for seed in self.did[entry].seeds} - had
        joint = {name for entry in news for name in self.did[entry].joint}
        joint -= self.all_of(ours, "joint", back)
        joint -= {n for e in own if self.did[e].composed for n in self.did[e].joint}
        return Did(frozenset(seeds), frozenset(joint), frozenset(back), composed=True)


class Machine(RuleBasedStateMachine):
    """A ledger worked by the stories of the commands, beside the naive model."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.naive, self.n = Naive(), 0
        self.chains: dict[str, list[str]] = {"main": []}
        self.branch = "main"
        table = MappingProxyType({**eraser_table.ERASERS, Together.name: Together})
        blind = SimpleNamespace(
            readings=lambda _: (), policy=POLICY, panel=None, verdict=POLICY.verdict
        )
        self.patches: list[Any] = [
            patch.object(eraser_table, "ERASERS", table),
            patch.object(add, "evaluation_of", lambda *_, **__: blind),
            patch.object(compose, "evaluation_of", lambda *_, **__: blind),
            patch.object(compose, "state_readings", lambda *_, **__: ()),
            patch.object(add, "_require_presence", lambda *_: None),
            patch.object(add, "_request", lambda *_: None),
        ]
        for each in self.patches:
            each.start()

    def teardown(self):
        for each in self.patches:
            each.stop()
        shutil.rmtree(self.folder)

    @initialize(dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]))
    def begin(self, dtype):
        model: Any = LinearModel()
        model.base = {NAME: (torch.pi * model.base[NAME].float()).to(dtype)}
        ledger = Repository.init(self.folder, model.manifest)
        self._at = Session(self.folder, ledger, model, model.manifest, CONCEPTS)

    @property
    def at(self) -> Any:
        return replace(self._at, ledger=Repository.open(self.folder))

    @property
    def chain(self):
        return self.chains[self.branch]

    def keep(self, entry, did):
        self.naive.did[entry.id] = did
        self.chain.append(entry.id)

    @rule()
    def train(self):
        self.n += 1
        delta = some_delta(self._at.model.base, self.n, [self.n % 6])
        order = add.AddRequest(
            (Concept(f"thing {self.n}", "subject", parent=""),), POLICY
        )
        made = EraserRecord(name="elsewhere")
        entry = add.add_delta(self.at, order, delta, made).entry
        self.keep(entry, Did(frozenset({self.n})))

    @rule(name=st.sampled_from(JOINT))
    def solve(self, name):
        if name in live_concepts(self.at.history()):
            return
        order = add.AddRequest((self._at.world.concept(name),), POLICY, seed=self.n)
        self.n += 1
        entry = add.add(self.at, order).entry
        self.keep(entry, Did(joint=frozenset({name})))

    @precondition(lambda self: self.naive.live(self.chain))
    @rule(data=st.data())
    def revert(self, data):
        entry = data.draw(st.sampled_from(self.naive.live(self.chain)))
        did = Did(back=frozenset({entry}))
        wish = undo.RevertRequest((entry,), None)
        if self.naive.twice([*self.chain, ""], did) > self.naive.twice(self.chain):
            with pytest.raises(LedgerError, match="would be erased twice"):
                undo.revert(self.at, wish)
        else:
            self.keep(undo.revert(self.at, wish).entry, did)

    @rule(data=st.data(), how=st.sampled_from(["replay", "replay", "sum"]))
    def compose(self, data, how):
        other = data.draw(st.sampled_from(sorted(self.chains)))
        did = self.naive.merge(self.chain, self.chains[other])
        if did.joint or did.back:
            how = "replay"  # a sum of groups is another state: see tests/test_joint.py
        wish = compose.ComposeRequest((other,), POLICY, how, accept_conflicts=True)
        if not (did.seeds or did.joint or did.back):
            with pytest.raises(LedgerError, match="nothing there"):
                compose.compose(self.at, wish)
        else:
            self.keep(compose.compose(self.at, wish).entry, did)

    @rule(data=st.data())
    def reset(self, data):
        k = data.draw(st.integers(0, len(self.chain)))
        self.at.ledger.reset(self.chain[k - 1] if k else "base")
        self.chains[self.branch] = self.chain[:k]

    @rule(data=st.data())
    def fork(self, data):
        k = data.draw(st.integers(0, len(self.chain)))
        name = f"branch-{len(self.chains)}"
        self.at.ledger.create_branch(name, self.chain[k - 1] if k else "base")
        self.chains[name] = self.chain[:k]

    @rule(data=st.data())
    def switch(self, data):
        self.branch = data.draw(st.sampled_from(sorted(self.chains)))
        self.at.ledger.switch(self.branch)

    @rule()
    def collect(self):
        self.at.ledger.collect()

    @invariant()
    def the_weights_are_those_of_the_naive_model(self):
        if not hasattr(self, "_at"):
            return
        at = self.at
        assert at.head == (self.chain[-1] if self.chain else None)
        state = at.ledger.state(at.head, at.model.base)
        root = at.manifest.root
        assert at.state_digest() == state_digest(state, root)
        assert state_digest(self.expected(), root) == state_digest(state, root)

    @invariant()
    def what_is_erased_is_what_the_naive_model_says(self):
        if not hasattr(self, "_at"):
            return
        seeds = self.naive.all_of(self.chain, "seeds")
        wanted = {f"thing {seed}" for seed in seeds}
        wanted |= self.naive.all_of(self.chain, "joint")
        assert set(live_concepts(self.at.history())) == wanted

    def expected(self):
        """Sum in integers, 2**-44 each: there is nothing to round."""
        base = self._at.model.base
        total = torch.zeros(base[NAME].shape, dtype=torch.int64)
        deltas = [
            some_delta(base, seed, [seed % 6])
            for seed in self.naive.all_of(self.chain, "seeds")
        ]
        names = sorted(self.naive.all_of(self.chain, "joint"))
        if names:
            concepts = [self._at.world.concept(name) for name in names]
            deltas.append(joint_tests.solved(self._at, concepts))
        for delta in deltas:
            total += (delta.patches[NAME].dense() * 2.0**44).round().to(torch.int64)
        if not total.any():
            return {}
        exact = base[NAME].double() + total.double() * 2.0**-44
        return {NAME: exact.float().to(base[NAME].dtype)}


def run(n_examples, n_steps):
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=n_steps,
            deadline=None,
            phases=[Phase.generate],  # a failure is short enough to be read as it is
        ),
    )


def test_five_hundred_verbs_leave_the_bits_of_a_naive_model():
    run(10, 50)


@pytest.mark.slow
def test_ten_thousand_verbs_leave_the_bits_of_a_naive_model():
    run(200, 50)
