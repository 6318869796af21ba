"""``--dry-run``: what is forecast is what is done, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import joint as joint_tests
from tests.commands.test_attack import CONCEPTS, Diary, Hearing, policy
from tests.joint import Together
from tests.policy_texts import ANY_BASE, policy_text
from tests.tiny import build_pipeline
from unlearnlog.commands import add, attack, audit
from unlearnlog.commands.counting import WorkCount
from unlearnlog.commands.dry_run import of_add, of_attack, of_audit
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.erasers import eraser_table
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.textual_inversion import Vocabulary
from unlearnlog.policy import Policy

MORE = CONCEPTS + "".join(
    f'[concepts.{name}]\nkind = "{kind}"\n'
    for name, kind in (
        *((name, "style") for name in ("Klimt", "Miro", "Munch")),
        *((name, "subject") for name in ("bird", "fish", "horse", "tree")),
    )
)


class Counting:
    """A model that counts what it does, and does it."""

    def __init__(self, model, tally):
        self._model, self._tally = model, tally

    def __getattr__(self, name):
        return getattr(self._model, name)

    def paint(self, prompts, seeds, **options):
        self._tally.painted += len(seeds)
        return self._model.paint(prompts, seeds, **options)

    def eps(self, x_t, t, text, **options):
        if torch.is_grad_enabled() and text.tokens.requires_grad:
            self._tally.differentiated += len(x_t)
        else:
            self._tally.predicted += len(x_t)
        return self._model.eps(x_t, t, text, **options)


class Speaking(Hearing):
    """Knows more words than any search tries."""

    def encode(self, prompts, *, weights=None):
        if not prompts:
            return super().encode([""], weights=weights)[:0]
        return super().encode(prompts, weights=weights)

    @property
    def vocabulary(self):
        known = [f"word{i}" for i in range(70)]
        table = torch.cat([self.encode([word]).tokens[0, 1:2] for word in known])
        pieces = tuple(f"{word} " for word in known)
        return Vocabulary((table,), pieces, torch.arange(len(known)))


@dataclass(frozen=True)
class Blind:
    """A judge that counts what it is shown, and knows nothing."""

    tally: WorkCount
    name: str = "blind"
    identity: str = "blind"

    def judged(self, painted):
        self.tally.judged += len(painted.latents)
        return [Answer(REJECT, REJECT)] * len(painted.latents)

    def features(self, painted):
        del painted


@dataclass(frozen=True)
class Watched(Session):
    """A place whose model and judge count while they work."""

    tally: WorkCount = field(default_factory=WorkCount)

    @classmethod
    def of(cls, at):
        tally = WorkCount()
        model: Any = Counting(at.model, tally)
        known = (at.folder, at.ledger, model, at.manifest, at.concepts)
        return cls(*known, tally=tally)

    def seen_by(self, panel):
        return replace(panel, judge=Blind(self.tally))


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    table = MappingProxyType({**eraser_table.ERASERS, Together.name: Together})
    monkeypatch.setattr(eraser_table, "ERASERS", table)


@pytest.fixture
def at(tmp_path):
    model: Any = Speaking()
    file = tmp_path / "concepts.toml"
    file.write_text(MORE)
    return Session(tmp_path, None, model, model.manifest, file)


def place_ledger(at):
    return Repository.open(at.folder)


def ordered(at, *names, information=0, **more):
    rules = policy(
        probes={
            **dict.fromkeys(("erased", "kept", "earlier"), 1),
            **dict.fromkeys(("renamed", "family", "alike", "nodes"), 2),
            "information": information,
            "attacks": 3,
        },
        **more,
    )
    named = tuple(at.world.concept(name) for name in names)
    return add.AddRequest(named, rules)


@pytest.mark.parametrize("names", [("Picasso",), ("Picasso", "Monet", "cat")])
def test_what_add_would_paint_judge_and_predict_is_what_it_does(at, names):
    """A batch of a hundred was forecast like one: 5 s for what took 73 s."""
    forecast = of_add(at, ordered(at, *names)).row()
    there = Watched.of(at)

    add.add(there, ordered(at, *names))

    done = there.tally
    assert (forecast["looked"], forecast["judged"], forecast["predictions"]) == (
        done.painted,
        done.judged,
        done.predicted,
    )
    assert min(done.painted, done.judged, done.predicted) > 0


def test_no_more_predictions_are_made_than_were_forecast(at):
    """Prompts that are hopeless after a few noise levels are asked about no further."""
    order = ordered(at, "Picasso", "Monet", information=5)
    forecast = of_add(at, order).row()
    there = Watched.of(at)

    add.add(there, order)

    assert there.tally.predicted <= forecast["predictions"]
    assert forecast["predictions"] < 1.3 * there.tally.predicted


def test_what_was_seen_before_is_not_forecast_again(at):
    add.add(at, ordered(at, "Picasso"))
    here = replace(at, ledger=place_ledger(at))
    forecast = of_add(here, ordered(at, "cat")).row()
    there = Watched.of(here)

    add.add(there, ordered(at, "cat"))

    assert forecast["looked"] == there.tally.painted
    assert forecast["predictions"] == there.tally.predicted


def test_the_pictures_and_steps_of_a_training_are_forecast(at):
    trained = {"name": "esd", "n_pictures": 17, "steps": 3, "batch": 2}
    forecast = of_add(at, ordered(at, "Picasso", "Monet", eraser=trained)).row()
    there, diary = Watched.of(at), Diary()

    add.add(
        there, replace(ordered(at, "Picasso", "Monet", eraser=trained), watch=diary)
    )

    assert forecast["forget"] + forecast["looked"] == there.tally.painted
    assert forecast["steps"] == dict(diary.stages)["erasing"]
    assert forecast["forget"] == dict(diary.stages)["painting the forget set"]


def test_what_an_attack_would_do_is_what_it_does(at):
    """It ran for ten minutes, and nobody could ask it beforehand for how long."""
    add.add(at, add.AddRequest((at.world.concept("Picasso"),), policy()))
    here = replace(at, ledger=place_ledger(at))
    wish = attack.AttackRequest(policy())
    forecast = of_attack(here, wish).row()
    there = Watched.of(here)

    attack.attacked(there, wish)

    done = there.tally
    assert (forecast["looked"], forecast["judged"]) == (done.painted, done.judged)
    assert forecast["gradients"] == done.differentiated > 0
    assert forecast["predictions"] == done.predicted > 0
    assert len(here.the_ledger().history(here.head)) == 1


def test_a_dry_run_paints_no_more_than_a_batch(at):
    """It painted every picture of the base first: 300 s of silence on a tiny model."""
    there, diary = Watched.of(at), Diary()

    of_add(there, replace(ordered(at, "Picasso", "Monet"), watch=diary))

    assert there.tally.painted <= 1 + policy().painting().batch
    assert diary.stages[0] == ("counting what there is to do", 1)
    assert "timing pictures" in dict(diary.stages)


def test_a_dry_run_writes_nothing(at):
    add.add(at, ordered(at, "Picasso"))
    here = replace(at, ledger=place_ledger(at))
    before = {p: p.read_bytes() for p in at.folder.rglob("*") if p.is_file()}

    of_add(here, ordered(at, "cat"))
    of_attack(here, attack.AttackRequest(policy(), record=True))

    after = {p: p.read_bytes() for p in at.folder.rglob("*") if p.is_file()}
    assert after == before


def test_a_joint_set_is_forecast_with_all_of_its_members(at):
    rules = Policy.of(joint_tests.policy(), "joint")
    concepts = tuple(at.world.concept(name) for name in ("Picasso", "Monet"))
    add.add(at, add.AddRequest(concepts, rules))
    here = replace(at, ledger=place_ledger(at))

    found = of_add(here, add.AddRequest((at.world.concept("cat"),), rules)).row()

    assert found["steps"] == 3  # of `Together`, one for each member


TINY = policy_text(
    "tiny",
    "ridge",
    judge="base",
    probes={"kept_share": 1.0, "information": 1},
    require=ANY_BASE,
)


def moved(folder):
    """Change a pipeline's UNet a little, as a fine-tune would."""
    (file,) = (folder / "unet").glob("*.safetensors")
    weights = load_file(file)
    name = next(n for n in weights if n.endswith("attn2.to_q.weight"))
    save_file({**weights, name: 1.5 * weights[name]}, file, {"format": "pt"})
    return folder


