"""Changes of any layer are kept as exactly as those of text projections."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from tests.single_files import single_of, unet_in
from unlearnlog.api import Ledger
from unlearnlog.commands import add, rebase
from unlearnlog.commands.import_ import import_change, read
from unlearnlog.commands.session_opening import open_session
from unlearnlog.commands.verify import entries_that_lie
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import LowRank
from unlearnlog.errors import DeltaError, UsageError
from unlearnlog.ledger.repository import Repository

PICASSO, MONET = Concept("Picasso", "style"), Concept("Monet", "style")
CONV = "down_blocks.0.resnets.0.conv1"
TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
Q_PROJ = "encoder.layers.0.self_attn.q_proj"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model", torch.float16)


@pytest.fixture(scope="module")
def there(tmp_path_factory, model):
    """A session in an empty ledger, for tests that record nothing."""
    return ledger_of(tmp_path_factory.mktemp("there") / "ledger", model)


@pytest.fixture
def at(tmp_path, there):
    """A session in an empty ledger, with the model that is loaded already."""
    return empty(tmp_path / "ledger", there)


def empty(folder, there):
    folder.mkdir()
    return replace(there, folder=folder, ledger=Repository.init(folder, there.manifest))


@pytest.fixture
def file(tmp_path):
    """Write tensors to a file, and give its path."""

    def write(tensors, name="given"):
        path = tmp_path / f"{name}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
        return path

    return write


def taken(at, path, concept=PICASSO):
    import_change(at, path, add.AddRequest((concept,), BLIND))
    return at.caught_up()


def unet_of(at):
    return load_file(at.model.folder.path / "unet" / WEIGHTS)


def changed(tensors, *ends, seed=0, by=0.01):
    """Return the tensors with others in place of those whose name has an end."""
    source = torch.Generator().manual_seed(seed)
    return {
        name: (t + by * torch.randn(t.shape, generator=source)).to(t.dtype)
        for name, t in tensors.items()
        if name.endswith(ends)
    }


def leco(seed=0):
    """Return a LoRA of a convolution, a linear layer and a text encoder, as LECO's."""
    source = torch.Generator().manual_seed(seed)
    shapes = {
        f"lora_unet_{CONV.replace('.', '_')}": (16, 16, (3, 3)),
        f"lora_unet_{TO_Q.replace('.', '_')}": (32, 32, ()),
        f"lora_te_text_model_{Q_PROJ.replace('.', '_')}": (32, 32, ()),
    }
    tensors = {}
    for stem, (d_out, d_in, kernel) in shapes.items():
        pixels = [1 for _ in kernel]
        down = torch.randn(2, d_in, *kernel, generator=source)
        tensors[f"{stem}.lora_down.weight"] = down
        tensors[f"{stem}.lora_up.weight"] = 0.01 * torch.randn(
            d_out, 2, *pixels, generator=source
        )
        tensors[f"{stem}.alpha"] = torch.tensor(1)
    return tensors


def products(at, tensors):
    """Return the weights that a LoRA of kohya makes, by full name, float64."""
    names = {
        f"lora_unet_{CONV.replace('.', '_')}": f"unet.{CONV}.weight",
        f"lora_unet_{TO_Q.replace('.', '_')}": f"unet.{TO_Q}.weight",
        f"lora_te_text_model_{Q_PROJ.replace('.', '_')}": next(
            n for n in at.manifest.tensors if n.endswith(f"{Q_PROJ}.weight")
        ),
    }
    found = {}
    for stem, name in names.items():
        up, down = (
            tensors[f"{stem}.lora_{part}.weight"].double().flatten(1)
            for part in ("up", "down")
        )
        old = at.model.base[name].double()
        found[name] = old + 0.5 * (up @ down).reshape(old.shape)
    return found


