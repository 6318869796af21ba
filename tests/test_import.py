"""A change that was made elsewhere becomes an entry, or is refused by name."""

from __future__ import annotations

import hashlib

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from tests.policy_texts import Values, policy_text
from unlearnlog.checkpoints import lora_writer
from unlearnlog.commands import add, export
from unlearnlog.commands.import_ import import_change, read
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank
from unlearnlog.errors import ConceptError, DeltaError

PICASSO = Concept("Picasso", "style")
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model", torch.float32)


@pytest.fixture
def at(tmp_path, model):
    return ledger_of(tmp_path / "ledger", model)


@pytest.fixture
def file(tmp_path):
    """Write tensors to a file, and give its path."""

    def write(tensors):
        path = tmp_path / "given.safetensors"
        path.unlink(missing_ok=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
        return path

    return write


def a_lora(at, spelling="diffusers"):
    """Return the tensors of a LoRA of every text projection."""
    patches = drawn(at.model.base, seed=5).patches
    pairs = {n: (p.left, p.right) for n, p in patches.items() if isinstance(p, LowRank)}
    return lora_writer.written(pairs, spelling)


def unet_of(at):
    """Return every tensor of the base's UNet, by the UNet's own names."""
    unet = UNet2DConditionModel.from_pretrained(at.model.folder.path / "unet")
    return dict(unet.state_dict())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("spelling", lora_writer.FORMATS)
def test_an_export_imported_elsewhere_gives_the_same_weights(tmp_path, dtype, spelling):
    """The change to 1e-6 of its norm; so weights differ in their last bit at most."""
    model = tiny_model(tmp_path / "model", dtype)
    made = ledger_of(tmp_path / "one", model)
    one = recorded(made, drawn(made.model.base))
    path = tmp_path / "out.safetensors"
    export.export(one, export.ExportRequest("HEAD", path, spelling, BLIND, energy=1.0))
    two = ledger_of(tmp_path / "two", model)

    outcome, taken = import_change(two, path, add.AddRequest((PICASSO,), BLIND))

    assert outcome.entry.kind == "import"
    assert two.history() == [(outcome.entry.id, outcome.entry)]
    assert list(live_concepts(two.history())) == ["Picasso"]
    assert taken.n_changed == len(two.model.base)
    expected, found = one.change(), two.change()
    states = one.weights(one.head), two.weights(two.head)
    for name, change in expected.items():
        assert float((found[name] - change).norm() / change.norm()) < 1e-6
        state, again = (each[name] for each in states)
        assert state.dtype == again.dtype == dtype
        apart = (state.double() - again.double()).abs()
        bit = torch.finfo(dtype).eps * state.double().abs()
        assert float((apart - bit).max()) < 1e-6
        if dtype != torch.float32:
            assert float((apart > 0).double().mean()) < 0.005


def test_the_entry_says_which_file_it_was(at, file):
    path = file(a_lora(at))

    probes = BLIND.probes.model_copy(update={"information": 1})
    policy = BLIND.model_copy(update={"probes": probes})

    outcome, _ = import_change(at, path, add.AddRequest((PICASSO,), policy))

    settings = outcome.entry.eraser.settings
    assert outcome.entry.eraser.name == "import"
    assert settings["file"] == "given.safetensors"
    assert settings["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert settings["form"] == "lora"
    assert {r.probe for r in outcome.entry.readings} >= {"bound-mi", "drift"}


@pytest.mark.parametrize("prefix", ["", "unet."])
def test_new_values_become_the_weights_to_the_bit(at, file, prefix):
    new = {
        name: tensor + patch.dense().float()
        for (name, tensor), patch in zip(
            at.model.base.items(), drawn(at.model.base).patches.values(), strict=True
        )
    }
    path = file({prefix + name.removeprefix("unet."): t for name, t in new.items()})

    import_change(at, path, add.AddRequest((PICASSO,), BLIND))

    state = at.weights(at.head)
    for name, tensor in new.items():
        assert float((state[name] - tensor).abs().max()) <= 1.2e-7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_new_values_in_half_precision_are_taken_to_the_bit(tmp_path, file, dtype):
    at = ledger_of(tmp_path / "ledger", tiny_model(tmp_path / "model", dtype))
    change = drawn(at.model.base).patches
    new = {n: (t + change[n].dense()).to(dtype) for n, t in at.model.base.items()}

    import_change(at, file(new), add.AddRequest((PICASSO,), BLIND))

    state = at.weights(at.head)
    assert all(torch.equal(state[name], tensor) for name, tensor in new.items())


def test_a_whole_unet_is_taken_for_what_it_changes(at, file):
    tensors = unet_of(at)
    key = next(k for k in tensors if k.endswith("attn2.to_v.weight"))
    tensors[key] = tensors[key] + 0.5

    taken = read(at, file(tensors))

    assert list(taken.delta.patches) == [f"unet.{key}"]
    assert (taken.n_tensors, taken.n_same) == (len(tensors), len(tensors) - 1)
    assert taken.form == "full"


def test_the_base_s_own_tensors_may_be_in_a_wider_dtype(tmp_path, file):
    model = tiny_model(tmp_path / "model", torch.float16)
    at = ledger_of(tmp_path / "ledger", model)
    tensors = {key: tensor.double() for key, tensor in unet_of(at).items()}
    key = next(k for k in tensors if k.endswith("attn2.to_v.weight"))
    tensors[key] += 0.5

    assert read(at, file(tensors)).n_same == len(tensors) - 1


@pytest.fixture
def fine(tmp_path):
    """A ledger of a model in float32 that half precision rounds."""
    folder = tiny_model(tmp_path / "model", torch.float32)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    source = torch.Generator().manual_seed(2)
    for parameter in unet.parameters():
        parameter.data += 1e-5 * torch.randn(parameter.shape, generator=source)
    unet.save_pretrained(folder / "unet")
    return ledger_of(tmp_path / "ledger", folder)


@pytest.mark.parametrize("saved", [torch.half, torch.bfloat16, torch.float32], ids=str)
def test_what_was_only_rounded_is_the_bases_own(fine, file, saved):
    """An edit of keys and values, saved in float16, was refused for `conv_in.bias`.

    The base is in float32. Some tools save what they computed in half in float32.
    """
    tensors = {key: tensor.half().to(saved) for key, tensor in unet_of(fine).items()}
    if saved == torch.bfloat16:
        tensors = {key: tensor.to(saved) for key, tensor in unet_of(fine).items()}
    key = next(k for k in tensors if k.endswith("attn2.to_v.weight"))
    tensors[key] = tensors[key] + 0.5

    taken = read(fine, file(tensors))

    assert list(taken.delta.patches) == [f"unet.{key}"]
    assert taken.n_same == len(tensors) - 1


def test_one_number_beyond_rounding_is_a_change(fine, file):
    tensors = {key: tensor.half() for key, tensor in unet_of(fine).items()}
    tensors["conv_in.bias"] = tensors["conv_in.bias"].clone()
    tensors["conv_in.bias"].view(torch.int16)[3] += 1  # the next number of float16

    taken = read(fine, file(tensors))

    assert list(taken.delta.patches) == ["unet.conv_in.bias"]
    assert taken.n_projections == 0


def test_a_change_of_some_projections_leaves_the_others(at, file):
    tensors = {k: t for k, t in a_lora(at).items() if "to_v" in k}

    taken = read(at, file(tensors))

    assert 2 * taken.n_changed == taken.n_tensors == len(at.model.base)


def broken(change):
    """Return the tensors of a LoRA after a change to the first pair."""

    def make(at):
        tensors = a_lora(at)
        down, up = sorted(tensors)[:2]
        change(tensors, down, up)
        return tensors

    return make


def values(change):
    """Return the base's projections after a change to the first one."""

    def make(at):
        tensors = {name: tensor.clone() for name, tensor in at.model.base.items()}
        change(tensors, next(iter(tensors)))
        return tensors

    return make


WRONG = {
    "half a pair": (broken(lambda t, _, up: t.pop(up)), "column factor is missing"),
    "a number that is none": (
        broken(lambda t, down, _: t[down].fill_(torch.nan)),
        "lora_A.weight' holds numbers that are not finite",
    ),
    "factors too large": (
        broken(lambda t, down, up: (t[down].fill_(1e4), t[up].fill_(1e4))),
        "to_k.weight' cannot be a change: a change may reach 2e",
    ),
    "an unknown key": (
        broken(lambda t, *_: t.update({"lora_te_x.alpha": torch.ones(1)})),
        "no factors of this model's layers: 'lora_te_x.alpha'",
    ),
    "nothing": (lambda _: {}, "changes none of this model's"),
    "zeros": (
        lambda at: {k: torch.zeros_like(t) for k, t in a_lora(at).items()},
        "changes none of this model's",
    ),
    "the base itself": (values(lambda *_: None), "changes none of this model's"),
    "another shape": (
        values(lambda t, name: t.update({name: t[name][:, :3]})),
        r"to_k.weight' is \[\d+, 3\], the base's is",
    ),
    "values too large": (
        values(lambda t, name: t[name].fill_(1e6)),
        "to_k.weight' cannot be a change: a change may reach 1e\\+06",
    ),
    "whole numbers": (
        values(lambda t, name: t.update({name: t[name].long() + 1})),
        "to_k.weight' is torch.int64",
    ),
    "complex numbers": (
        values(lambda t, name: t.update({name: t[name] * 1j})),
        "to_k.weight' is torch.complex64",
    ),
    "numbers of four bits": (
        values(
            lambda t, name: t.update(
                {name: t[name].to(torch.uint8).view(torch.float4_e2m1fn_x2)}
            )
        ),
        "to_k.weight' cannot be read: its numbers are F4",
    ),
    "a value that is none": (
        values(lambda t, name: t[name][0].fill_(torch.inf)),
        "to_k.weight' holds numbers that are not finite",
    ),
    "the same tensor twice": (
        values(lambda t, name: t.update({name.removeprefix("unet."): t[name] + 0})),
        "to_k.weight' is the same as '",
    ),
    "a tensor of no model": (
        values(lambda t, _: t.update({"unet.extra.weight": torch.ones(2)})),
        "'unet.extra.weight' is none of this model's",
    ),
    "another layer of another shape": (
        lambda at: unet_of(at) | {"conv_in.bias": torch.ones(17)},
        r"'conv_in.bias' is \[17\], the base's is \[16\]",
    ),
    "a textual inversion": (
        lambda _: {"<sks>": torch.ones(1, 32)},
        "is a textual inversion: it adds tokens, and changes no weight",
    ),
    "a ControlNet": (
        lambda _: {"control_model.input_blocks.0.0.weight": torch.ones(2, 2)},
        "is none of this model's; this is a ControlNet",
    ),
}


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_change_of_the_text_projections_is_refused(at, file, make, said):
    path = file(make(at))

    with pytest.raises(DeltaError, match=said):
        import_change(at, path, add.AddRequest((PICASSO,), BLIND))

    assert at.history() == []


def test_too_much_on_top_of_what_there_is_is_refused(at, file):
    name, tensor = next(iter(at.model.base.items()))
    pair = (
        torch.full((tensor.shape[0], 1), 17.5),
        torch.full((1, tensor.shape[1]), 17.5),
    )
    at = recorded(at, Delta({name: LowRank(*pair)}), "Monet")
    path = file(lora_writer.written({name: pair}, "kohya"))

    with pytest.raises(DeltaError, match="cannot be added to this state: a change may"):
        import_change(at, path, add.AddRequest((PICASSO,), BLIND))

    assert len(at.history()) == 1


def test_a_concept_that_is_erased_already_is_not_imported(at, file):
    at = recorded(at, drawn(at.model.base), "Picasso")

    with pytest.raises(ConceptError, match="'Picasso' is erased already"):
        import_change(at, file(a_lora(at)), add.AddRequest((PICASSO,), BLIND))


def policy(reading, most):
    mim: Values = {"name": "mim", "n_pictures": 20, "n_family": 0}
    few = {"alike": 6, "information": 1}
    limit = f'[[limits]]\nreading = "{reading}"\nat_most = {most}\n'
    return policy_text("tiny", mim, judge="none", probes=few) + limit


def test_an_import_is_typed_and_can_be_taken_back(at, file, typed, tmp_path):
    (tmp_path / "tiny.toml").write_text(policy(reading="drift", most=1e9))
    path = file(a_lora(at))
    here = ["--ledger", str(at.folder)]
    words = ["import", str(path), "--concept", "Picasso", "--policy", "tiny.toml"]

    row = typed(*words, *here, "--json").json()

    n = len(at.model.base)
    assert (row["kind"], row["form"]) == ("import", "lora")
    assert (row["tensors"], row["changed"], row["same"]) == (2 * n, n, 0)
    assert typed("log", "--json", *here).json()[0]["id"] == row["id"]
    assert typed("fsck", "--full", *here).code == 0
    assert typed("revert", "HEAD", "--no-probes", *here).code == 0
    assert torch.equal(
        *(at.weights(rev)[next(iter(at.model.base))] for rev in (None, at.head))
    )
    said = typed(*words, *here)
    assert "? Picasso is erased IN DOUBT, entry " in said.out
    assert "not met: its erasure was not measured" in said.out
    assert f"taken from '{path}', lora, {n} of {n} text projections" in said.out


@pytest.mark.parametrize(
    ("reading", "most", "said"),
    [("drift", -1.0, "the policy refused it"), ("fd", 1.0, "cannot decide it")],
)
def test_what_the_policy_does_not_pass_is_not_recorded(
    at, file, typed, tmp_path, reading, most, said
):
    (tmp_path / "tiny.toml").write_text(policy(reading=reading, most=most))
    words = ["--policy", "tiny.toml", "--ledger", str(at.folder)]

    done = typed("import", str(file(a_lora(at))), "--concept", "Picasso", *words)

    assert done.code == 3
    assert said in done.err
    assert at.history() == []


def test_a_key_that_looks_like_markup_is_shown_as_it_is(at, file, typed):
    tensors = {"[/red]\x1b[2J": torch.ones(1)}
    words = ["--concept", "Picasso", "--ledger", str(at.folder)]

    done = typed("import", str(file(tensors)), *words)

    assert done.code == 2
    assert r"'[/red]\x1b[2J'" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["given.pt", "--concept", "Picasso"], "it was not opened"),
        (["none.safetensors", "--concept", "Picasso"], "there is no file"),
        (["none.safetensors", "--concept", "Nobody At All"], "--kind"),
        (["none.safetensors"], "--concept"),
    ],
)
def test_a_wrong_word_is_refused_without_a_traceback(at, typed, words, said):
    done = typed("import", *words, "--ledger", str(at.folder))

    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
