"""A single file is a base: the model that it holds, as the same folder would be."""

import gzip
import json

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from tests.single_files import build_stock, single_of, write_single
from tests.tiny import tokenizer_of_bytes
from unlearnlog.checkpoints.single_file import opened_base
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)
PROMPTS = ["a painting of a cat by picasso", ""]


@pytest.fixture(
    scope="module",
    params=[
        "1.5",
        pytest.param("2.1", marks=pytest.mark.slow),
        pytest.param("xl", marks=pytest.mark.slow),
    ],
)
def both(request, tmp_path_factory):
    """A folder and the single file of the same tensors, and their family."""
    place = tmp_path_factory.mktemp("base")
    folder = build_stock(place / "folder", request.param)
    file = write_single(folder, place / "model.safetensors", request.param)
    return folder, file, request.param


@pytest.fixture(scope="module")
def loaded(both):
    folder, file, _ = both
    found = opened_base(file, folder / "tokenizer")
    return DiffusersModel.load(found), DiffusersModel.load(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of Stable Diffusion 1 and its tensors by original names."""
    folder = build_stock(tmp_path_factory.mktemp("small") / "folder", "1.5")
    return folder, single_of(folder, "1.5")


def plain(tensors):
    return {name.replace("text_model.", ""): each for name, each in tensors.items()}


def test_a_single_file_has_the_tensors_of_its_folder(loaded):
    single, whole = loaded

    assert single.manifest.family == whole.manifest.family
    assert plain(single.manifest.tensors) == plain(whole.manifest.tensors)


def test_its_configurations_are_those_of_the_folder_but_for_the_scheduler(loaded):
    single, whole = loaded

    unlike = {
        f"{file.partition('/')[0]}: {key}"
        for file, ours in single.manifest.configs.items()
        for key in ours.keys() & whole.manifest.configs[file].keys()
        if ours[key] != whole.manifest.configs[file][key]
        and "scheduler" not in (file.partition("/")[0], key)
    }

    undecided = {  # they change nothing that is computed
        *("vae: sample_size", "vae: force_upcast", "text_encoder: projection_dim"),
    }
    assert unlike <= undecided | {f"tokenizer: {t}_token" for t in ("bos", "eos")}


def test_it_encodes_and_predicts_as_its_folder_does(loaded):
    single, whole = loaded
    x = torch.randn(1, *whole.latent_shape, generator=torch.Generator().manual_seed(0))

    texts = [model.encode(PROMPTS) for model in loaded]
    one, other = (
        model.eps(x, torch.tensor([400]), text[[0]])
        for model, text in zip(loaded, texts, strict=True)
    )

    assert single.latent_shape == whole.latent_shape
    assert torch.equal(texts[0].tokens, texts[1].tokens)
    assert torch.allclose(one, other, atol=1e-6)


def test_its_checkout_is_a_folder_that_diffusers_loads(loaded, tmp_path):
    single, _ = loaded
    name, old = next(iter(single.base.items()))
    changed = (3 * old.float()).to(old.dtype)

    single.checkout({name: changed}, tmp_path / "out", card="of a file")

    pipe = DiffusionPipeline.from_pretrained(tmp_path / "out")
    found = pipe.unet.state_dict()[name.removeprefix("unet.")]
    assert torch.equal(found, changed.float())
    again = DiffusersModel.load(tmp_path / "out")
    unlike = {
        each
        for each, record in single.manifest.tensors.items()
        if again.manifest.tensors[each] != record
    }
    assert unlike == {name}
    assert again.manifest.configs == single.manifest.configs
    assert again.manifest.files == single.manifest.files


@pytest.mark.slow
def test_diffusers_reads_the_same_tensors_from_the_file(both, loaded, tmp_path):
    """With the configurations of our checkout: it asks the hub for its own."""
    _, file, _ = both
    loaded[0].checkout({}, tmp_path / "out")
    ours = DiffusionPipeline.from_pretrained(tmp_path / "out")

    theirs = type(ours).from_single_file(
        str(file), config=str(tmp_path / "out"), local_files_only=True
    )

    for name in loaded[0].folder.weighed:
        one, other = (getattr(pipe, name).state_dict() for pipe in (ours, theirs))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key].float()) for key in one), name


@pytest.mark.parametrize(
    ("metadata", "marks", "predicts"),
    [
        ({}, (), "epsilon"),
        ({"modelspec.prediction_type": "v"}, (), "v_prediction"),
        ({}, ("v_pred",), "v_prediction"),
    ],
)
def test_what_it_predicts_is_read_from_the_file(
    small, tmp_path, metadata, marks, predicts
):
    folder, tensors = small
    file = tmp_path / "model.safetensors"
    save_file(tensors | {mark: torch.zeros(1) for mark in marks}, file, metadata)

    found = opened_base(file, folder)

    assert found.scheduler["prediction_type"] == predicts


@pytest.mark.parametrize(
    ("spread", "predicts"), [(0.2, "v_prediction"), (0.01, "epsilon")]
)
def test_a_stable_diffusion_2_tells_by_its_last_norm(tmp_path, spread, predicts):
    folder = build_stock(tmp_path / "folder", "2.1")
    tensors = single_of(folder, "2.1")
    norms = [key for key in tensors if "output_blocks" in key and "norm1.bias" in key]
    noise = torch.randn(128, generator=torch.Generator().manual_seed(0))
    save_file({**tensors, max(norms): spread * noise}, tmp_path / "model.safetensors")

    found = opened_base(tmp_path / "model.safetensors", folder)

    assert found.scheduler["prediction_type"] == predicts
    assert any("by its last norm" in note for note in found.notes)
    assert found.config("unet")["sample_size"] == {"v": 384, "e": 256}[predicts[0]]


def test_a_terminal_snr_of_zero_is_read_from_its_mark(small, tmp_path):
    folder, tensors = small
    marks = {mark: torch.zeros(1) for mark in ("v_pred", "ztsnr")}
    save_file(tensors | marks, tmp_path / "model.safetensors")

    found = opened_base(tmp_path / "model.safetensors", folder)

    assert found.scheduler["rescale_betas_zero_snr"] is True


def test_tensors_of_no_network_are_counted_and_named(small, tmp_path):
    folder, tensors = small
    file = tmp_path / "model.safetensors"
    extra = {f"control_model.{i}": torch.zeros(1) for i in range(5)}
    known = {"betas": torch.zeros(3), "model_ema.decay": torch.zeros(1)}
    save_file(tensors | extra | known, file)

    notes = opened_base(file, folder).notes

    assert [note for note in notes if "not read" in note] == [
        "5 tensors in it of no known network, not read: 'control_model.0', "
        "'control_model.1', 'control_model.2' and 2 more"
    ]


def test_old_names_of_a_text_encoder_are_read_as_todays(small, tmp_path):
    """As in the files of before 2023, without ``text_model`` in every name."""
    folder, tensors = small
    old = {key.replace("text_model.", ""): each for key, each in tensors.items()}
    counter = "cond_stage_model.transformer.embeddings.position_ids"
    old[counter] = torch.arange(77)[None]
    save_file(old, tmp_path / "old.safetensors")
    save_file(tensors, tmp_path / "new.safetensors")

    one, other = (
        DiffusersModel.load(opened_base(tmp_path / f"{name}.safetensors", folder))
        for name in ("old", "new")
    )

    assert torch.equal(one.encode(PROMPTS).tokens, other.encode(PROMPTS).tokens)
    assert not any("not read" in note for note in one.folder.notes)


def test_parts_of_another_model_are_refused(small, tmp_path):
    folder, tensors = small
    kept = {k: t for k, t in tensors.items() if "attn2" not in k}
    save_file(kept, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match="it has parts of another model"):
        opened_base(tmp_path / "model.safetensors", folder)


def test_a_tokenizer_beside_the_file_is_found(small, tmp_path):
    folder, tensors = small
    save_file(tensors, tmp_path / "model.safetensors")
    tokenizer_of_bytes().save_pretrained(tmp_path / "tokenizer")

    found = opened_base(tmp_path / "model.safetensors")

    given = opened_base(tmp_path / "model.safetensors", folder)
    assert found.small == given.small


def test_a_tokenizer_in_two_files_is_the_same_one(small, tmp_path):
    folder, tensors = small
    save_file(tensors, tmp_path / "model.safetensors")
    one = opened_base(tmp_path / "model.safetensors", folder)
    for name in ("vocab.json", "merges.txt"):
        words = tmp_path / "words" / name
        words.parent.mkdir(exist_ok=True)
        words.write_bytes(one.small[f"tokenizer/{name}"])

    other = opened_base(tmp_path / "model.safetensors", tmp_path / "words")

    assert other.small == one.small


def test_the_vocabulary_that_a_package_ships_is_read_without_importing_it(
    small, tmp_path, monkeypatch
):
    _, tensors = small
    package = tmp_path / "site" / "open_clip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    with gzip.open(package / "bpe_simple_vocab_16e6.txt.gz", "wt") as packed:
        packed.write("#version\nc a\nca t</w>\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    table = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    save_file({**tensors, table: torch.zeros(516, 64)}, tmp_path / "model.safetensors")

    found = opened_base(tmp_path / "model.safetensors")

    words = json.loads(found.small["tokenizer/vocab.json"])
    assert (words["!"], words["ca"], words["cat</w>"]) == (0, 512, 513)
    assert (words["<|startoftext|>"], words["<|endoftext|>"]) == (514, 515)


def test_a_file_without_a_tokenizer_is_refused_with_what_to_type(small, tmp_path):
    _, tensors = small
    save_file(tensors, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match="no tokenizer") as caught:
        opened_base(tmp_path / "model.safetensors")

    assert "--tokenizer FOLDER" in caught.value.fix


def test_a_tokenizer_of_another_length_is_refused(small, tmp_path):
    folder, tensors = small
    table = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    save_file({**tensors, table: torch.zeros(600, 64)}, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match="has 600 tokens, and the tokenizer in"):
        opened_base(tmp_path / "model.safetensors", folder)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("first_stage_model.", "no autoencoder"),
        ("cond_stage_model.", "no text encoder of Stable Diffusion 1, 2 or XL"),
        ("model.diffusion_model.", "no UNet"),
        ("model.diffusion_model.middle_block.1", "lacks"),
    ],
)
def test_a_file_that_lacks_a_network_is_refused(small, tmp_path, prefix, said):
    folder, tensors = small
    kept = {key: each for key, each in tensors.items() if not key.startswith(prefix)}
    save_file(kept, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match=said):
        DiffusersModel.load(opened_base(tmp_path / "model.safetensors", folder))


def test_a_pickle_is_refused_and_not_opened(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"no zip")

    with pytest.raises(ModelError, match="is a pickle") as caught:
        opened_base(tmp_path / "model.ckpt")

    assert "safetensors" in caught.value.fix


def test_a_file_that_is_changed_after_loading_is_refused(small, tmp_path):
    folder, tensors = small
    file = tmp_path / "model.safetensors"
    save_file(tensors, file)
    model = DiffusersModel.load(opened_base(file, folder))
    other = {key: each + 1 for key, each in load_file(file).items()}
    save_file(other, file)

    with pytest.raises(ModelError, match="changed after the model was loaded"):
        model.checkout({}, tmp_path / "out")
