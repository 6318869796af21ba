"""What is erased and in doubt after every entry, against the slow way to find out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.histories import DIGEST, shown
from unlearnlog.core.active import live_concepts
from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.core.concept import Concept
from unlearnlog.core.digest import Digest
from unlearnlog.core.doubt import (
    EARLIER,
    HistoryCourse,
    _about,
    _bounded,
    _open,
    _showing,
    _shown,
    doubts,
    own_doubts,
)
from unlearnlog.core.entry import Append, Drop, Entry, EntryId, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.replay_plan import dropped
from unlearnlog.core.verdict_record import VerdictRecord

NAMES = ("Picasso", "Monet", "cat", "dog")


def slowly(history):
    """Return the doubts as they are defined: of each concept all that came later."""
    gone = dropped([entry for _, entry in history])
    chain = [(i, e) for i, e in history if e.kind != "audit"]
    places = {entry_id: n for n, (entry_id, _) in enumerate(chain)}
    attacks = [e for _, e in history if e.kind == "audit" and e.attacks]
    found = {}
    for name, (entry_id, _) in live_concepts(history).items():
        later = chain[places[entry_id] + 1 :]
        own = chain[places[entry_id]][1]
        said = [*own_doubts(own).get(name, ())]
        said += standing(name, [e for i, e in later if i not in gone])
        for entry in attacks:
            state = chain[-1][1].state.after
            if any((a.concept, a.state) == (name, state) for a in entry.attacks):
                said += [t for t in _open(entry) if (a := _about(t)) and a[1] == name]
        looked = [
            s for e in (own, *(e for _, e in later)) if (s := _shown(e).get(name))
        ]
        said += _showing(looked[-1], _bounded(own)) if looked else []
        if later and not later[-1][1].readings:
            said.append(f"nothing was read after entry {later[-1][0][:12]}")
        if said:
            found[name] = tuple(dict.fromkeys(said))
    return found


def standing(name, entries):
    left: dict[object, str] = {}
    for entry in entries:
        for reading in entry.readings:
            left.pop((reading.probe, reading.concept), None)
        for text in _open(entry):
            about = _about(text)
            if about and about[1] in (name, EARLIER):
                left[about] = text
    return [*left.values()]


def some_entry(chance, history):
    """Draw an entry of any kind, with readings and open limits of anything."""
    seed, before = len(history), [entry_id for entry_id, _ in history]
    kind = chance.choice(["erase", "erase", "erase", "compose", "revert", "audit"])
    if not before and kind != "erase":
        kind = "erase"
    changes: tuple[Any, ...] = ()
    concepts = tuple(
        Concept(name, "style")
        for name in chance.sample(NAMES, chance.choice([1, 1, 2]))
    )
    if kind in ("erase", "compose"):
        changes = (Append(object=DIGEST),)
    if kind in ("revert", "compose"):
        n = chance.randrange(1, min(3, len(before)) + 1)
        changes += tuple(Drop(entry=each) for each in sorted(chance.sample(before, n)))
    about = (*NAMES, EARLIER)
    texts = [
        f"{chance.choice(['ua', 'presence'])} of {chance.choice(about)} is 0.{i}"
        for i in range(chance.randrange(4))
    ]
    cut = chance.randrange(len(texts) + 1)
    names = chance.sample(NAMES, chance.randrange(3))
    states = [Digest(c * 64) for c in "ab"]
    tries = chance.randrange(3) if kind == "audit" else 0
    attacks = [
        _attempt(chance.choice(NAMES), chance.choice(states)) for _ in range(tries)
    ]
    made = Entry(
        parent=before[-1] if before else None,
        kind=kind,
        concepts=concepts if kind != "revert" else (),
        eraser=EraserRecord(name="ridge"),
        seed=seed,
        policy="fast",
        changes=changes,
        delta=None,
        state=StateRecord(before=DIGEST, after=chance.choice(states)),
        readings=tuple(
            shown(name, chance.randrange(97), erased=chance.random() < 0.7)
            for name in names
        ),
        verdict=VerdictRecord.model_construct(
            passed=False, failures=tuple(texts[:cut]), undecided=tuple(texts[cut:])
        ),
        seconds=1.0,
        made_with={},
    )
    return made.model_copy(update={"attacks": tuple(attacks)})


def _attempt(concept, state):
    return AttackRecord(
        attack="recovery",
        concept=concept,
        object=DIGEST,
        budget={},
        best_of=1,
        state=state,
        verdict="reached",
    )


@pytest.mark.parametrize("seed", range(12))
def test_what_is_erased_and_in_doubt_is_the_same_however_it_is_found(seed):
    chance, course = random.Random(seed), HistoryCourse()
    history: list[tuple[EntryId, Entry]] = []
    was: tuple[str, ...] = ()
    for _ in range(24):
        entry = some_entry(chance, history)
        history.append((entry.id, entry))
        course.add(entry.id, entry)

        live = live_concepts(history)
        assert course.live == tuple(live)
        assert course.doubts(course.live) == doubts(history) == slowly(history)
        assert {*course.began} == {*live} - {*was}
        assert {*course.ended} == {*was} - {*live}
        was = course.live
