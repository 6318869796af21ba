"""A long history of small entries on the bundled model, written quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from unlearnlog.commands.session_opening import bundled_model
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank, add_deltas, rounded, state_digest
from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import share

KEPT: Final = ("Braque", "Monet", "cat", "dog")
"""Concepts of the bundled world in the readings of every entry."""

_POLICY: Final = "fast"
_WHEN: Final = "2026-01-02T03:04:05+00:00"


class Hasty(Disk):
    """A disk without fsync, for ledgers that may be lost."""

    def flush(self, handle: int) -> None:
        """Return without waiting for the disk."""


class History:
    """A ledger on the bundled model that grows by one erased concept an entry.

    Every entry changes one tensor by rank one, and has ten readings: of its own
    concept, of the one before, of kept ones.

    Attributes:
        ledger: The ledger.
        n: Number of entries.
    """

    def __init__(self, folder: Path) -> None:
        """Create an empty ledger in a folder."""
        model = bundled_model()
        manifest = model.manifest.model_copy(update={"source": "atelier"})
        self.ledger = Repository.init(folder, manifest, disk=Hasty())
        self.n = 0
        self._name = min(model.base, key=lambda name: model.base[name].numel())
        self._base = {self._name: model.base[self._name]}
        self._change: dict[str, torch.Tensor] = {}
        self._rules = Policy.load(_POLICY).rules

    def grow(self, n: int) -> None:
        """Append entries up to a number."""
        while self.n < n:
            delta = self._delta()
            add_deltas(self._change, [delta])
            state = rounded(self._base, self._change)
            after = state_digest(state, self.ledger.base.root)
            self.ledger.append(self._entry(delta, after), delta)
            self.n += 1

    def _delta(self) -> Delta:
        d_out, d_in = self._base[self._name].shape
        numbers = torch.Generator().manual_seed(self.n)
        left = 1e-4 * torch.randn(d_out, 1, generator=numbers)
        right = torch.randn(1, d_in, generator=numbers)
        return Delta({self._name: LowRank(left, right)})

    def _entry(self, delta: Delta, after: Digest) -> Entry:
        head = self.ledger.head
        return Entry(
            parent=head,
            kind="erase",
            concepts=(Concept(called(self.n), "style"),),
            eraser=EraserRecord(name="mim", settings={"rank": 1}),
            seed=self.n,
            policy=_POLICY,
            rules=self._rules,
            changes=(Append(object=delta.digest),),
            delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
            state=StateRecord(before=self.ledger.state_digest(head), after=after),
            readings=tuple(_readings(self.n)),
            verdict=VerdictRecord(passed=True),
            seconds=60.0,
            made_with={"created": _WHEN, "unlearnlog": "0"},
        )


def called(n: int) -> str:
    """Return the name of the nth concept."""
    return f"concept {n}"


def _readings(n: int) -> list[Reading]:
    found = [_shown("ua", called(n), 96, better="higher")]
    found += [_shown("presence", called(n), n % 3, better="lower")]
    if n:
        found += [_shown("presence", called(n - 1), n % 5, better="lower")]
    found += [_shown("presence", name, 90 + n % 6, better="higher") for name in KEPT]
    found += [_nats("judge-mi", called(n), 0.1), _nats("drift", "(kept)", 0.2)]
    return found


def _shown(probe: str, concept: str, hits: int, *, better: str) -> Reading:
    of = share(hits, 96)
    return Reading.model_validate(
        {
            "probe": probe,
            "concept": concept,
            "value": of.value,
            "unit": "share",
            "n": 96,
            "low": of.low,
            "high": of.high,
            "better": better,
            "base": 1.0,
        }
    )


def _nats(probe: str, concept: str, value: float) -> Reading:
    return Reading(
        probe=probe,
        concept=concept,
        value=value,
        unit="nats",
        n=16,
        low=value - 0.1,
        high=value + 0.1,
        better="lower",
        base=1.0,
    )
