"""``audit`` on a small ledger, of what was only copied, of the base, of a fine-tune."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from tests.meanwhile import Interrupting
from tests.policy_texts import policy_text
from unlearnlog.api import Ledger
from unlearnlog.atelier.bundled_model import FOLDER, BaseAnswers
from unlearnlog.audits.finetune_training import FinetuneSettings
from unlearnlog.audits.verdict import AuditFinding, VerdictRules, Word, findings
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.commands import add, report
from unlearnlog.commands import audit as story
from unlearnlog.commands import finetune as school
from unlearnlog.commands import rebase as rebasing
from unlearnlog.commands.audit_session import AuditSession
from unlearnlog.commands.kept_samples import LedgerSampleCache
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.probe_case import Answer
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import UsageError
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import paired_share, share

EXAMPLE = Path(__file__).parents[1] / "examples" / "tune_elsewhere.py"
# Sixteen pictures of a concept decide only with a margin as wide as this.
SMALL = policy_text(
    "small",
    "ridge",
    sampling={},
    probes={"kept_share": 0.02, "earlier": 1, "information": 1},
    audit={"margin": 0.25, "closer": 1},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder whose ledger erased Picasso, with the model before and after."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "small.toml").write_text(SMALL)
    here = open_session(folder, may_create=True)
    unseen = Policy.load(str(folder / "small.toml")).saying(judge="none")
    add.add(here, add.AddRequest((here.world.concept("Picasso"),), unseen))
    ledger = Ledger.open(folder)
    ledger.checkout("HEAD", folder / "exported")
    ledger.checkout("base", folder / "base")
    return folder


@pytest.fixture
def audited(made, typed):
    """Audit a folder below the ledger's."""

    def run(name, *words):
        return typed(
            *("audit", str(made / name), "--ledger", str(made), *words),
            *("--policy", str(made / "small.toml")),
        )

    return run


def test_what_was_only_exported_passes(audited):
    done = audited("exported", "--json")

    (found,) = done.json()["concepts"]
    assert done.code == 0
    assert found["verdict"] == "gone"
    assert found["now"]["n"] >= 15
    assert found["now"]["value"] == found["then"]["value"] == 0
    assert done.json()["moved"] == {}
    assert done.json()["verdict"]["passed"]


