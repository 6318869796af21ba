"""A revision given away as a LoRA, and measured again in that form."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded, tiny_model
from tests.killed import die, points
from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.checkpoints import lora_writer
from unlearnlog.checkpoints.export_formats import check_format
from unlearnlog.commands import export, fidelity, import_
from unlearnlog.core.delta import Delta, LowRank, Weights
from unlearnlog.core.reading import Reading
from unlearnlog.errors import DiskFull, ExportError, UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.models.families import family_of


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model", torch.float32)


@pytest.fixture
def at(tmp_path, model):
    """A ledger with one erasure of rank 2 in every text projection."""
    made = ledger_of(tmp_path / "ledger", model)
    return recorded(made, drawn(made.model.base))


def product(path, at):
    """Return what the factors of a file add to each tensor, float64."""
    shapes = {name: tensor.shape for name, tensor in at.model.base.items()}
    pairs = lora.read(load_file(path), shapes)
    return {n: left.double() @ right.double() for n, (left, right) in pairs.items()}


def wish(path, **more):
    return replace(export.ExportRequest("HEAD", path, "diffusers", BLIND), **more)


@pytest.mark.parametrize("spelling", lora_writer.FORMATS)
def test_all_of_a_change_is_in_the_file(at, tmp_path, spelling):
    path = tmp_path / "out.safetensors"

    done = export.export(at, wish(path, spelling=spelling, energy=1.0))

    change, found = at.change(), product(path, at)
    assert found.keys() == change.keys()
    for name, expected in change.items():
        assert float((found[name] - expected).norm() / expected.norm()) < 3e-7
    assert (done.rank, done.energy) == (2, 1.0)
    assert done.n_bytes == path.stat().st_size
    assert done.n_tensors == len(at.model.base)
    assert done.row()["measured"] is False


def test_whole_tensors_are_those_of_the_state_and_can_be_imported(at, tmp_path, model):
    path = tmp_path / "out.safetensors"

    done = export.export(at, wish(path, spelling="tensors"))

    found, state = load_file(path), at.weights(at.head)
    assert found.keys() == at.change().keys()
    assert all(torch.equal(found[name], state[name]) for name in found)
    assert (done.spelling, done.rank, done.energy) == ("tensors", 0, 1.0)
    again = ledger_of(tmp_path / "again", model)
    taken = import_.read(again, path)
    assert taken.form == "full"
    assert taken.n_changed == len(found)


def test_the_default_format_is_the_one_that_most_tools_load():
    assert check_format("", family_of("StableDiffusionPipeline")) == "kohya"
    assert check_format("", family_of("StableDiffusionXLPipeline")) == "kohya"
    assert check_format("", family_of("FluxPipeline")) == "diffusers"
    assert check_format("", family_of("PixArtSigmaPipeline")) == "tensors"
    with pytest.raises(UsageError, match="PixArtSigmaPipeline has no LoRA loader"):
        check_format("kohya", family_of("PixArtSigmaPipeline"))
    with pytest.raises(UsageError, match="no format 'kohya-diffusers'"):
        check_format("kohya-diffusers", family_of("StableDiffusionPipeline"))


def test_several_erasures_are_one_change_of_one_rank(at, tmp_path):
    name, other = list(at.model.base)[:2]
    shape = at.model.base[name].shape
    rng = torch.Generator().manual_seed(3)
    factors = (torch.randn(n, generator=rng) for n in ((shape[0], 3), (3, shape[1])))
    wide = LowRank(*factors)
    at = recorded(at, Delta({name: wide}), "Monet")
    path = tmp_path / "out.safetensors"

    done = export.export(at, wish(path, energy=1.0))

    tensors = load_file(path)
    assert done.rank == 5
    key = other.removesuffix(".weight")
    assert {t.shape[0] for k, t in tensors.items() if "lora_A" in k} == {5}
    assert tensors[f"{key}.lora_A.weight"][2:].abs().max() == 0


def test_less_energy_is_less_rank_and_said_so(at, tmp_path):
    done = export.export(at, wish(tmp_path / "out.safetensors", energy=0.5))

    assert done.rank == 1
    assert 0.5 <= done.energy < 1


def test_the_same_export_is_the_same_bytes_with_one_line_about_it(at, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"

    export.export(at, wish(one))
    export.export(at, wish(two))

    assert one.read_bytes() == two.read_bytes()
    with safe_open(one, framework="pt") as file:
        text = file.metadata()["unlearnlog"]
    base = at.manifest.root
    assert json.loads(text) == {"base": base, "energy": 0.9999, "entry": at.head}


def test_the_form_that_is_measured_is_that_of_the_file(at, tmp_path, monkeypatch):
    seen: list[Weights] = []
    monkeypatch.setattr(fidelity, "state_readings", reading_weights(seen))
    path = tmp_path / "out.safetensors"

    done = export.export(at, wish(path, energy=0.5))

    state, loaded = seen
    added = product(path, at)
    for name, tensor in at.model.base.items():
        assert torch.equal(state[name], at.weights(at.head)[name])
        assert torch.allclose(loaded[name].double(), tensor + added[name], atol=1e-6)
        assert not torch.allclose(loaded[name], state[name], atol=1e-3)
    (concept,) = done.row()["concepts"]
    assert concept["concept"] == "Picasso"
    assert concept["erased"]["state"]["value"] == pytest.approx(1.0)
    assert done.fidelity is not None
    assert done.fidelity.value == pytest.approx(concept["erased"]["export"]["value"])


def reading_weights(seen, *, lost=0.01):
    """Return a judge to whom all but the first weights it sees show a little more."""

    def state_readings(_, gone, new, policy, __):
        shown = lost if seen else 0.0
        seen.append(dict(new))
        assert policy.probes.earlier == policy.probes.erased
        return (
            *(presence(concept.name, shown, "lower") for concept in gone),
            presence("dog", 1 - shown, "higher"),
            presence("cat", 1.0, "higher"),
        )

    return state_readings


def presence(name, value, better):
    return Reading(
        probe="presence",
        concept=name,
        value=value,
        unit="share",
        n=96,
        low=0.0,
        high=1.0,
        better=better,
    )


@pytest.mark.parametrize(
    ("lost", "least", "said"),
    [
        (0.021, 0.98, "97.9 % of the erasure of Picasso"),
        (0.5, 0.8, "50.0 % of the erasure of Picasso, 75.0 % of what is kept"),
    ],
)
def test_what_lost_too_much_is_refused_and_leaves_nothing(
    at, tmp_path, monkeypatch, lost, least, said
):
    monkeypatch.setattr(fidelity, "state_readings", reading_weights([], lost=lost))
    rules = BLIND.model_copy(
        update={"export": BLIND.export.model_copy(update={"fidelity": least})}
    )

    with pytest.raises(ExportError, match=said) as caught:
        export.export(at, wish(tmp_path / "out.safetensors", policy=rules))

    assert caught.value.exit_code == 5
    assert "nothing was written" in caught.value.fix
    assert [p.name for p in tmp_path.iterdir()] == ["ledger"]


def test_a_loss_within_the_limit_is_written(at, tmp_path, monkeypatch):
    monkeypatch.setattr(fidelity, "state_readings", reading_weights([], lost=0.02))

    done = export.export(at, wish(tmp_path / "out.safetensors"))

    assert done.fidelity is not None
    assert done.fidelity.value == pytest.approx(0.98)


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_a_disk_that_is_full_leaves_nothing(at, tmp_path, monkeypatch, failing):
    def full(_, path, *__, **___):
        if failing == "write":
            path.write_bytes(b"begun")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Disk, failing, full)

    with pytest.raises(DiskFull, match="no room left"):
        export.export(at, wish(tmp_path / "out.safetensors"))

    assert [p.name for p in tmp_path.iterdir()] == ["ledger"]


def kill_exports(at, folder, stride, spelling=lora_writer.FORMATS[0]):
    """Kill exports at their changes; look at what is there, and do it again."""

    def act(path):
        return lambda: export.export(at, wish(path, energy=1.0, spelling=spelling))

    act(folder / "whole.safetensors")()  # makes folders of the ledger's cache
    (folder / "whole.safetensors").unlink()
    everything = at.folder.parent
    n = points(everything, act(folder / "whole.safetensors"))
    whole = (folder / "whole.safetensors").read_bytes()
    kills = [(k, cut) for k in range(1, n + 1) for cut in (False, True)][::stride]
    for k, cut in kills:
        path = folder / f"{k} {cut}" / "out.safetensors"
        path.parent.mkdir()

        die(everything, act(path), k, cut=cut)
        left = path.read_bytes() if path.exists() else whole
        path.unlink(missing_ok=True)
        act(path)()

        assert left == path.read_bytes() == whole, (k, cut)
        assert [p.name for p in path.parent.iterdir()] == [path.name], (k, cut)
    assert at.the_ledger().fsck() == ()
    return len(kills)


def test_a_killed_export_is_whole_or_absent_and_can_be_run_again(at, tmp_path):
    assert kill_exports(at, tmp_path, stride=3) >= 4


@pytest.mark.slow
def test_an_export_is_whole_or_absent_wherever_it_is_killed(at, tmp_path):
    killed = 0
    for spelling in lora_writer.FORMATS:
        (tmp_path / spelling).mkdir()
        killed += kill_exports(at, tmp_path / spelling, 1, spelling)

    assert killed >= 24


def test_an_export_that_is_interrupted_leaves_nothing(at, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fidelity, "state_readings", interrupted)

    with pytest.raises(KeyboardInterrupt):
        export.export(at, wish(tmp_path / "out.safetensors"))

    assert [p.name for p in tmp_path.iterdir()] == ["ledger"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rev": "base"}, "'base' changes nothing"),
        ({"energy": 0.0}, "energy 0 is outside"),
        ({"energy": float("nan")}, "the energy nan is outside"),
        ({"energy": 1.5}, "the energy 1.5 is outside"),
        ({"spelling": "onnx"}, "no format 'onnx' for this model"),
    ],
)
def test_what_makes_no_sense_is_refused(at, tmp_path, more, said):
    with pytest.raises(UsageError, match=said):
        export.export(at, wish(tmp_path / "out.safetensors", **more))

    assert [p.name for p in tmp_path.iterdir()] == ["ledger"]


def test_a_file_that_is_there_or_cannot_be_is_refused(at, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"mine")

    for name in ("mine.safetensors", "none/x.safetensors", "x.bin"):
        with pytest.raises(UsageError, match=name.split("/")[0]):
            export.export(at, wish(tmp_path / name))

    assert (tmp_path / "mine.safetensors").read_bytes() == b"mine"


def test_an_export_is_typed_and_says_what_nobody_measured(at, typed, tmp_path):
    words = ["export", "HEAD", "--ledger", str(at.folder), "--judge", "none"]

    done = typed(*words, "-o", "a.safetensors", "--to", "lora", "--json")
    said = typed(*words, "-o", "b.safetensors", "--format", "diffusers")

    row = done.json()
    assert row["measured"] is False
    assert (row["rank"], row["format"]) == (2, "kohya")
    assert row["bytes"] == (tmp_path / "a.safetensors").stat().st_size
    assert "the erasure was not measured again" in said.err
    assert typed(*words, "-o", "c.safetensors", "--to", "onnx").code == 2


def test_an_export_is_shown_beside_the_state_or_refused_with_exit_code_5(
    at, typed, tmp_path, monkeypatch
):
    monkeypatch.setattr(fidelity, "state_readings", reading_weights([], lost=0.01))
    words = ["export", "HEAD", "--ledger", str(at.folder), "-o"]

    shown = typed(*words, "good.safetensors")
    monkeypatch.setattr(fidelity, "state_readings", reading_weights([], lost=0.1))
    refused = typed(*words, "bad.safetensors", "--json")

    assert shown.code == 0
    (row,) = (line for line in shown.out.splitlines() if "Picasso" in line)
    assert row.split()[2] == "1.000"
    assert "0.990" in row
    assert refused.code == 5
    assert refused.json()["error"]["exit_code"] == 5
    assert "90.0 % of the erasure of Picasso" in refused.err
    assert not (tmp_path / "bad.safetensors").exists()


LOADER = """
import sys
import torch
from diffusers import DiffusionPipeline