@pytest.mark.slow
def test_audits_fine_tunes_and_rebases_are_forecast_and_leave_nothing(typed, tmp_path):
    build_pipeline(tmp_path / "model")
    moved(build_pipeline(tmp_path / "tuned"))
    (tmp_path / "mine.toml").write_text(CONCEPTS)
    (tmp_path / "tiny.toml").write_text(TINY)
    assert typed("init", "--model", "model").code == 0
    words = ["--policy", "tiny.toml", "--concepts", "mine.toml", "--json"]
    assert typed("add", "Picasso", *words, "--accept-undecided").code == 0
    lesson = tmp_path / "lesson"
    lesson.mkdir()
    painted = typed("paint", "a cat", "-o", str(lesson / "a.png"))
    assert painted.code == 0, painted.err
    (lesson / "a.txt").write_text("a cat")

    audited = typed("audit", "tuned", *words, "--dry-run")
    tuned = typed("audit", "--finetune", "lesson", "--steps", "3", *words, "--dry-run")
    rebased = typed("rebase", "--onto", "tuned", "-o", "new", *words, "--dry-run")
    attacked = typed("attack", *words, "--dry-run")

    for done in (audited, tuned, rebased, attacked):
        assert done.code == 0, done.err
        assert done.json()["looked"] > 0
        assert done.json()["seconds"] > 0
        assert done.err.startswith("dry run: ")
    assert tuned.json()["lessons"] > 0
    assert attacked.json()["gradients"] > 0
    assert rebased.json()["steps"] == 1
    assert not (tmp_path / "new").exists()
    assert len(typed("log", "--json").json()) == 1


