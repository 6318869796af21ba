"""A base is all that decides its results, and stays what it was."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL

from tests.hostile.damage import WEIGHTS, set_json
from tests.tiny import build_pipeline
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.commands.verify import replayed
from unlearnlog.errors import ModelError, WrongBase
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel

CHANGES = [
    ("scheduler/scheduler_config.json", "beta_end", 0.02, 0.012),
    ("scheduler/scheduler_config.json", "prediction_type", "v_prediction", "epsilon"),
    ("unet/config.json", "act_fn", "gelu", "silu"),
    ("unet/config.json", "attention_head_dim", 4, 2),
    ("vae/config.json", "scaling_factor", 0.5, 0.18215),
    ("text_encoder/config.json", "num_attention_heads", 4, 2),
    ("text_encoder/config.json", "hidden_act", "gelu", "quick_gelu"),
    ("tokenizer/tokenizer_config.json", "model_max_length", 70, 77),
    ("model_index.json", "force_zeros_for_empty_prompt", True, False),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A pipeline that nobody touched."""
    return build_pipeline(tmp_path_factory.mktemp("sound") / "base")


@pytest.fixture(scope="module")
def empty(sound):
    """A folder with an empty ledger for the pipeline, beside it."""
    folder = sound.parent / "ledger"
    folder.mkdir()
    init(folder, str(sound))
    return folder


@pytest.fixture
def base(tmp_path, sound):
    return shutil.copytree(sound, tmp_path / "base")


@pytest.fixture
def ledger(tmp_path, empty, base):  # noqa: ARG001 - it is about the base
    return shutil.copytree(empty, tmp_path / "ledger")


def as_before_this(ledger):
    """Write the ledger's base down as it was when only tensors counted."""
    file = ledger / ".unlearnlog" / "base.json"
    known = BaseManifest.from_json(file.read_bytes())
    old = known.model_copy(update={"configs": {}, "files": {}})
    file.write_bytes(old.to_json())
    return old


@pytest.mark.parametrize(("file", "key", "now", "before"), CHANGES)
def test_a_changed_configuration_is_named_with_both_values(
    ledger, base, file, key, now, before
):
    """`beta_end` edited after `init` passed, for no tensor had changed."""
    set_json(base / file, **{key: now})

    with pytest.raises(WrongBase) as caught:
        open_session(ledger)

    said = f"{file}: {key} is {json.dumps(now)}, was {json.dumps(before)}"
    assert said in caught.value.message
    assert "put that back" in caught.value.fix


def test_another_scheduler_is_another_base(ledger, base):
    set_json(base / "model_index.json", scheduler=["diffusers", "DDIMScheduler"])

    with pytest.raises(WrongBase, match='scheduler is "DDIMScheduler", was "DPM'):
        open_session(ledger)


def test_another_vocabulary_is_another_base(ledger, base):
    file = base / "tokenizer" / "tokenizer.json"
    said = json.loads(file.read_text())
    said["model"]["merges"].pop()
    file.write_text(json.dumps(said))

    with pytest.raises(WrongBase, match=r"not the same: tokenizer/tokenizer\.json"):
        open_session(ledger)


def test_the_same_check_holds_where_the_base_has_moved(ledger, base, tmp_path):
    moved = base.rename(tmp_path / "moved")
    set_json(moved / "scheduler" / "scheduler_config.json", beta_end=0.02)

    with pytest.raises(WrongBase, match=r"beta_end is 0\.02, was 0\.012"):
        open_session(ledger, base=moved)


def test_fsck_in_full_finds_what_was_changed(ledger, base):
    set_json(base / "unet" / "config.json", act_fn="gelu")

    with pytest.raises(WrongBase, match='act_fn is "gelu", was "silu"'):
        replayed(ledger)


def test_what_decides_nothing_may_change(ledger, base):
    """Another version writes where it was saved, and what it thinks usual."""
    set_json(base / "unet" / "config.json", _diffusers_version="9", _name_or_path="x")
    set_json(
        base / "text_encoder" / "config.json", transformers_version="9", dtype=None
    )
    file = base / "scheduler" / "scheduler_config.json"
    said = json.loads(file.read_text())
    del said["solver_type"]  # which is what is usual
    file.write_text(json.dumps(said))

    assert open_session(ledger).ledger is not None


