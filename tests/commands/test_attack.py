"""``attack`` as a story: on a model of one matrix, judged by the model itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
import torch
from rich.console import Console

from tests.fakes import LinearModel
from tests.killed import die, points
from tests.meanwhile import Interrupting
from unlearnlog.api import Ledger as Api
from unlearnlog.audits.attacks.attack_evaluation import Control
from unlearnlog.audits.attacks.attack_search import budget_called
from unlearnlog.commands import add, revert
from unlearnlog.commands import attack as story
from unlearnlog.commands.attack import AttackRequest, AttackSession, attacked
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.digest import digest_of
from unlearnlog.errors import ConceptError, Refused, UsageError
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.interface import Text
from unlearnlog.models.textual_inversion import MARK, Vocabulary
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import share, unpaired_share
from unlearnlog.report.attack_tables import attack_table

CONCEPTS = """
complete = true
[families.cubism]
kind = "style"
word = "cubist"
[concepts.Picasso]
family = "cubism"
[concepts.Braque]
family = "cubism"
[concepts.Monet]
kind = "style"
[concepts.cat]
kind = "subject"
[concepts.dog]
kind = "subject"
"""
WORDS = ("cat", "dog", "picasso", "braque", "by", "a", "painting")


LENGTH = 16


class Hearing(LinearModel):
    """Reads a vector in a word's place, and paints what it is given."""

    def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
        """Give every word a fixed random token between two marks, ``[n, 16, 6]``."""
        rows = [[_word(word) for word in prompt.split()] for prompt in prompts]
        return Text(torch.stack([_framed(row) for row in rows]))

    @property
    def vocabulary(self):
        table = torch.stack([_word(word) for word in WORDS])
        pieces = tuple(f"{word} " for word in WORDS)
        return Vocabulary((table,), pieces, torch.arange(len(WORDS)))

    def encode_with(self, prompts, vectors, *, weights=None, added=False):  # noqa: ARG002
        found = []
        for prompt in prompts:
            before, behind = (
                [_word(word) for word in part.split()] for part in prompt.split(MARK)
            )
            found.append(_framed([*before, *vectors[0], *behind]))
        return Text(torch.stack(found))

    def paint(self, prompts, seeds, *, texts=None, sampling, **options):
        once = replace(sampling, steps=1)
        painted = super().paint(prompts, seeds, sampling=once, **options)
        if texts is None:
            return painted
        pairs = zip(prompts, seeds, strict=True)
        start = torch.stack([self.latent(*pair) for pair in pairs])
        t = torch.zeros(len(prompts), dtype=torch.long)
        weights = options.get("weights")
        return replace(painted, latents=self.eps(start, t, texts, weights=weights))


def _word(word):
    source = torch.Generator().manual_seed(
        int(digest_of(word.lower().encode())[:8], 16)
    )
    return torch.randn(6, generator=source)


def _framed(words):
    marks = [_word("<begin>"), *words, *[_word("<end>")] * LENGTH]
    return torch.stack(marks[:LENGTH])


def policy(**more):
    data = {
        "name": "little",
        "judge": "base",
        "eraser": {"name": "ridge"},
        "sampling": {"steps": 1, "guidance": 1.0},
        "probes": {
            **dict.fromkeys(("erased", "kept", "earlier", "information"), 1),
            **dict.fromkeys(("renamed", "family", "alike"), 0),
            "attacks": 3,
        },
        "require": {"base_presence": 0.0},
        **more,
    }
    return Policy.of(data, "little")


@pytest.fixture
def at(tmp_path):
    model: Any = Hearing()
    file = tmp_path / "concepts.toml"
    file.write_text(CONCEPTS)
    here = Session(tmp_path, None, model, model.manifest, file)
    add.add(here, add.AddRequest((here.world.concept("Picasso"),), policy()))
    return replace(here, ledger=Repository.open(tmp_path))


def test_every_attack_is_tried_on_every_erased_concept(at):
    found = attacked(at, AttackRequest(policy()))

    assert [(r.attack, r.concept) for r in found.results] == [
        ("inversion", "Picasso"),
        ("prefix", "Picasso"),
        ("recovery", "Picasso"),
    ]
    assert found.recorded is None
    assert len(at.the_ledger().history(at.head)) == 1


def test_what_is_found_is_recorded_with_its_budget_and_how_well_it_did(at):
    before = at.state_digest()

    found = attacked(at, AttackRequest(policy(), attacks=("recovery",), record=True))

    entry = at.the_ledger().entry(at.head)
    (stored,) = entry.attacks
    assert entry == found.recorded
    assert (entry.kind, entry.changes, entry.state.after) == ("audit", (), before)
    assert (stored.attack, stored.concept, stored.state) == (
        "recovery",
        "Picasso",
        before,
    )
    assert stored.budget["restarts"] == 1
    assert [r.probe for r in entry.readings] == ["attack.recovery"]
    tensors = at.the_ledger().attack(stored.object)
    assert torch.equal(tensors["map"], found.results[0].finding.tensors["map"])
    assert at.the_ledger().fsck() == ()


