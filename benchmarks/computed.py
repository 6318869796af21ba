"""Witnesses of erasers, fine-tunes, attacks and readings: small runs of each.

Everything runs on the bundled model, with one thread, few steps and few pictures.
Fine-tunes and attacks start from a made-up erasure, so that no change of an eraser
affects their witnesses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.looks import Entrant
from benchmarks.witnesses import Line, Row, Witness, lines_of, sketch
from unlearnlog.atelier.finetune_sets import SketchPlan, lesson_cells, pictures_of
from unlearnlog.audits.attacks.attack_evaluation import NullControls, contested
from unlearnlog.audits.attacks.attack_search import AttackBudget
from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.audits.finetune_training import Start, fine_tuned
from unlearnlog.commands import add, finetune, joint_set
from unlearnlog.commands import attack as attacking
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.delta import Delta, Full, Weights, state_after
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.work_cache import NoTensorCache
from unlearnlog.models.interface import Method
from unlearnlog.policy import Policy

ABOUT: Final = ("Picasso", "cat")
"""A style and a subject: presets tell them apart."""

FEW: Final = {
    **dict.fromkeys(("n_kept", "n_family", "steps", "batch", "warm_up"), 2),
    **dict.fromkeys(("every", "looks", "foresight"), 2),
    "n_pictures": 18,
    "max_steps": 4,
}
"""Settings of trained erasers: the smallest that run all of their code."""

LITTLE: Final = {
    **{"erased": 1, "renamed": 1, "family": 1, "alike": 1, "kept": 1},
    **{"kept_share": 0.1, "earlier": 1, "information": 2, "nodes": 1, "attacks": 2},
}
STEPS: Final = 4
"""Sampling steps."""

TUNED: Final = 2
"""Steps of a fine-tune."""

BUDGET: Final = AttackBudget(
    **{"pictures": 2, "trials": 2, "controls": 4, "steps": 2, "batch": 2},
    **{"rounds": 2, "bank": 2, "swaps": 2},
)


def eraser_witness(name: str, settings: tuple[tuple[str, Any], ...] = ()) -> Witness:
    """Return the witness of an eraser with settings: its deltas."""
    said = ", ".join(f"{key}={value}" for key, value in settings)
    chosen = Entrant(name, name, settings)
    return Witness(f"eraser {name} {said}".strip(), lambda: _erased(chosen))


def tuning_witness(data: str, method: Method) -> Witness:
    """Return the witness of a fine-tuning method: its weights and measurements."""
    return Witness(f"fine-tune {method} on {data}", lambda: _tuned(data, method))


def attack_witness(name: str) -> Witness:
    """Return the witness of an attack: its result and its success."""
    return Witness(f"attack {name}", lambda: _attacked(name))


def reading_witness() -> Witness:
    """Return the witness of sampling, judging and reading."""
    return Witness("readings", _read)


def little(chosen: Entrant, judge: str) -> Policy:
    """Return a policy with the smallest sizes."""
    data = chosen.policy(LITTLE).model_dump()
    sampling = {**data["sampling"], "steps": STEPS}
    audit = {**data["audit"], "closer": 1}
    said = {"judge": judge, "sampling": sampling, "audit": audit}
    return Policy.of({**data, **said}, "bench")


def _erased(chosen: Entrant) -> Row:
    found: dict[str, Line] = {}
    for about in ABOUT:
        with tempfile.TemporaryDirectory() as folder:
            delta = _delta(open_session(Path(folder), may_create=True), chosen, about)
        for tensor, patch in sorted(delta.patches.items()):
            found[f"{about}: {tensor}"] = sketch(patch.dense())
    return found


def _delta(at: Session, chosen: Entrant, about: str) -> Delta:
    concept = at.world.concept(about)
    plan = add.plan_of(at, add.AddRequest((concept,), little(chosen, "none")))
    if plan.eraser.joint:
        group = joint_set.group_of(at, plan.eraser).holding([concept])
        delta = joint_set.set_to(at, group)[1]
        assert delta is not None
        return delta
    known: dict[str, Any] = dict(plan.eraser.settings)
    small: dict[str, Any] = {
        key: n for key, n in FEW.items() if key in known and known[key] > n
    }
    return replace(plan.eraser, **small).erase(plan.request)


def made_up(base: Weights) -> Delta:
    """Return a made-up delta: every projection loses half of itself."""
    return Delta({name: Full(base[name].float() / -2) for name in sorted(base)})


@contextmanager
def adopted() -> Iterator[Session]:
    """Yield a session in which a made-up delta is recorded as Picasso's erasure."""
    with tempfile.TemporaryDirectory() as folder:
        at = open_session(Path(folder), may_create=True)
        order = add.AddRequest(
            (at.world.concept(ABOUT[0]),), _rules(), accept_undecided=True
        )
        add.add_delta(at, order, made_up(at.model.base), EraserRecord(name="made up"))
        yield open_session(Path(folder))


def _rules() -> Policy:
    return little(Entrant("ridge", "ridge"), "atelier")


def _read() -> Row:
    with adopted() as at:
        ((_, entry),) = at.history()
    found: dict[str, Line] = {}
    for each in entry.readings:
        said = each.model_dump(mode="json")
        found |= lines_of(said, f"{each.probe} {each.concept}")
    return found


def _tuned(data: str, method: Method) -> Row:
    with adopted() as at:
        wish = finetune.FinetuneRequest(
            _rules(), data, method=method, steps=TUNED, seeds=(1,), looks=()
        )
        row = finetune.finetuned(at, wish).row()
        changed = _step(at, wish)
    return dict(lines_of(row)) | {"change of a step": sketch(changed)}


def _step(at: Session, wish: finetune.FinetuneRequest) -> Tensor:
    """Return the change of all trained parameters in the second step, as one tensor."""
    concept = at.world.concept(ABOUT[0])
    gone = frozenset({concept.name})
    drawn = lesson_cells(wish.data, SketchPlan(at.book([concept]), (concept,), gone, 1))
    lesson = FinetuneDataset(
        wish.data, pictures_of(drawn), tuple(c.prompt for c in drawn)
    )
    state = {**at.model.base, **at.weights(at.head)}
    training = replace(wish.training(1), looking=(1,))
    stages = fine_tuned(
        Start(at.model, state, ""),
        lesson,
        training=training,
        shelf=NoTensorCache(),
        watch=wish.watch,
    )
    _, one, two = (stage.weights for stage in stages)
    return torch.cat([(two[name] - one[name]).flatten() for name in sorted(two)])


def _attacked(name: str) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        at = open_session(Path(folder), may_create=True)
        concept, base = at.world.concept(ABOUT[0]), at.model.base
        weights = {**base, **state_after(base, [made_up(base)])}
        wish = attacking.AttackRequest(_rules())
        stage = attacking.AttackSession.set(
            at, wish, {concept.name: concept}, weights, BUDGET
        )
        ground = stage.ground(concept)
        others = NullControls(stage.held_out(concept))
        result = contested(name, ground, others, stage.easel, stage.before(ground))
    row = {key: each for key, each in result.row().items() if key != "search_s"}
    found = {f"found: {key}": sketch(t) for key, t in result.finding.tensors.items()}
    return dict(lines_of(row)) | found
