"""A ledger whose base is one safetensors file: made, opened, moved, checked out."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.single_files import build_stock, write_single
from unlearnlog.api import Ledger
from unlearnlog.commands.session_opening import open_session
from unlearnlog.errors import ModelError, UsageError, WrongBase
from unlearnlog.ranks.parcel import loaded
from unlearnlog.workers.unit_worker import ModelSource

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A folder, and the single file of the same tensors."""
    place = tmp_path_factory.mktemp("stock")
    folder = build_stock(place / "folder", "1.5")
    return folder, write_single(folder, place / "model.safetensors", "1.5")


@pytest.fixture
def placed(stock, tmp_path):
    """Copies of the file and of a tokenizer's folder, which a test may move."""
    folder, file = stock
    shutil.copy(file, tmp_path / "model.safetensors")
    shutil.copytree(folder / "tokenizer", tmp_path / "words")
    return tmp_path / "model.safetensors", tmp_path / "words"


def test_a_ledger_is_made_of_a_single_file_and_opened_again(placed, typed, tmp_path):
    file, words = placed

    done = typed("init", "--model", str(file), "--tokenizer", str(words), "--json")

    assert done.code == 0, done.err
    assert done.json()["model"] == "./model.safetensors"
    assert "predicts epsilon" in done.json()["notes"][0]
    at = open_session(tmp_path)
    assert at.manifest.root == done.json()["base"]
    assert at.the_ledger().config["tokenizer"] == "./words"
    assert typed("fsck").code == 0


@pytest.mark.slow
def test_what_is_said_of_the_file_is_said_when_the_ledger_is_made(placed, typed):
    file, words = placed
    save_file({**load_file(file), "lost.weight": torch.zeros(1)}, file)

    done = typed("init", "--model", str(file), "--tokenizer", str(words))

    assert "1 tensor in it of no known network, not read: 'lost.weight'" in done.out


def test_a_file_without_a_tokenizer_leaves_no_ledger(placed, typed, tmp_path):
    file, _ = placed

    done = typed("init", "--model", str(file))

    assert done.code == 2
    assert "--tokenizer FOLDER" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


@pytest.mark.parametrize("model", ["atelier", "words"])
def test_a_tokenizer_for_a_model_that_has_one_is_refused(placed, model, tmp_path):
    _, words = placed

    with pytest.raises(UsageError, match="--tokenizer would do nothing"):
        Ledger.init(tmp_path / "new", model, tokenizer=words)


@pytest.mark.parametrize(
    "name",
    ["renamed.safetensors", pytest.param("model.safetensors", marks=pytest.mark.slow)],
)
def test_a_file_that_was_moved_is_found(placed, tmp_path, name):
    file, words = placed
    Ledger.init(tmp_path / "ledger", str(file), tokenizer=words)
    save_file({"other": torch.zeros(1)}, tmp_path / "ledger" / "a.safetensors")

    file.rename(tmp_path / "ledger" / name)

    at = open_session(tmp_path / "ledger")
    assert at.model.folder.path.name == name
    assert at.manifest.source == "../model.safetensors"


@pytest.mark.slow
def test_a_file_of_other_weights_is_not_found_by_its_digests(placed, tmp_path):
    file, words = placed
    Ledger.init(tmp_path / "ledger", str(file), tokenizer=words)
    other = {key: each + 1 for key, each in load_file(file).items()}
    file.unlink()
    save_file(other, tmp_path / "ledger" / "other.safetensors")

    with pytest.raises(ModelError, match="no longer in"):
        open_session(tmp_path / "ledger")
    with pytest.raises(WrongBase, match="is not the ledger's base"):
        open_session(
            tmp_path / "ledger", base=tmp_path / "ledger" / "other.safetensors"
        )


@pytest.mark.slow
def test_the_base_may_be_the_folder_that_it_was_checked_out_as(placed, typed, tmp_path):
    file, words = placed
    typed("init", "--model", str(file), "--tokenizer", str(words))

    done = typed("checkout", "base", "-o", "folder")
    file.unlink()

    assert done.code == 0, done.err
    assert (tmp_path / "folder" / "model_index.json").is_file()
    assert typed("config", "set", "base", "folder").code == 0
    assert open_session(tmp_path).model.folder.path.name == "folder"


@pytest.mark.slow
def test_a_worker_and_a_rank_load_the_file_with_its_tokenizer(placed, tmp_path):
    file, words = placed
    Ledger.init(tmp_path, str(file), tokenizer=words)
    model = open_session(tmp_path).model

    source = ModelSource.of(model, threads=1)
    by_worker = source.loaded()
    where = [str(file), str(words), "cpu", "float32", model.manifest.root]
    by_rank = loaded(where, local=0)

    assert by_worker.manifest.root == by_rank.manifest.root == model.manifest.root


@pytest.mark.slow
def test_a_single_file_is_audited_against_a_single_file(placed, tmp_path):
    from unlearnlog.checkpoints.finetune_base import FinetuneBase
    from unlearnlog.checkpoints.finetuned_model import derived

    file, words = placed
    Ledger.init(tmp_path, str(file), tokenizer=words)
    model = open_session(tmp_path).model
    tuned = {key: each * 1.01 for key, each in load_file(file).items()}
    save_file(tuned, tmp_path / "tuned.safetensors")
    state = FinetuneBase(model, {})

    same = derived(file, state)
    other = derived(tmp_path / "tuned.safetensors", state)

    assert same.moved == {}
    assert other.moved["unet"] == pytest.approx(0.01, rel=0.05)