def with_a_word_of_its_own(made, folder):
    """Write a fine-tune in which Picasso's name says nothing and a new token says it.

    Its UNet is the base's again; the name's token has another word's vector, and the
    new one has the name's.
    """
    shutil.copytree(made / "base", folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    ids = [tokenizer(word).input_ids[1:-1] for word in ("picasso", "painting")]
    names = ["<x>", *(f"<x>_{i}" for i in range(1, len(ids[0])))]
    tokenizer.add_tokens(names)
    tokenizer.save_pretrained(folder / "tokenizer")
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    key = next(n for n in tensors if n.endswith("token_embedding.weight"))
    table = tensors[key]
    table = torch.cat([table[: len(tokenizer) - len(names)], table[ids[0]]])
    table[ids[0]] = table[ids[1][:1]]
    save_file(tensors | {key: table}, file, metadata={"format": "pt"})
    config = folder / "text_encoder" / "config.json"
    said = json.loads(config.read_text()) | {"vocab_size": len(table)}
    config.write_text(json.dumps(said))
    return folder


@pytest.mark.slow
def test_a_concept_that_comes_back_by_a_token_of_its_own_is_found(
    made, typed, tmp_path
):
    """An added token was refused as another shape, "give it whole", though it was.

    Nobody erased the new word, so it is asked for wherever the concept's name stood.
    """
    model, here = with_a_word_of_its_own(made, tmp_path / "worded"), tmp_path / "here"
    shutil.copytree(made / ".unlearnlog", here / ".unlearnlog")
    policy = ("--policy", str(made / "small.toml"))

    done = typed(
        *("audit", str(model), "--ledger", str(here), *policy, "--json", "--record")
    )

    assert done.out, done.err
    row = done.json()
    by_name, by_token = row["concepts"]
    assert done.code == 3
    assert row["tokens"] == ["<x>"]
    assert "'<x>'" in row["notes"][0]
    assert by_name["verdict"] == "gone"
    assert "token" not in by_name
    assert (by_token["concept"], by_token["token"]) == ("Picasso", "<x>")
    assert by_token["verdict"] == "resurged"
    assert by_token["now"]["value"] > 0.8
    assert row["verdict"]["failures"][0].startswith("Picasso as <x> shows in ")
    log = typed("log", "--json", "--ledger", str(here)).json()
    assert row["entry"] in {entry["id"] for entry in log}
    page = typed("report", "--ledger", str(here), "-o", str(tmp_path / "page.html"))
    assert page.code == 0, page.err
    assert "Picasso as &lt;x&gt;" in (tmp_path / "page.html").read_text()


def inversion_of_picasso(made, file):
    """Write the vectors of his name in the base as a textual inversion, A1111's way."""
    tokenizer = CLIPTokenizer.from_pretrained(made / "base" / "tokenizer")
    tensors = load_file(made / "base" / "text_encoder" / "model.safetensors")
    table = next(t for n, t in tensors.items() if n.endswith("token_embedding.weight"))
    save_file({"emb_params": table[tokenizer("picasso").input_ids[1:-1]].clone()}, file)
    return file


@pytest.mark.slow
def test_a_textual_inversion_of_what_is_erased_has_its_verdict_and_its_controls(
    made, typed, tmp_path
):
    """On the erased model it is the erased name; on the base it carries him."""
    file = inversion_of_picasso(made, tmp_path / "him.safetensors")

    done = typed(
        *("audit", "--embedding", str(file), "--ledger", str(made), "--json"),
        *("--policy", str(made / "small.toml")),
    )

    row = done.json()
    by_name, by_token = row["concepts"]
    assert done.code == 0, done.err
    assert (row["form"], row["tokens"]) == ("embedding", ["<him>"])
    assert len(row["embeddings"]) == 1
    assert "at_random" not in by_name
    assert (by_token["token"], by_token["verdict"]) == ("<him>", "gone")
    assert by_token["carried"]["value"] > 0.8
    assert by_token["at_random"]["value"] < 0.2


@pytest.mark.slow
def test_a_textual_inversion_that_brings_a_concept_back_is_found_beside_a_model(
    made, typed, tmp_path
):
    model, here = with_a_word_of_its_own(made, tmp_path / "worded"), tmp_path / "here"
    shutil.rmtree(model / "tokenizer")
    shutil.copytree(made / "base" / "tokenizer", model / "tokenizer")
    weights = model / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    key = next(n for n in tensors if n.endswith("token_embedding.weight"))
    n_own = len(CLIPTokenizer.from_pretrained(model / "tokenizer"))
    save_file(tensors | {key: tensors[key][:n_own].clone()}, weights)
    shutil.copytree(made / ".unlearnlog", here / ".unlearnlog")
    file = inversion_of_picasso(made, tmp_path / "him.safetensors")

    done = typed(
        *("audit", str(model), "--embedding", str(file), "--ledger", str(here)),
        *("--policy", str(made / "small.toml"), "--json", "--record"),
    )

    row = done.json()
    by_name, by_token = row["concepts"]
    assert (done.code, by_name["verdict"]) == (3, "gone")
    assert by_token["verdict"] == "resurged"
    assert by_token["at_random"]["value"] < by_token["now"]["value"]
    (entry,) = [
        each
        for each in typed("log", "--json", "--ledger", str(here)).json()
        if each["id"] == row["entry"]
    ]
    assert entry["kind"] == "audit"


@pytest.mark.slow
def test_the_pictures_of_a_textual_inversion_and_its_controls_are_forecast(
    audited, made, tmp_path
):
    """Three for each picture of the concept; a dry run failed on any added token."""
    file = inversion_of_picasso(made, tmp_path / "him.safetensors")

    plain = audited("exported", "--dry-run", "--json")
    tried = audited("exported", "--embedding", str(file), "--dry-run", "--json")

    assert tried.code == 0, tried.err
    more = tried.json()["looked"] - plain.json()["looked"]
    assert more > 0
    assert more % 3 == 0


def test_a_textual_inversion_for_another_model_is_refused(audited, tmp_path):
    save_file({"emb_params": torch.ones(1, 5)}, tmp_path / "odd.safetensors")

    done = audited("exported", "--embedding", str(tmp_path / "odd.safetensors"))

    assert done.code == 2
    assert "no textual inversion for this model" in done.err
    assert "'emb_params' [1, 5]" in done.err


def test_a_textual_inversion_is_none_of_a_fine_tune_made_here(made, typed):
    done = typed(
        *("audit", "--finetune", "unrelated", "--embedding", "x.safetensors"),
        *("--ledger", str(made)),
    )

    assert done.code == 2
    assert "--embedding would do nothing with --finetune" in done.err


def with_another_vae(made, folder, *, channels=None):
    """Write the exported model with a random autoencoder; of other sizes if asked."""
    shutil.copytree(made / "exported", folder)
    config = AutoencoderKL.load_config(folder / "vae")
    if channels:
        config = {**config, "latent_channels": channels}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        AutoencoderKL.from_config(config).save_pretrained(folder / "vae")
    return folder


@pytest.mark.slow
def test_a_swapped_autoencoder_is_audited_beside_the_bases(made, audited):
    """It refused the whole model for it: "was not made of this model"."""
    with_another_vae(made, made / "swapped")

    row = audited("swapped", "--json").json()

    bases, own = row["concepts"]
    assert bases["through"] == "the base's autoencoder"
    assert bases["verdict"] == "gone"
    assert own["through"] == "its own autoencoder"
    assert row["moved"]["vae"] > 0.5
    assert any("its autoencoder is another one" in note for note in row["notes"])
    shown = {r["concept"] for r in row["readings"] if r["probe"] == "resurgence"}
    assert shown == {
        "Picasso, with the base's autoencoder",
        "Picasso, with its own autoencoder",
    }


def test_an_autoencoder_that_does_not_fit_is_left_out_and_said(made, audited):
    with_another_vae(made, made / "unfit", channels=7)

    done = audited("unfit", "--json")

    (found,) = done.json()["concepts"]
    assert (done.code, found["verdict"]) == (0, "gone")
    assert "through" not in found
    assert any(
        "its autoencoder is none for the base's latents" in note
        for note in done.json()["notes"]
    )


@pytest.mark.parametrize("in_folder", [False, True])
def test_what_the_ledger_exported_is_put_on_the_base(audited, made, in_folder):
    """The change on top of the state that it leads to is a model that nobody uses."""
    path = made / "own.safetensors"
    if in_folder:
        (made / "lora").mkdir()
        path = made / "lora" / "pytorch_lora_weights.safetensors"
    unseen = Policy.load(str(made / "small.toml")).saying(judge="none")
    Ledger.open(made).export("HEAD", path, policy=unseen)

    row = audited("lora" if in_folder else path.name, "--json").json()

    (found,) = row["concepts"]
    assert found["verdict"] == "gone"
    assert row["notes"] == [
        "unlearnlog exported it for this base: it was applied to the base"
    ]
    assert row["moved"]["unet"] < 0.01
    back = next(r for r in row["readings"] if r["probe"] == "return.weights")
    assert back["value"] == pytest.approx(0, abs=0.01)


def test_an_export_that_lacks_an_erasure_is_audited_as_it_is_used(made):
    """On the base, where what it never erased is as it was."""
    at = open_session(made)
    path = made / "none.safetensors"
    name = next(iter(at.model.base))
    d_out, d_in = at.model.base[name].shape
    key = name.removesuffix(".weight")
    factors = {
        f"{key}.lora_A.weight": torch.zeros(1, d_in),
        f"{key}.lora_B.weight": torch.zeros(d_out, 1),
    }
    noted = {"unlearnlog": json.dumps({"base": at.manifest.root, "entry": "x"})}
    state = FinetuneBase(at.model, at.weights(at.head))
    save_file(factors, path, metadata=noted)

    ours = derived(path, state).weights
    save_file(factors, path, metadata={"unlearnlog": "[" * 100_000})
    theirs = derived(path, state).weights

    assert all(torch.equal(ours[n], w.float()) for n, w in at.model.base.items())
    own = state.projections
    assert all(torch.equal(theirs[n].float(), w.float()) for n, w in own.items())


def test_a_folder_says_what_is_erased_in_it_and_whose_card_is_whose(made):
    card = (made / "exported" / "README.md").read_text()
    own = (FOLDER / "README.md").read_text()

    assert "- Picasso: its erasure was not measured" in card  # nobody judged it
    assert Ledger.open(made).entries()[0].id in card
    assert (made / "exported" / "README.base.md").read_text() == own
    assert not (made / "exported" / "quality.json").exists()
    assert (made / "base" / "README.md").read_text() == own
    assert (made / "base" / "quality.json").exists()


def test_the_base_fails_and_what_failed_is_recorded_when_asked_for(audited, made):
    before = Ledger.open(made).entries()

    done = audited("base", "--json", "--record")

    (found,) = done.json()["concepts"]
    rows = {(r["probe"], r["concept"]): r for r in done.json()["readings"]}
    entries = Ledger.open(made).entries()
    assert done.code == 3
    assert found["verdict"] == "resurged"
    assert found["back"]["low"] > 0.5
    assert rows["return.weights", "(all erased)"]["value"] == pytest.approx(1, abs=1e-3)
    assert rows["returned.nats", "Picasso"]["value"] > 1
    assert rows["false-alarms", "Picasso"]["value"] == 0
    assert rows["collateral", "(kept)"]["value"] == 0
    assert "Picasso shows in" in done.err
    assert len(entries) == len(before) + 1
    assert entries[-1].kind == "audit"
    assert entries[-1].state.before == entries[-1].state.after
    assert entries[-1].eraser.settings["resurged"] == ("Picasso",)


@pytest.mark.slow
def test_an_audit_is_recorded_on_what_another_command_recorded_meanwhile(made):
    at, ledger = open_session(made), Ledger.open(made)
    before = ledger.chain.head
    rules = Policy.load(str(made / "small.toml"))
    watch = Interrupting(
        "", lambda: ledger.add("cat", policy=rules.saying(judge="none"))
    )

    done = story.audit(
        at, story.AuditRequest(made / "exported", rules, record=True, watch=watch)
    )

    kinds = [entry.kind for entry in ledger.entries()[-2:]]
    ledger.chain.reset(before or "base")
    assert kinds == ["erase", "audit"]
    assert done.entry is not None
    assert done.entry.eraser.settings["at"] == before


def test_an_audit_is_in_the_report_and_in_no_history_of_states(audited, made):
    audited("base", "--record")

    found = report.report(open_session(made), report.ReportRequest(pictures=0))

    assert found.audits[-1].word == "failed"
    assert found.audits[-1].lines[0].concept == "Picasso"
    assert all(step.entry.kind != "audit" for step in found.steps)
    assert found.judgement.word != "failed"


def test_a_model_that_paints_noise_has_nothing_proven_gone(audited, made):
    broken = made / "broken"
    shutil.copytree(made / "exported", broken)
    file = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["conv_out.weight"] = torch.zeros_like(weights["conv_out.weight"])
    save_file(weights, file)

    done = audited("broken", "--json")

    (found,) = done.json()["concepts"]
    assert done.code == 3
    assert found["verdict"] == "undecided"
    assert found["now"]["value"] == 0
    assert "paints little of the kind" in found["why"]


class Agreeable:
    """A judge that sees a cat by Picasso in everything."""

    name = identity = "agreeable"

    def judged(self, painted):
        return [Answer("cat", "Picasso")] * len(painted.pictures)

    def features(self, painted):
        del painted  # it has none


def test_a_judge_that_says_yes_to_everything_decides_nothing(made):
    at = open_session(made)
    policy = Policy.load(str(made / "small.toml"))
    picasso = at.world.concept("Picasso")
    tuned = derived(made / "base", FinetuneBase(at.model, at.weights(at.head)))
    desk = AuditSession(at, [picasso], tuned, policy, NoProgress())
    album = LedgerSampleCache(at, "agreeable", BaseAnswers())
    panel = replace(desk.audience.panel, judge=Agreeable(), album=album)
    audience = replace(desk.audience, panel=panel)

    bank = desk.question(picasso, 1)
    few = replace(bank, cells=bank.cells[:2])
    (found,) = findings([audience.sight(few)], VerdictRules())

    assert found.word == "undecided"
    assert "decides nothing" in found.why


def test_without_anything_that_was_kept_nobody_can_say(made):
    at = open_session(made)
    policy = Policy.load(str(made / "small.toml"))
    tuned = derived(made / "base", FinetuneBase(at.model, at.weights(at.head)))
    everything = [at.world.concept(name) for name in at.world.subjects]
    erased = [at.world.concept("Picasso"), *everything]
    desk = AuditSession(at, erased, tuned, policy, NoProgress())

    with pytest.raises(UsageError, match="no picture of a kept concept"):
        desk.findings()


def test_where_nothing_is_erased_there_is_nothing_to_ask(audited):
    done = audited("exported", "--at", "base")

    assert done.code == 2
    assert "nothing is erased at 'base'" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either a model to audit, or --finetune"),
        (("x", "--finetune", "unrelated"), "either a model to audit, or --finetune"),
        (("--finetune", "unrelated", "--record"), "--record would do nothing"),
        (("x", "--plot", "y.png", "--seed", "1"), "--seed and --plot would do nothing"),
        (("x", "--steps", "500", "--rate", "1"), "--steps and --rate would do nothing"),
        (("--finetune", "unrelated", "--rank", "4"), "nothing with --method full"),
    ],
)
def test_what_would_do_nothing_is_refused(typed, words, said):
    done = typed("audit", *words)

    assert done.code == 2
    assert said in done.err