@pytest.mark.slow
def test_what_an_audit_would_paint_is_what_it_paints(tmp_path):
    model = build_pipeline(tmp_path / "model")
    tuned = moved(build_pipeline(tmp_path / "tuned"))
    (tmp_path / "mine.toml").write_text(CONCEPTS)
    (tmp_path / "tiny.toml").write_text(TINY)
    init(tmp_path, str(model))
    at = open_session(tmp_path, concepts=tmp_path / "mine.toml")
    rules = Policy.load(str(tmp_path / "tiny.toml"))
    order = add.AddRequest((at.world.concept("Picasso"),), rules, accept_undecided=True)
    assert add.add(at, order).entry.verdict.passed
    wish = audit.AuditRequest(tuned, rules)
    forecast = of_audit(at, wish).row()
    there = Watched.of(at)

    audit.audit(there, wish)

    assert forecast["looked"] == there.tally.painted > 0
    assert forecast["judged"] == there.tally.judged > 0
    assert forecast["predictions"] == there.tally.predicted > 0


@pytest.mark.slow
def test_the_time_that_is_forecast_is_about_the_time_that_it_takes(tmp_path):
    """It was four times too long: a batch of 8 stood for batches of 64."""
    at = open_session(tmp_path, may_create=True)
    concepts = (at.world.concept("Picasso"),)
    rules = Policy.load("default")

    forecast = of_add(at, add.AddRequest(concepts, rules))
    took = add.add(at, add.AddRequest(concepts, rules)).entry.seconds

    assert took / 1.5 < forecast.seconds < took * 1.5
    assert forecast.time_with(1).low < took < 1.5 * forecast.time_with(1).high