def test_an_old_ledger_is_completed_on_first_use_and_says_so_once(ledger, base):
    old = as_before_this(ledger)
    assert b"configs" not in old.to_json()

    with pytest.warns(UserWarning, match="recorded only the tensors of its base"):
        open_session(ledger)
    open_session(ledger)  # a second warning would be an error here

    known = Repository.open(ledger).base
    assert known.is_complete
    assert (known.root, known.source) == (old.root, old.source)
    assert Repository.open(ledger).fsck() == ()
    set_json(base / "unet" / "config.json", act_fn="gelu")
    with pytest.raises(WrongBase, match="act_fn"):
        open_session(ledger)


def test_an_old_ledger_that_another_command_holds_is_read_as_it_is(ledger):
    as_before_this(ledger)

    with held(ledger / ".unlearnlog"):
        assert open_session(ledger).ledger is not None

    assert not Repository.open(ledger).base.is_complete


@pytest.mark.parametrize(
    "name",
    ["text_encoder/adapter_config.json", "unet/adapter_model.safetensors", "vae/x.py"],
)
def test_what_a_loader_would_act_upon_is_refused_by_name_in_init(tmp_path, base, name):
    """An adapter in ``text_encoder`` was applied without a word."""
    (base / name).write_text("{}")

    with pytest.raises(ModelError, match=name) as caught:
        init(tmp_path / "new", str(base))

    assert f"rm '{base / name}'" in caught.value.fix
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("unet/config.json", "downsample_padding", 7),
        ("unet/config.json", "attention_head_dim", 5),
    ],
)
def test_a_network_that_could_not_compute_is_refused_in_init(
    tmp_path, base, file, key, value
):
    """Some settings are only read when the first picture is painted."""
    set_json(base / file, **{key: value})

    with pytest.raises(ModelError, match="cannot load the unet"):
        init(tmp_path / "new", str(base))

    assert not (tmp_path / "new").exists()


def write_over(base, how):
    """Write another autoencoder over the one of a folder, as somebody might."""
    file = base / "vae" / WEIGHTS["vae"]
    if how == "config":
        set_json(base / "vae" / "config.json", scaling_factor=0.5)
    elif how == "tokenizer":
        (base / "tokenizer" / "tokenizer.json").write_text("{}")
    elif how == "cut short":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        vae = AutoencoderKL.from_pretrained(base / "vae", torch_dtype=torch.float16)
        for tensor in vae.parameters():
            tensor.data.add_(1)
        shutil.rmtree(base / "vae") if how == "anew" else None
        vae.save_pretrained(base / "vae")


@pytest.mark.parametrize(
    "how", ["in place", "anew", "config", "tokenizer", "cut short"]
)
def test_an_open_session_writes_no_other_model_than_it_loaded(base, tmp_path, how):
    """A folder overwritten under an open session went out as the ledger's own."""
    model = DiffusersModel.load(base)
    write_over(base, how)

    with pytest.raises(ModelError, match=r"was changed after|cannot read"):
        model.checkout({}, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_only_touched_goes_out(base, tmp_path):
    model = DiffusersModel.load(base)
    file = base / "vae" / WEIGHTS["vae"]
    file.write_bytes(file.read_bytes())

    model.checkout({}, tmp_path / "out")

    assert (tmp_path / "out" / "vae" / WEIGHTS["vae"]).read_bytes() == file.read_bytes()


def test_a_file_cut_short_under_a_reader_is_an_error_and_no_signal(base):
    """A mapped file that was truncated ended the process by SIGBUS."""
    model = DiffusersModel.load(base)
    stored = model.folder.stored("vae")
    name = max(stored, key=lambda n: stored.places[n][0].places[n[4:]].begin)
    file = base / "vae" / WEIGHTS["vae"]
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)

    with pytest.raises(ModelError, match="truncated"):
        stored[name]


def test_what_is_read_later_is_what_was_loaded(base):
    model = DiffusersModel.load(base)
    write_over(base, "in place")

    stored = model.folder.stored("vae")

    with pytest.raises(ModelError, match="was changed after the model was loaded"):
        dict(stored)
