"""Any order of verbs: the ledger's bits are a plain model's bits, every time."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.ledger.making import (
    base_weights,
    erase_jointly,
    new_ledger,
    next_entry,
    solved,
    some_delta,
)
from unlearnlog.core.delta import state_after, state_digest
from unlearnlog.core.entry import Drop, EntryId, StateRecord
from unlearnlog.ledger.repository import Repository

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
GROUP = ("cubism", "monet", "picasso", "van-gogh")


class Machine(RuleBasedStateMachine):
    """A ledger, and beside it chains of what each entry did, in plain lists."""

    n_operations = 0

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.n = 0

    def teardown(self):
        shutil.rmtree(self.folder)

    @initialize(dtype=st.sampled_from(DTYPES))
    def begin(self, dtype):
        self.dtype = dtype
        self.base = base_weights(dtype)
        self.ledger = new_ledger(self.folder, dtype)
        # What an entry did: ("add", seed), ("drop", entry) or ("joint", members).
        self.did = {}
        self.chains: dict[str, list[EntryId]] = {"main": []}
        self.branch = "main"
        self.tags = {}

    @property
    def chain(self):
        return self.chains[self.branch]

    def seeds(self, chain):
        """Return the seeds of the deltas that count: walk back, newest first."""
        gone, kept = set(), []
        for entry in reversed(chain):
            if entry in gone:
                continue
            what, which = self.did[entry]
            if what == "drop":
                gone.add(which)
            elif what == "add":
                kept.append(which)
        return kept[::-1]

    def members(self, chain):
        """Return the joint group's live set: what it was set to last."""
        sets = [self.did[e][1] for e in chain if self.did[e][0] == "joint"]
        return sets[-1] if sets else frozenset()

    def live(self, chain):
        gone = set()
        for entry in reversed(chain):
            if entry not in gone and self.did[entry][0] == "drop":
                gone.add(self.did[entry][1])
        return [e for e in chain if e not in gone and self.did[e][0] != "joint"]

    def expected(self, chain):
        deltas = [some_delta(seed) for seed in self.seeds(chain)]
        members = self.members(chain)
        return state_after(
            self.base, [*([solved(members)] if members else []), *deltas]
        )

    @rule()
    def add(self):
        self.n += 1
        entry = next_entry(self.ledger, some_delta(self.n), dtype=self.dtype)
        made = self.ledger.append(entry, some_delta(self.n))
        self.did[made] = ("add", self.n)
        self.chain.append(made)

    @rule(member=st.sampled_from(GROUP))
    def join_or_leave(self, member):
        """Erase a concept jointly with those that are; or take it back alone."""
        members = self.members(self.chain) ^ {member}
        made = erase_jointly(self.ledger, members, self.dtype)
        self.did[made] = ("joint", members)
        self.chain.append(made)

    @precondition(lambda self: self.live(self.chain))
    @rule(data=st.data())
    def revert(self, data):
        entry = data.draw(st.sampled_from(self.live(self.chain)))
        self.did["next"] = ("drop", entry)
        after = self.expected([*self.chain, "next"])
        del self.did["next"]
        root = self.ledger.base.root
        before = self.ledger.state_digest(self.ledger.head)
        state = StateRecord(before=before, after=state_digest(after, root))
        drop = next_entry(
            self.ledger,
            kind="revert",
            changes=(Drop(entry=entry),),
            state=state,
            seed=len(self.did),
        )
        made = self.ledger.append(drop)
        self.did[made] = ("drop", entry)
        self.chain.append(made)

    @rule(data=st.data())
    def reset(self, data):
        k = data.draw(st.integers(0, len(self.chain)))
        self.ledger.reset(self.chain[k - 1] if k else "base")
        self.chains[self.branch] = self.chain[:k]

    @rule(data=st.data())
    def create_branch(self, data):
        k = data.draw(st.integers(0, len(self.chain)))
        name = f"branch-{len(self.chains)}"
        self.ledger.create_branch(name, self.chain[k - 1] if k else "base")
        self.chains[name] = self.chain[:k]

    @rule(data=st.data())
    def switch(self, data):
        self.branch = data.draw(st.sampled_from(sorted(self.chains)))
        self.ledger.switch(self.branch)

    @rule()
    def tag(self):
        name = f"tag-{len(self.tags)}"
        self.ledger.create_tag(name)
        self.tags[name] = list(self.chain)

    @rule()
    def collect(self):
        self.ledger.collect()

    @rule()
    def open_anew(self):
        self.ledger = Repository.open(self.folder)

    @invariant()
    def the_head_is_what_the_plain_model_says(self):
        if not hasattr(self, "ledger"):
            return
        Machine.n_operations += 1
        expected = self.expected(self.chain)
        root = self.ledger.base.root
        head = self.ledger.head
        assert head == (self.chain[-1] if self.chain else None)
        assert self.ledger.state_digest(head) == state_digest(expected, root)
        state = self.ledger.state(head, self.base)
        assert state_digest(state, root) == state_digest(expected, root)
        for name, chain in self.tags.items():
            assert self.ledger.resolve(name) == (chain[-1] if chain else None)


def run(n_operations):
    """Run machines until there were so many operations; each with others."""
    Machine.n_operations = 0
    seed = 0
    while Machine.n_operations < n_operations:
        seed += 1
        run_state_machine_as_test(
            hypothesis.seed(seed)(Machine),
            settings=settings(
                derandomize=False,
                max_examples=10,
                stateful_step_count=50,
                deadline=None,
                database=None,
            ),
        )


def test_five_hundred_operations_leave_the_bits_of_a_plain_model():
    run(500)


@pytest.mark.slow
def test_ten_thousand_operations_leave_the_bits_of_a_plain_model():
    run(10_000)