def kill_attacks(at, stride):
    """Kill `attack --record` at its changes; look at the ledger, and do it again."""
    folder, pristine = at.folder, at.folder.parent / f"{at.folder.name}-pristine"
    asked = AttackRequest(policy(), attacks=("recovery",), record=True)
    shutil.copytree(folder, pristine)

    def act():
        ledger = Repository.open(folder)
        here = replace(at, ledger=ledger, pin=(ledger.head, ledger.branch))
        return attacked(here, asked)

    def again():
        shutil.rmtree(folder)
        shutil.copytree(pristine, folder)

    n = points(folder, act)
    kills = [(k, cut) for k in range(1, n + 1) for cut in (False, True)][::stride]
    for k, cut in kills:
        again()
        die(folder, act, k, cut=cut)
        found = Repository.open(folder)
        assert found.fsck() == (), (k, cut)
        kinds = [entry.kind for _, entry in found.history(found.head)]
        assert kinds in (["erase"], ["erase", "audit"]), (k, cut)

        done = act()

        found = Repository.open(folder)
        assert found.fsck() == (), (k, cut)
        assert found.head is not None
        assert found.entry(found.head).attacks == done.recorded.attacks, (k, cut)
    return len(kills)


def test_a_killed_attack_is_recorded_whole_or_not_at_all(at):
    assert kill_attacks(at, stride=11) >= 3


@pytest.mark.slow
def test_an_attack_is_recorded_whole_or_not_at_all_wherever_it_is_killed(at):
    assert kill_attacks(at, stride=1) >= 30


def test_an_attack_is_recorded_on_what_another_command_recorded_meanwhile(at):
    """Hours of searching were lost: "the ledger moved"."""
    before = at.state_digest()
    other = replace(at, ledger=Repository.open(at.folder))
    order = add.AddRequest((at.world.concept("Monet"),), policy())
    watch = Interrupting("", lambda: add.add(other, order))

    found = attacked(
        at, AttackRequest(policy(), attacks=("recovery",), record=True, watch=watch)
    )

    history = [entry for _, entry in at.the_ledger().history(at.head)]
    assert [entry.kind for entry in history] == ["erase", "erase", "audit"]
    assert history[-1] == found.recorded
    assert history[-1].attacks[0].state == before != history[-1].state.after
    assert at.the_ledger().fsck() == ()


def test_a_later_erasure_tries_what_was_found_again(at):
    attacked(at, AttackRequest(policy(), attacks=("recovery", "prefix"), record=True))

    done = add.add(at, add.AddRequest((at.world.concept("Monet"),), policy()))

    read = {r.probe: r for r in done.entry.readings if r.probe.startswith("attack.")}
    assert read.keys() == {"attack.recovery", "attack.prefix"}
    assert {r.n for r in read.values()} == {3}
    assert {r.concept for r in read.values()} == {"Picasso"}


def test_what_a_revert_leaves_is_tried_again(at):
    attacked(at, AttackRequest(policy(), attacks=("recovery",), record=True))
    add.add(at, add.AddRequest((at.world.concept("Monet"),), policy()))

    here = replace(at, ledger=Repository.open(at.folder))
    done = revert.revert(here, revert.RevertRequest(("HEAD",), policy()))

    (read,) = (r for r in done.entry.readings if r.probe.startswith("attack."))
    assert (read.probe, read.concept, read.n) == ("attack.recovery", "Picasso", 3)


def test_a_policy_that_asks_for_none_tries_none_again(at):
    attacked(at, AttackRequest(policy(), attacks=("recovery",), record=True))
    none = policy(probes={**policy().probes.model_dump(), "attacks": 0})

    done = add.add(at, add.AddRequest((at.world.concept("Monet"),), none))

    assert not [r for r in done.entry.readings if r.probe.startswith("attack.")]


def test_an_attack_on_what_was_taken_back_is_not_tried_again(at):
    attacked(at, AttackRequest(policy(), attacks=("recovery",), record=True))
    at.the_ledger().reset("base")

    done = add.add(at, add.AddRequest((at.world.concept("Monet"),), policy()))

    assert not [r for r in done.entry.readings if r.probe.startswith("attack.")]


def test_a_row_says_that_there_was_no_twin(at):
    row = attacked(at, AttackRequest(policy(), attacks=("recovery",))).row()

    assert json.loads(json.dumps(row)) == row
    assert row["twin"] == "none"
    assert row["budget"]["name"] == "small"
    assert [c["null"] for c in row["attacks"][0]["controls"]] == ["random"]