model, file, prompt_width, out = sys.argv[1:]
dtype = torch.float32
pipe = DiffusionPipeline.from_pretrained(model, torch_dtype=dtype)
pipe.set_progress_bar_config(disable=True)
pipe.load_lora_weights(file)
rng = torch.Generator().manual_seed(0)
size = pipe.unet.config.sample_size
x = torch.randn(2, pipe.unet.config.in_channels, size, size, generator=rng)
text = torch.randn(2, 7, int(prompt_width), generator=rng)
more = {}
if pipe.unet.config.addition_embed_type:
    more = {"added_cond_kwargs": {
        "text_embeds": torch.randn(2, 24, generator=rng),
        "time_ids": torch.ones(2, 6),
    }}
with torch.no_grad():
    beside = pipe.unet(x, 500, text, **more).sample
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    fused = pipe.unet(x, 500, text, **more).sample
weights = {f"unet.{n}": p.detach() for n, p in pipe.unet.named_parameters()}
assert "unlearnlog" not in sys.modules
torch.save({"x": x, "text": text, "more": more, "beside": beside, "fused": fused,
            "weights": weights}, out)
"""


@pytest.mark.parametrize("family", ["1.5", "xl"])
def test_plain_diffusers_loads_both_spellings_and_computes_the_state(tmp_path, family):
    """Weights to 1e-6, noise to 1e-5 of its largest value, beside or fused."""
    model = tiny_model(tmp_path / "model", torch.float32, family)
    made = ledger_of(tmp_path / "ledger", model)
    at = recorded(made, drawn(made.model.base))
    state = {name.removeprefix("unet."): t for name, t in at.weights(at.head).items()}
    for spelling in lora_writer.FORMATS:
        path = tmp_path / f"{spelling}.safetensors"
        export.export(at, wish(path, spelling=spelling, energy=1.0))
        out = tmp_path / f"{spelling}.pt"
        words = [str(model), str(path), str(at.model.d_text), str(out)]
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", LOADER, *words], check=True
        )
        found = torch.load(out)
        for name, tensor in state.items():
            loaded = found["weights"][f"unet.{name}"]
            assert float((loaded - tensor).abs().max()) < 1e-6
        unet = at.model._parts.network
        arguments = (found["x"], 500, found["text"])
        with torch.no_grad():
            expected = torch.func.functional_call(
                unet, state, arguments, found["more"]
            ).sample
            untouched = unet(*arguments, **found["more"]).sample
        scale = float(expected.abs().max())
        assert float((expected - untouched).abs().max()) > 1e-2 * scale
        for kind in ("beside", "fused"):
            assert float((found[kind] - expected).abs().max()) < 1e-5 * scale
