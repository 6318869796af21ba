"""The ledger as a Python object, on tiny pipelines of random weights."""

from __future__ import annotations

import ast
import json
import keyword
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from tests import joint
from tests.test_history import some_delta
from tests.test_layers import at_work
from tests.tiny import build_pipeline
from unlearnlog import Ledger, api, cli
from unlearnlog.commands import add
from unlearnlog.commands.configuration import hand_on
from unlearnlog.core.entry import Entry
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.errors import (
    ConceptError,
    LedgerError,
    NoLedger,
    Refused,
    RevisionError,
    UsageError,
    WrongBase,
)
from unlearnlog.policy import Policy

ROWS = {"Picasso": [0, 1], "Monet": [2, 3], "cat": [4, 5]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_pipeline(tmp_path_factory.mktemp("api") / "model")


@pytest.fixture
def ledger(model, tmp_path):
    return Ledger.init(tmp_path / "here", str(model))


def quick(**limits):
    data = {**joint.policy(), "eraser": {"name": "mim"}}
    data["probes"] = {**data["probes"], "information": len(limits)}
    data["limits"] = [{"reading": name, **bound} for name, bound in limits.items()]
    return Policy.of(data, "quick")


def erased(ledger, *names):
    """Record erasures that nobody trained."""
    for name in names:
        delta = some_delta(ledger.place.model.base, len(name), ROWS[name])
        order = add.AddRequest((ledger.concept(name),), quick())
        made = EraserRecord(name="elsewhere")
        assert add.add_delta(ledger.place, order, delta, made).entry.verdict.passed


def projections(ledger, pipeline):
    parts = dict(pipeline.unet.named_parameters(prefix="unet"))
    return {name: parts[name].detach().clone() for name in ledger.place.model.base}


def same(one, two):
    return all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_the_package_offers_the_ledger_without_torch():
    code = (
        "import sys, unlearnlog\n"
        "assert unlearnlog.__all__ == ['Ledger', '__version__']\n"
        "assert not hasattr(unlearnlog, 'Legder')\n"
        "unlearnlog.Ledger\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_ledger_is_opened_from_below_and_says_what_is_in_it(ledger):
    erased(ledger, "Picasso", "Monet")
    (ledger.folder / "below").mkdir()

    again = Ledger.open(ledger.folder / "below")

    assert again.folder == ledger.folder
    assert [e.concepts[0].name for e in again.entries()] == ["Picasso", "Monet"]
    assert len(again.entries("HEAD~1")) == 1
    assert again.entries("base") == []


def test_what_is_not_there_is_not_opened(tmp_path):
    with pytest.raises(NoLedger):
        Ledger.open(tmp_path)
    assert not Ledger.open(tmp_path, may_create=True).exists


def test_a_second_ledger_in_one_folder_is_refused(ledger, model):
    with pytest.raises(LedgerError, match="already"):
        Ledger.init(ledger.folder, str(model))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_revision_is_applied_to_a_loaded_pipeline(ledger, model, dtype):
    erased(ledger, "Picasso", "Monet")
    pipeline = StableDiffusionPipeline.from_pretrained(model, dtype=dtype)
    before = projections(ledger, pipeline)

    assert ledger.apply(pipeline, "HEAD") is pipeline

    at = ledger.place
    wanted = at.weights(at.head)
    found = projections(ledger, pipeline)
    assert all(torch.equal(found[n], wanted[n].to(dtype)) for n in wanted)
    assert any(not torch.equal(found[n], before[n]) for n in wanted)
    ledger.apply(pipeline, "base")
    assert all(
        torch.equal(t, before[n]) for n, t in projections(ledger, pipeline).items()
    )


def test_an_applied_revision_is_the_one_that_is_checked_out(ledger, model, tmp_path):
    erased(ledger, "Picasso")
    pipeline = StableDiffusionPipeline.from_pretrained(model)

    ledger.apply(pipeline)
    ledger.checkout("HEAD", tmp_path / "out")

    other = StableDiffusionPipeline.from_pretrained(tmp_path / "out")
    theirs = other.unet.state_dict()
    assert all(torch.equal(t, theirs[n]) for n, t in pipeline.unet.state_dict().items())


def test_a_pipeline_of_another_model_is_refused_and_left_alone(ledger, model):
    erased(ledger, "Picasso")
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    with torch.no_grad():
        pipeline.unet.conv_in.weight.add_(1)
    before = projections(ledger, pipeline)

    with pytest.raises(WrongBase, match=r"not the same: unet\.conv_in\.weight"):
        ledger.apply(pipeline)

    assert all(
        torch.equal(t, before[n]) for n, t in projections(ledger, pipeline).items()
    )


def test_what_is_no_pipeline_is_refused(ledger):
    with pytest.raises(WrongBase, match="not the ledger's base"):
        ledger.apply(object())


def test_a_change_is_given_away_and_taken_as_an_erasure(ledger, model, tmp_path):
    erased(ledger, "Picasso")
    path = tmp_path / "change.safetensors"
    other = Ledger.init(tmp_path / "there", str(model))

    given = ledger.export("HEAD", path, energy=1.0, policy=quick())
    taken = other.import_(path, other.concept("Picasso", "style"), policy=quick())

    assert given.fidelity is None
    assert given.n_tensors == len(
        ledger.chain.delta(ledger.entries()[0].delta.digest).patches
    )
    (entry,) = other.entries()
    assert entry == taken.entry
    assert (entry.kind, entry.concepts[0].name) == ("import", "Picasso")
    ours, theirs = (each.place.weights(each.place.head) for each in (ledger, other))
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, atol=1e-3, rtol=1e-3)
    with pytest.raises(ConceptError, match="no concept is named"):
        other.import_(path)


def test_a_refused_erasure_raises_and_shows_what_it_measured(ledger):
    limits = {"bound-mi": {"at_most": -1e9}}

    with pytest.raises(Refused, match="bound-mi of Picasso") as caught:
        ledger.add(ledger.concept("Picasso", "style"), policy=quick(**limits))

    assert ledger.entries() == []
    assert isinstance(caught.value.entry, Entry)
    assert caught.value.entry.readings


def test_erasing_nothing_is_refused(ledger):
    with pytest.raises(ConceptError, match="no concept is named"):
        ledger.add()


def test_histories_are_taken_back_and_put_together(ledger):
    erased(ledger, "Picasso")
    ledger.chain.create_branch("other", "base")
    ledger.chain.switch("other")
    erased(ledger, "Monet", "cat")
    ledger.revert("HEAD~1", policy=None)

    done = ledger.compose("main", policy=quick())

    assert [c.name for c in done.entry.concepts] == ["Picasso"]
    assert done.gap == 0
    assert len(ledger.chain.plan(ledger.chain.head)) == 2
    with pytest.raises(RevisionError):
        ledger.compose("nowhere", policy=quick())


def lora_of(ledger, path):
    """Write what a ledger erased as a LoRA that diffusers loads."""
    ledger.export("HEAD", path, energy=1.0, policy=quick())
    return str(path)


def test_another_ledgers_erasure_is_not_overwritten_in_silence(ledger, model, tmp_path):
    """Both ledgers change the same tensors, so applying one wrote over the other: the
    concept that the other had erased was painted again, and nothing was said."""
    erased(ledger, "Picasso")
    other = Ledger.init(tmp_path / "there", str(model))
    erased(other, "Monet")
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    other.apply(pipeline)
    before = projections(ledger, pipeline)

    with pytest.raises(WrongBase, match="not this ledger's") as caught:
        ledger.apply(pipeline)

    assert 'apply(pipeline, "base")' in caught.value.fix
    assert same(before, projections(ledger, pipeline))
    ledger.apply(other.apply(pipeline, "base"))
    assert same(projections(ledger, pipeline), ledger.place.weights(ledger.chain.head))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_any_revision_may_follow_any_other(ledger, model, dtype):
    erased(ledger, "Picasso", "Monet")
    ledger.branch("other", "HEAD~1")
    pipeline = StableDiffusionPipeline.from_pretrained(model, dtype=dtype)

    for rev in ("HEAD", "other", "base", "HEAD~1", "HEAD"):
        ledger.apply(pipeline, rev)

    wanted = ledger.place.weights(ledger.chain.head)
    found = projections(ledger, pipeline)
    assert all(torch.equal(t, wanted[n].to(dtype)) for n, t in found.items())


def test_a_loaded_lora_is_to_be_unloaded_first(ledger, model, tmp_path):
    """Around a layer the LoRA goes on adding: what is erased comes back, or the names
    of its tensors were all that the error said."""
    erased(ledger, "Picasso")
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.load_lora_weights(lora_of(ledger, tmp_path / "a.safetensors"))

    with pytest.raises(UsageError, match="a loaded LoRA in its unet") as caught:
        ledger.apply(pipeline)

    assert "pipeline.unload_lora_weights()" in caught.value.fix
    pipeline.unload_lora_weights()
    assert ledger.apply(pipeline) is pipeline


def test_a_fused_lora_is_told_as_well(ledger, model, tmp_path):
    erased(ledger, "Picasso")
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.load_lora_weights(lora_of(ledger, tmp_path / "a.safetensors"))
    pipeline.fuse_lora()

    with pytest.raises(UsageError, match=r"a fused LoRA in its unet") as caught:
        ledger.apply(pipeline)
    pipeline.unload_lora_weights()
    with pytest.raises((UsageError, WrongBase), match=r"fused|not this"):
        ledger.apply(pipeline)

    assert "pipeline.unfuse_lora(), then" in caught.value.fix


WITHOUT_LEDGER = ("compare",)
WORDS = [
    command.name or command.callback.__name__
    for command in cli.app.registered_commands
    if command.callback
]


@pytest.mark.parametrize("word", WORDS)
def test_every_command_is_a_method_of_the_same_word(word):
    """`log`, `show`, `status` and nine more could not be asked for from Python."""
    name = f"{word}_" if keyword.iskeyword(word) else word

    name = name.replace("-", "_")
    place = api if word in WITHOUT_LEDGER else Ledger
    assert callable(getattr(place, name, None)), f"{place} has no {name}"


def test_the_command_line_calls_the_api_and_nothing_below_it():
    """What the command line does past the object cannot be done from a script."""
    folder = Path(str(cli.__file__)).parent
    values = {"core", "errors", "policy", "findings"}
    rooms = {"api", "cli", "report", *values}

    past = [
        f"{file.name}: {module}"
        for file in folder.glob("*.py")
        for module in used_by(file.read_text(encoding="utf-8"))
        if module.split(".")[1] not in rooms
    ]
    assert past == []


def used_by(source):
    """Yield the modules of the package that a file needs while it runs."""
    for node in at_work(ast.parse(source)):
        module = getattr(node, "module", None) or ""
        if isinstance(node, ast.ImportFrom) and module.startswith("unlearnlog."):
            yield module


def as_json(data):
    return json.loads(json.dumps(data))


def test_what_the_command_line_says_of_a_history_python_says(ledger, typed):
    erased(ledger, "Picasso", "Monet")
    at = ("--ledger", str(ledger.folder), "--json")

    assert typed("log", *at).json() == [e.row() for e in ledger.entries()]
    assert [e.id for e in ledger.log()] == [e.id for e in ledger.entries()][::-1]
    assert typed("status", *at).json() == ledger.status().row()
    assert typed("show", "HEAD~1", *at).json()["id"] == ledger.show("HEAD~1").id
    assert typed("show", "base", *at).json()["base"] == ledger.show("base").root
    assert typed("diff", "base", *at).json() == as_json(ledger.diff("base").row())
    assert typed("fsck", "--full", *at).json() == {"damage": []}
    assert ledger.fsck(full=True) == ()
    assert len(typed("log", "--moves", *at).json()) == len(ledger.moves())


def test_branches_and_tags_are_begun_and_gone_to(ledger):
    erased(ledger, "Picasso", "Monet")
    first, second = (entry.id for entry in ledger.entries())

    assert ledger.branch("other", "HEAD~1") == {"main": second, "other": first}
    assert ledger.tag("good", "base") == {"good": None}
    assert ledger.switch("other") == first
    assert ledger.status().branch == "other"
    assert ledger.reset("base") is None
    assert ledger.status().erased == ()
    assert set(ledger.tree()) == {first, second}
    assert ledger.gc(dry_run=True) == ledger.gc()
    assert {row["name"] for row in ledger.concepts()} >= {"cat", "dog"}
    assert "ridge" in {row["name"] for row in ledger.erasers()}


def test_a_sheet_is_painted_into_a_notebook_and_a_file(
    ledger, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # bars, as in a terminal
    erased(ledger, "Picasso")
    shown = Ledger.open(ledger.folder, progress=True)

    sheet = ledger.paint("a cat", "base", "HEAD", n=2, policy=quick())
    quiet = capsys.readouterr().err
    again = shown.paint(
        *("a cat", "base", "HEAD"), n=2, policy=quick(), output=tmp_path / "a.png"
    )

    assert quiet == ""
    assert "painting HEAD" in capsys.readouterr().err
    with Image.open(tmp_path / "a.png") as written:
        assert written.tobytes() == sheet.tobytes() == again.tobytes()


def test_what_is_shown_in_a_notebook_is_a_line(ledger, tmp_path):
    """An entry was shown with every reading, a delta with pages of tensors."""
    nothing = repr(Ledger.open(tmp_path, may_create=True))
    erased(ledger, "Picasso", "Monet")
    entry, *_ = ledger.log()
    path = tmp_path / "a.safetensors"
    found = [
        *(ledger, entry, ledger.show("base"), ledger.diff("base")),
        ledger.chain.delta(entry.delta.digest),
        ledger.export("HEAD", path, energy=1.0, policy=quick()),
        ledger.graph(),
        ledger.revert("HEAD", policy=None),
        *ledger.probe(tier=0, concepts=["cat"], policy=quick()),
    ]

    assert nothing == f"<Ledger of nothing yet, in {tmp_path}>"
    for each in found:
        assert len(repr(each)) < 300 + len(str(tmp_path))
        assert "tensor(" not in repr(each)
    assert repr(ledger).endswith(f", 3 entries on main, in {ledger.folder}>")
    assert str(entry) == f"<Entry {entry.id[:12]}: import Monet, passed>"


def test_a_revision_is_looked_at_as_its_newest_entry_was_judged(ledger):
    """`paint` and all that look at a revision took the policy that ships, at 10 steps,
    whatever the entry had been judged by; and nothing could be chosen for all."""
    erased(ledger, "Picasso")

    def painted(**how):
        return ledger.paint("a photo of a cat", n=1, **how).tobytes()

    assert painted() == painted(policy=quick()) != painted(policy="default")
    ledger.config["policy"] = "default"
    assert painted() == painted(policy="default")
    assert ledger.rules(quick(), about="HEAD") == quick()


def test_a_new_ledger_on_another_base_is_configured_as_the_old_one(
    ledger, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('name = "mine"\n[eraser]\nname = "ridge"\n')
    ledger.config.update({"policy": "mine.toml", "author.name": "Ada"})
    (tmp_path / "deep" / "er").mkdir(parents=True)
    new = Ledger.init(tmp_path / "deep" / "er", str(ledger.chain.base.source))

    hand_on(ledger.chain, new.chain)

    assert new.config["policy"] == "../../mine.toml"
    assert new.config["author.name"] == "Ada"
    assert new.rules().name == "mine"


def test_a_mistake_costs_no_model(tmp_path, model):
    """The model was loaded before a name, a kind or a revision was looked at."""
    ledger = Ledger.init(tmp_path / "here", str(model))
    work = (
        lambda: ledger.add("Picasso", "picasso"),
        lambda: ledger.add("Banksy"),
        lambda: ledger.concept("Banksy", "styel"),
        lambda: ledger.add("Picasso", policy="fats"),
        lambda: ledger.paint("cat", "nope"),
        lambda: ledger.paint("cat", output=tmp_path / "a.gif"),
        lambda: ledger.bisect("Picaso"),
        lambda: ledger.export("base", tmp_path / "a.safetensors"),
        lambda: ledger.checkout("nope", tmp_path / "new"),
        lambda: ledger.attack(),
        lambda: ledger.audit(tmp_path / "none"),
        lambda: ledger.revert("nope"),
        lambda: ledger.report("base"),
    )

    for each in work:
        with pytest.raises(UsageError):
            each()

    assert "_loaded" not in vars(ledger)


def test_what_work_would_cost_is_found_from_python_too(ledger):
    """A dry run could only be had from the command line."""
    erased(ledger, "Picasso")
    before = sorted((ledger.folder / ".unlearnlog" / "entries").iterdir())

    cost = ledger.dry_run.add("Monet", policy=quick())
    judged = quick().saying(judge="base")
    attack = ledger.dry_run.attack(attacks=["recovery"], policy=judged)

    assert cost.seconds > 0
    assert {part.unit for part in cost.parts} >= {"pictures"}
    assert attack.row()["seconds"] > 0
    assert [e.concepts[0].name for e in ledger.entries()] == ["Picasso"]
    assert sorted((ledger.folder / ".unlearnlog" / "entries").iterdir()) == before


def test_a_dry_run_refuses_what_the_command_would_refuse(ledger):
    erased(ledger, "Picasso")
    with pytest.raises(ConceptError, match="erased already"):
        ledger.dry_run.add("Picasso", policy=quick())
    with pytest.raises(UsageError, match="no attack"):
        ledger.dry_run.attack(attacks=["telepathy"])