def test_what_somebody_types_of_a_fine_tune_is_what_it_does(typed, made, monkeypatch):
    asked = []

    def unfit(at, wish):  # noqa: ARG001
        asked.append(wish)
        raise UsageError("enough", fix="nothing")

    monkeypatch.setattr(school, "finetuned", unfit)
    words = "--method lora --steps 30 --batch 4 --rate 2e-4 --rank 2 --seed 1 --seed 2"

    typed("audit", "--finetune", "target:5", *words.split(), "--ledger", str(made))

    (wish,) = asked
    assert [wish.training(seed) for seed in wish.seeds] == [
        FinetuneSettings(method="lora", steps=30, seed=seed, batch=4, rate=2e-4, rank=2)
        for seed in (1, 2)
    ]
    assert wish.data == "target:5"


def test_a_model_of_another_seed_is_refused(audited, made):
    unet = load_file(made / "exported" / "unet" / "diffusion_pytorch_model.safetensors")
    torch.manual_seed(0)
    strange = {name: t.float().std() * torch.randn(t.shape) for name, t in unet.items()}
    save_file(strange, made / "strange.safetensors")

    done = audited("strange.safetensors")

    assert done.code == 7
    assert "was not made of this model" in done.err


@pytest.mark.slow
def test_what_came_back_is_erased_anew_in_a_ledger_of_its_own(made, typed, tmp_path):
    """Onto a LoRA that undoes the erasure: its product is the delta, turned around."""
    ledger = Ledger.open(made)
    at = ledger.place
    tensors = {}
    for name, tensor in at.weights(at.head).items():
        change = (at.model.base[name].float() - tensor.float()).double()
        left, sizes, right = torch.linalg.svd(change, full_matrices=False)
        module = name.removesuffix(".weight")
        tensors[f"{module}.lora_B.weight"] = (left * sizes).float().contiguous()
        tensors[f"{module}.lora_A.weight"] = right.float().contiguous()
    save_file(tensors, tmp_path / "undo.safetensors")

    done = typed(
        *("rebase", "--onto", str(tmp_path / "undo.safetensors"), "--json"),
        *("-o", str(tmp_path / "new"), "--ledger", str(made)),
        *("--policy", str(made / "small.toml")),
    )

    data = done.json()
    assert [f["verdict"] for f in data["before"]] == ["resurged"]
    assert [f["verdict"] for f in data["after"]] == ["gone"]
    assert [c["name"] for c in data["entries"][0]["concepts"]] == ["Picasso"]
    assert data["entries"][0]["eraser"]["name"] == "ridge"
    assert len(Ledger.open(tmp_path / "new").entries()) == 1
    assert (tmp_path / "new" / "model" / "model_index.json").is_file()