def test_a_lora_of_any_layer_is_added_and_taken_back_to_the_bit(at, file, typed):
    """A LECO was refused: "no factors of this model's text projections"."""
    tensors = leco()
    at = taken(at, file(tensors))
    here = ["--ledger", str(at.folder)]

    state = at.the_ledger().state(at.head, at.model.base)

    expected = products(at, tensors)
    assert state.keys() == expected.keys()
    for name, weight in expected.items():
        old = at.model.base[name]
        apart = (state[name].double() - weight.to(old.dtype).double()).abs().max()
        assert float(apart) <= 2 * torch.finfo(old.dtype).eps
        assert not torch.equal(state[name], old)
    assert typed("fsck", "--full", *here).code == 0
    assert typed("revert", "HEAD", "--no-probes", *here).code == 0
    at = at.caught_up()
    assert at.the_ledger().state(at.head, at.model.base) == {}
    assert at.state_digest() == at.the_ledger().state_digest(None)


def test_a_convolution_s_change_of_low_rank_stays_two_factors(there, file):
    delta = read(there, file(leco())).delta

    patch = delta.patches[f"unet.{CONV}.weight"]

    assert isinstance(patch, LowRank)
    assert (patch.left.shape, patch.right.shape) == ((16, 2), (2, 16, 3, 3))
    assert patch.n_bytes < 4 * 16 * 16 * 9


@pytest.mark.slow
def test_the_order_of_two_changes_changes_no_bit(tmp_path, there, file):
    one, two = file(leco(1), "one"), file(leco(2), "two")
    states = []
    for name, order in (("a", (one, two)), ("b", (two, one))):
        at = empty(tmp_path / name, there)
        for path, concept in zip(order, (PICASSO, MONET), strict=True):
            at = taken(at, path, concept)
        states.append(at.state_digest())
        assert [*entries_that_lie(at.the_ledger(), at.model.base)] == []

    assert states[0] == states[1]


EDITS = {
    "ESD-x": ("attn2.to_q.weight", "attn2.to_k.weight", "attn2.to_v.weight"),
    "ESD-u": ("attn1.to_q.weight", "ff.net.2.weight", "conv1.weight", "norm1.bias"),
    "UCE": ("attn2.to_k.weight", "attn2.to_v.weight"),
    "a whole UNet": ("",),
}


@pytest.mark.parametrize(
    ("kind", "prefix"), [*((kind, "") for kind in EDITS), ("ESD-u", "unet.")]
)
def test_new_values_of_any_layers_become_the_weights_to_the_bit(at, file, kind, prefix):
    """As ESD's, UCE's and AdvUnlearn's programs save them; most were refused."""
    new = changed(unet_of(at), *EDITS[kind])

    at = taken(at, file({prefix + name: tensor for name, tensor in new.items()}))

    state = at.the_ledger().state(at.head, at.model.base)
    assert state.keys() == {f"unet.{name}" for name in new}
    assert all(torch.equal(state[f"unet.{name}"], new[name]) for name in new)


def test_a_whole_unet_in_original_names_is_taken_to_the_bit(tmp_path, there, file):
    other = tiny_model(tmp_path / "other", torch.float16)
    new = changed(unet_of(there), "conv1.weight", "to_q.weight")
    save_file({**unet_of(there), **new}, other / "unet" / WEIGHTS)

    found = read(there, file(unet_in(other, before="diffusion_model.")))

    assert found.delta.patches.keys() == {f"unet.{name}" for name in new}


@pytest.mark.slow
def test_a_whole_checkpoint_in_one_file_is_taken_for_what_it_changes(
    tmp_path, there, file
):
    other = tiny_model(tmp_path / "other", torch.float16)
    new = changed(unet_of(there), "conv_in.weight", "attn2.to_q.weight")
    save_file({**unet_of(there), **new}, other / "unet" / WEIGHTS)

    found = read(there, file(single_of(other, "1.5")))

    assert found.delta.patches.keys() == {f"unet.{name}" for name in new}
    assert found.n_same == len(there.manifest.tensors) - len(new)


@pytest.mark.slow
def test_a_folder_of_an_erased_model_is_taken(tmp_path, there, typed):
    other = tiny_model(tmp_path / "other", torch.float16)
    new = changed(unet_of(there), "attn2.to_out.0.weight")
    save_file({**unet_of(there), **new}, other / "unet" / WEIGHTS)

    found = read(there, other)

    assert found.form == "full"
    assert found.delta.patches.keys() == {f"unet.{name}" for name in new}
    assert found.n_same == found.n_tensors - len(new)
    words = ("import", str(other), "--concept", "Nobody", "--ledger", str(there.folder))
    assert "folder" not in typed(*words).err