def test_a_limit_on_an_attack_is_asked_and_refuses(at):
    """No interval of two pictures is below a tenth, and two pictures decide nothing."""
    limit = {"reading": "attack.recovery", "at_most": 0.1, "on": "interval"}

    rules = policy(limits=(limit,))
    found = attacked(at, AttackRequest(rules, attacks=("recovery",), record=True))

    (said,) = found.verdict.undecided
    assert found.row()["undecided"] == [said]
    assert found.recorded is not None
    assert not found.recorded.verdict.passed
    assert found.recorded.verdict.undecided == (said,)
    assert "attack.recovery of Picasso" in said
    with pytest.raises(Refused, match="a limit needs 92"):
        story.refuse(found)


def test_an_attack_that_brings_something_back_is_refused_without_any_limit(at):
    """The shipped policies have no limit on attacks: a script that ran `attack` and
    asked for its exit code learned that all was well whatever came back."""
    found = attacked(at, AttackRequest(policy(), attacks=("recovery",)))
    (one,) = found.results
    yes, no = share(96, 96), share(0, 96)
    won = replace(
        one,
        success=yes,
        more=unpaired_share(yes, no),
        controls=(Control("random", "Picasso", no, unpaired_share(yes, no)),),
    )
    lost = replace(won, success=no, more=unpaired_share(no, no))

    with pytest.raises(
        Refused, match=r"recovery brought Picasso back, in 100% of 96 pictures"
    ) as caught:
        story.refuse(replace(found, results=(lost, won)))

    assert caught.value.exit_code == 3
    story.refuse(replace(found, results=(lost,)))


@pytest.mark.parametrize(
    ("wish", "error", "said"),
    [
        ({"concepts": ("cat",)}, ConceptError, "'cat' is not erased at HEAD"),
        ({"rev": "base"}, ConceptError, "nothing is erased at base"),
        ({"attacks": ("spell",)}, UsageError, "no attack 'spell'"),
        ({"budget": "huge"}, UsageError, "no budget 'huge'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_painted(
    at, wish, error, said
):
    with pytest.raises(error, match=said):
        attacked(at, AttackRequest(policy(), **wish))


def test_without_a_judge_nobody_can_say_whether_it_succeeds(at):
    with pytest.raises(UsageError, match="no judge configured"):
        attacked(at, AttackRequest(policy(judge="none")))


def test_from_python_it_is_the_same_attack(at, monkeypatch):
    monkeypatch.setattr(Api, "place", at)
    wanted = attacked(at, AttackRequest(policy(), attacks=("recovery",)))

    found = Api.open(at.folder).attack(policy=policy(), attacks=["recovery"])

    (one,), (other,) = found.results, wanted.results
    assert one.reading() == other.reading()
    assert found.recorded is None
    with pytest.raises(UsageError, match="no attack 'spell'"):
        Api.open(at.folder).attack(policy=policy(), attacks=["spell"])


def test_the_table_says_what_was_tried_and_that_there_is_no_twin(at):
    console = Console(width=140, record=True, file=StringIO())
    console.print(
        attack_table(attacked(at, AttackRequest(policy(), attacks=("recovery",))))
    )

    text = console.export_text()
    assert "twin: none" in text
    assert "recovery" in text
    assert "random" in text


def test_a_concept_that_was_held_out_is_no_control_of_itself(tmp_path):
    at = open_session(tmp_path, may_create=True)
    cactus = at.world.concepts["cactus"]
    wish, budget = AttackRequest(Policy.load("fast")), budget_called("small")
    stage = AttackSession.set(at, wish, {"cactus": cactus}, at.model.base, budget)

    control = stage.held_out(cactus)

    assert control is not None
    assert control.search.concept.name == "rocket"


class Diary:
    """Writes down every stage and how much of it was done."""

    def __init__(self):
        self.stages = []
        self.done = []

    def stage(self, name, total):
        self.stages.append((name, total))
        self.done.append(0)

    def advance(self, units, numbers):
        del numbers
        self.done[-1] += units


def test_an_attack_says_what_it_does_and_how_much_of_it_is_done(at):
    """Nobody could tell for ten minutes which of six attacks was being tried."""
    diary = Diary()

    attacked(
        at, AttackRequest(policy(), attacks=("inversion", "recovery"), watch=diary)
    )

    names = [name for name, _ in diary.stages]
    assert "1 of 2, inversion after Picasso: inverting" in names
    assert "1 of 2, inversion after Picasso: painting the attack" in names
    assert "2 of 2, recovery after Picasso: solving" in names
    assert diary.done == [total for _, total in diary.stages]