def test_a_rebase_after_which_it_is_still_there_ends_with_exit_code_3(
    made, typed, tmp_path, monkeypatch
):
    none, alike = share(0, 96), paired_share([False] * 96, [False] * 96)
    gone = AuditFinding(
        "Picasso", "gone", "is gone", none, none, none, alike, 1.0, none
    )

    def rebased(_, wish):
        after = replace(gone, word=word, why="because")
        return rebasing.Rebased(wish.folder, made, (), (gone,), (after,))

    monkeypatch.setattr(rebasing, "rebase", rebased)
    words = (
        *("rebase", "--onto", str(made / "exported"), "-o", str(tmp_path / "new")),
        *("--ledger", str(made), "--json"),
    )
    ends: tuple[tuple[Word, bool, int], ...] = (
        ("gone", False, 0),
        ("resurged", True, 3),
        ("undecided", False, 3),
    )
    for word, accepted, code in ends:
        done = typed(*words, *(["--accept-undecided"] if accepted else []))

        assert (done.code, done.json()["after"][0]["verdict"]) == (code, word)


def test_a_rebase_onto_an_averaged_copy_stands_on_that_copy(made, tmp_path):
    folder = tmp_path / "tuned"
    shutil.copytree(made / "exported", folder)
    shutil.copytree(folder / "unet", folder / "unet_ema")
    file = folder / "unet_ema" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] * 1.01}, file)
    at = Ledger.open(made).place
    state = FinetuneBase(at.model, at.weights(at.head))

    plain, averaged = (
        rebasing.based(at, derived(folder, state, ema=ema), tmp_path)
        for ema in (False, True)
    )

    assert plain == folder
    assert averaged == tmp_path / "model"
    there = load_file(averaged / "unet" / file.name)
    assert torch.equal(there[name], tensors[name] * 1.01)


def test_a_rebase_into_a_folder_that_is_there_leaves_it_alone(made, typed):
    done = typed(
        *("rebase", "--onto", str(made / "exported"), "-o", str(made / "base")),
        *("--ledger", str(made), "--policy", str(made / "small.toml")),
    )

    assert done.code == 2
    assert "is there already" in done.err
    assert (made / "base" / "model_index.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["full", "lora"])
def test_a_fine_tune_on_what_was_erased_is_caught(audited, made, tmp_path, form):
    """By a script that knows nothing of this package."""
    words = ["--teacher", made / "base", "-o", made / form, "--steps", "150"]
    subprocess.run(
        [sys.executable, EXAMPLE, made / "exported", *words]
        + (["--lora"] if form == "lora" else []),
        check=True,
        cwd=tmp_path,
    )

    done = audited(form, "--json")

    (found,) = done.json()["concepts"]
    assert done.json()["form"] == ("lora" if form == "lora" else "pipeline")
    assert found["verdict"] == "resurged"
    assert done.code == 3