def test_a_change_that_is_no_product_of_factors_is_kept_whole(there, file):
    source = torch.Generator().manual_seed(4)
    stem = f"lora_unet_{TO_Q.replace('.', '_')}"
    tensors = {
        f"{stem}.hada_w{n}_{side}": 0.1 * torch.randn(shape, generator=source)
        for n in (1, 2)
        for side, shape in (("a", (32, 2)), ("b", (2, 32)))
    }

    patch = read(there, file(tensors)).delta.patches[f"unet.{TO_Q}.weight"]

    w1, w2 = (
        tensors[f"{stem}.hada_w{n}_a"] @ tensors[f"{stem}.hada_w{n}_b"] for n in (1, 2)
    )
    torch.testing.assert_close(patch.dense().float(), w1 * w2)


def test_the_model_that_is_written_out_has_the_change(tmp_path, at, file):
    new = changed(unet_of(at), "conv_in.weight", "norm1.weight")
    at = taken(at, file(new))

    Ledger.open(at.folder).checkout("HEAD", tmp_path / "out")

    unet = UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    own = dict(unet.named_parameters())
    assert all(torch.equal(own[name].half(), tensor) for name, tensor in new.items())


@pytest.mark.slow
def test_a_pipeline_goes_to_the_change_and_back(at, file):
    """Back on the base, layers that are no text projection kept their change."""
    before = unet_of(at)
    new = changed(before, "conv_in.weight", "attn2.to_k.weight")
    at = taken(at, file(new))
    pipeline = StableDiffusionPipeline.from_pretrained(
        at.model.folder.path, dtype=torch.float16
    )
    ledger = Ledger.open(at.folder)

    ledger.apply(pipeline, "HEAD")
    applied = {n: p.clone() for n, p in pipeline.unet.named_parameters()}
    ledger.apply(pipeline, "base")

    assert all(torch.equal(applied[name], tensor) for name, tensor in new.items())
    own = dict(pipeline.unet.named_parameters())
    assert all(torch.equal(own[name], before[name]) for name in new)


def test_a_pipeline_is_not_applied_to_where_more_than_its_unet_changes(at, file):
    at = taken(at, file(leco()))
    pipeline = StableDiffusionPipeline.from_pretrained(
        at.model.folder.path, dtype=torch.float16
    )

    with pytest.raises(
        UsageError, match=r"more than the pipeline's UNet: text_encoder"
    ):
        Ledger.open(at.folder).apply(pipeline, "HEAD")


def test_it_is_said_how_many_other_tensors_were_taken(at, file, typed, tmp_path):
    (tmp_path / "blind.toml").write_text(
        'name = "blind"\njudge = "none"\n[eraser]\nname = "mim"\n[sampling]\n'
        "steps = 1\nguidance = 1.0\n[probes]\nerased = 1\nrenamed = 0\nfamily = 0\n"
        "kept = 1\nkept_share = 0.1\ninformation = 0\n"
    )
    new = changed(unet_of(at), "attn2.to_k.weight", "conv1.bias")
    n = sum("attn2" in name for name in new)

    done = typed(
        *("import", str(file(new)), "--concept", "Picasso", "--policy", "blind.toml"),
        *("--ledger", str(at.folder)),
    )

    n_all = len(at.model.base)
    said = f"full, {n} of {n_all} text projections and {len(new) - n} other tensors"
    assert said in done.out


def test_erasures_before_and_after_it_are_summed_with_it(at, file):
    at = recorded(at, drawn(at.model.base, scale=0.01), "Monet")
    new = changed(unet_of(at), "conv_in.weight", "attn2.to_v.weight")
    at = taken(at, file(new))

    state, base = at.the_ledger().state(at.head, at.model.base), at.model.base
    erased = drawn(base, scale=0.01)

    for name, patch in erased.patches.items():
        both = base[name].double() + patch.dense()
        if (own := new.get(name.removeprefix("unet."))) is not None:
            both += own.double() - base[name].double()
        assert torch.equal(state[name], both.float().half())
    assert torch.equal(state["unet.conv_in.weight"], new["conv_in.weight"])


