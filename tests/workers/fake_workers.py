"""Workers in this process: their answers come in any order, and some of them die."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from unlearnlog.core.digest import Digest
from unlearnlog.workers.backend import WorkerLost
from unlearnlog.workers.recently_used import RecentlyUsed
from unlearnlog.workers.unit_worker import N_STATES, UnitWorker
from unlearnlog.workers.worker_identity import WorkerIdentity
from unlearnlog.workers.worker_pool import WorkerPool

WANTED = WorkerIdentity("1.0", Digest("c" * 64), "{}", Digest("b" * 64), 1, "plain")


class HeldWorker(UnitWorker):
    """A real worker around a model that is there already."""

    def __init__(self, model, identity):
        self.states = RecentlyUsed(N_STATES)
        self.judges = {}
        self.__dict__["model"] = model
        self.own = identity
        self.source = identity  # of which only its threads are asked for

    def identity(self):
        if isinstance(self.own, Exception):
            raise self.own
        return self.own


class Backend:
    """Workers whose calls are carried out while the driver waits, in a drawn order.

    Attributes:
        deaths: Numbers of the computations that a worker does not survive.
        identities: What the first workers compute with; the others are as wanted.
        n_computed: How often each unit was computed.
    """

    label = "fake"

    def __init__(self, model, room=2, *, seed=0, deaths=(), identities=()):
        self.model, self.room = model, room
        self.deaths, self.identities = {*deaths}, [*identities]
        self.draw = random.Random(seed)
        self.asked, self.n_asked = {}, 0
        self.n_computed: Counter[str] = Counter()
        self.started, self.stopped, self.n_shared, self.is_open = [], [], 0, False

    def open(self):
        self.is_open = True
        return self.room

    def start(self):
        of = self.identities.pop(0) if self.identities else WANTED
        worker = Worker(self, f"worker {len(self.started)}", HeldWorker(self.model, of))
        self.started.append(worker)
        return worker

    def share(self, value):
        self.n_shared += 1
        return value

    def wait(self, tickets, seconds):
        assert seconds > 0
        return [self.draw.choice([*tickets])]

    def answer(self, ticket):
        return self.asked.pop(ticket)()

    def later(self, call):
        ticket = f"ticket {len(self.asked)} of {self.draw.random()}"
        self.asked[ticket] = call
        return ticket

    def close(self):
        self.is_open = False


class Worker:
    def __init__(self, backend, name, inner):
        self.backend, self.name, self.inner = backend, name, inner

    def identity(self):
        return self.backend.later(self.inner.identity)

    def hold_state(self, digest, shared):
        self.inner.hold_state(digest, shared)

    def hold_judge(self, shared):
        return self.backend.later(lambda: self.inner.hold_judge(shared))

    def compute(self, sent):
        def call():
            self.backend.n_asked += 1
            if self.backend.n_asked in self.backend.deaths:
                message = "killed"
                raise WorkerLost(message)
            self.backend.n_computed[repr(sent.unit)] += 1
            return self.inner.compute(sent)

        return self.backend.later(call)

    def stop(self):
        self.backend.stopped.append(self.name)


def pool(backend):
    return WorkerPool(backend, backend.model, WANTED)


def other(**changes):
    """Return the identity of a worker that is not as wanted."""
    return replace(WANTED, **changes)