def test_added_tokens_are_no_change_of_a_weight(there, file):
    name = next(
        n for n in there.manifest.tensors if n.endswith("token_embedding.weight")
    )
    old = there.model.base[name]
    grown = torch.cat([old, old[:1]])

    with pytest.raises(
        DeltaError, match=r"token_embedding.weight' is \[\d+, 32\], the"
    ):
        read(there, file({name: grown}))


def test_a_change_of_convolutions_is_exported_as_factors(tmp_path, at, file):
    tensors = {k: t for k, t in leco().items() if "lora_unet" in k}
    at = taken(at, file(tensors))
    path = tmp_path / "out.safetensors"

    Ledger.open(at.folder).export(
        "HEAD", path, spelling="kohya", energy=1.0, policy=BLIND
    )

    wanted, found = read(at, file(tensors)).delta, read(at, path).delta
    assert found.patches.keys() == wanted.patches.keys()
    for name, patch in wanted.patches.items():
        torch.testing.assert_close(
            found.patches[name].dense(), patch.dense(), atol=1e-5, rtol=1e-4
        )


def test_a_bias_is_in_no_format_of_factors_and_whole_in_another(tmp_path, at, file):
    new = changed(unet_of(at), "conv_in.bias", "attn2.to_k.weight")
    at = taken(at, file(new))
    ledger, path = Ledger.open(at.folder), tmp_path / "out.safetensors"

    with pytest.raises(UsageError, match=r"'unet.conv_in.bias' changes, a tensor of 1"):
        ledger.export("HEAD", path, spelling="kohya", policy=BLIND)
    assert not path.exists()

    ledger.export("HEAD", path, spelling="tensors", policy=BLIND)
    whole = load_file(path)
    assert whole.keys() == {f"unet.{name}" for name in new}
    assert all(torch.equal(whole[f"unet.{name}"], t) for name, t in new.items())


@pytest.mark.slow
@pytest.mark.parametrize("eraser", ["mim", "uce"])
def test_an_eraser_changes_text_projections_alone_and_keeps_the_rest(at, file, eraser):
    """A trained eraser would have trained, and recorded, the imported layers, too."""
    new = changed(unet_of(at), "conv_in.weight", "conv_in.bias", "attn2.to_q.weight")
    at = taken(at, file(new))
    policy = BLIND.model_copy(
        update={"eraser": {"mim": BLIND.eraser, "uce": {"name": "uce"}}[eraser]}
    )

    outcome = add.add(at, add.AddRequest((MONET,), policy))

    at = at.caught_up()
    digest = outcome.entry.objects[-1]
    assert set(at.delta(digest).patches) <= set(at.model.base)
    state = at.the_ledger().state(at.head, at.model.base)
    assert all(torch.equal(state[f"unet.{name}"], new[name]) for name in new)


@pytest.mark.slow
def test_a_rebase_adds_an_imported_change_to_the_new_base(tmp_path, at, file):
    new = changed(unet_of(at), "conv_in.weight", "norm1.bias")
    at = taken(at, file(new))
    delta = at.delta(at.history()[0][1].objects[0])
    tuned = changed(unet_of(at), "conv_out.weight", "conv_in.weight", seed=3)
    onto = file({**unet_of(at), **new, **tuned}, "tuned")
    policy = BLIND.model_copy(update={"judge": "base"})

    done = rebase.rebase(at, rebase.RebaseRequest(onto, tmp_path / "again", policy))

    there = open_session(done.folder)
    assert there.delta(there.history()[0][1].objects[0]) == delta
    state = there.the_ledger().state(there.head, there.model.base)
    for name, patch in delta.patches.items():
        wanted = there.model.base[name].double() + patch.dense()
        assert torch.equal(state[name], wanted.float().half())
    assert Ledger.open(done.folder).fsck(full=True) == ()
