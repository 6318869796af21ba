import errno
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from tests.ledger.making import DEATHS, Death, DyingDisk, FailingDisk, FakeDisk
from unlearnlog.errors import DiskFull, ModelError, UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.drafts import new_folder
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.pipeline_writer import check_out

OLDER = ("vocab.json", "merges.txt")
UNET = "unet/diffusion_pytorch_model.safetensors"


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_base_is_checked_out_byte_for_byte(tiny, tiny_folder, tmp_path):
    tiny.checkout({}, tmp_path / "out")

    copied = files_of(tmp_path / "out")
    assert {copied.pop(f"tokenizer/{name}") for name in OLDER}
    assert copied == files_of(tiny_folder)


def test_older_libraries_read_the_same_tokens(tiny, tmp_path):
    """transformers 5 writes tokenizer.json alone, which 4.54 cannot read."""
    tiny.checkout({}, tmp_path / "out")
    folder = tmp_path / "out" / "tokenizer"
    manifest = DiffusersModel.load(tmp_path / "out").manifest
    ours = CLIPTokenizer.from_pretrained(folder)
    (folder / "tokenizer.json").unlink()

    theirs = CLIPTokenizer.from_pretrained(folder)

    for text in ("a painting of a cat", "Émile's 3 dogs, photo!"):
        assert theirs(text).input_ids == ours(text).input_ids
    assert manifest.files == tiny.manifest.files
    assert manifest.root == tiny.manifest.root


def test_only_the_given_tensors_differ(tiny, tiny_folder, changed, tmp_path):
    tiny.checkout(changed, tmp_path / "out")

    old, new = load_file(tiny_folder / UNET), load_file(tmp_path / "out" / UNET)
    given = {name.removeprefix("unet."): value for name, value in changed.items()}
    assert all(torch.equal(new[name], (old | given)[name]) for name in old)
    assert list(old) == list(new)
    untouched = files_of(tiny_folder).keys() - {UNET}
    assert {n: files_of(tiny_folder)[n] for n in untouched} == {
        n: files_of(tmp_path / "out")[n] for n in untouched
    }


def test_what_was_checked_out_is_a_model_with_those_weights(tiny, changed, tmp_path):
    tiny.checkout(changed, tmp_path / "out")

    again = DiffusersModel.load(tmp_path / "out")
    assert all(torch.equal(again.base[name], changed[name]) for name in changed)


def test_a_tensor_of_any_component_can_be_replaced(tiny, tiny_folder, tmp_path):
    name = "text_encoder.embeddings.token_embedding.weight"
    other = torch.zeros_like(tiny.folder.stored("text_encoder")[name])

    tiny.checkout({name: other}, tmp_path / "out")

    file = tmp_path / "out" / "text_encoder" / "model.safetensors"
    assert torch.equal(load_file(file)[name.partition(".")[2]], other)
    assert (tmp_path / "out" / UNET).read_bytes() == (tiny_folder / UNET).read_bytes()


def test_other_copies_of_the_old_weights_stay_behind(spare_folder, tmp_path):
    unet = spare_folder / "unet"
    for name in ("diffusion_pytorch_model.bin", "old.safetensors"):
        (unet / name).write_bytes(b"the old weights")
    (spare_folder / "everything.ckpt").write_bytes(b"the old weights")
    (spare_folder / "README.md").write_text("a card")
    (spare_folder / "onnx").mkdir()

    DiffusersModel.load(spare_folder).checkout({}, tmp_path / "out")

    copied = files_of(tmp_path / "out")
    assert b"the old weights" not in copied.values()
    assert copied["README.md"] == b"a card"
    assert not (tmp_path / "out" / "onnx").exists()


def test_an_empty_folder_may_be_filled(tiny, tmp_path):
    (tmp_path / "out").mkdir()

    tiny.checkout({}, tmp_path / "out")

    assert (tmp_path / "out" / "model_index.json").is_file()


def test_a_folder_that_holds_something_is_left_alone(tiny, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")

    with pytest.raises(UsageError, match="exists and is not empty"):
        tiny.checkout({}, tmp_path)

    assert files_of(tmp_path) == {"precious.txt": b"mine"}


def test_a_file_in_the_way_is_left_alone(tiny, tmp_path):
    (tmp_path / "out").write_text("mine")

    with pytest.raises(UsageError, match="exists and is not empty"):
        tiny.checkout({}, tmp_path / "out")

    assert files_of(tmp_path) == {"out": b"mine"}


def test_a_missing_parent_is_named_with_the_command_that_makes_it(tiny, tmp_path):
    with pytest.raises(UsageError) as caught:
        tiny.checkout({}, tmp_path / "a" / "out")

    assert caught.value.fix == f"mkdir -p '{tmp_path / 'a'}'"


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"unet.nothing": torch.zeros(1)}, "no tensor 'unet.nothing'"),
        ({"unet.conv_in.bias": torch.zeros(16)}, "float16 .* not torch.float32"),
        ({"unet.conv_in.bias": torch.zeros(3).half()}, r"\[16\], not .* \[3\]"),
    ],
)
def test_weights_that_do_not_fit_write_nothing(tiny, tmp_path, weights, said):
    with pytest.raises(ValueError, match=said):
        tiny.checkout(weights, tmp_path / "out")

    assert not any(tmp_path.iterdir())


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("n", range(1, 27, 5))
def test_a_full_disk_leaves_nothing_behind(tiny, changed, tmp_path, n):
    disk = FailingDisk(n, FULL, lasting=True)

    with pytest.raises(DiskFull, match="no room left"):
        check_out(tiny.folder, changed, target=tmp_path / "out", disk=disk)

    assert not any(tmp_path.iterdir())


def test_an_interrupted_checkout_leaves_nothing_behind(tiny, tmp_path):
    disk = FailingDisk(5, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        check_out(tiny.folder, {}, target=tmp_path / "out", disk=disk)

    assert not any(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tiny, tmp_path):
    disk = FailingDisk(1, PermissionError(errno.EACCES, "Permission denied"))

    with pytest.raises(UsageError, match=r"cannot be written: Permission denied"):
        check_out(tiny.folder, {}, target=tmp_path / "out", disk=disk)


def points_of(source, changed, folder):
    """Return every point at which a checkout can die."""
    disk = FakeDisk()
    check_out(source, changed, target=folder / "whole", disk=disk)
    return [(n, *how) for n in range(1, disk.n_changes + 1) for how in DEATHS]


def die_at(source, changed, folder, point):
    """Die at a point of a checkout; return what it left in its folder."""
    n, moment, power_too = point
    folder.mkdir()
    disk = DyingDisk(n, moment)
    with pytest.raises(Death):
        check_out(source, changed, target=folder / "out", disk=disk)
    if power_too:
        disk.lose_power()
    return folder / "out"


def kill_checkouts(source, changed, folder, stride):
    """Die at points of a checkout; look at what is there, and do it again."""
    points = points_of(source, changed, folder)[::stride]
    whole = files_of(folder / "whole")
    for i, point in enumerate(points):
        out = die_at(source, changed, folder / str(i), point)
        assert not out.exists() or files_of(out) == whole, point
        shutil.rmtree(out, ignore_errors=True)

        check_out(source, changed, target=out, disk=FakeDisk())

        assert files_of(out) == whole, point
        assert Disk().names(out.parent) == ["out"], point
    return len(points)


def test_a_killed_checkout_is_whole_or_absent_and_the_next_run_sweeps_what_it_left(
    tiny, changed, tmp_path
):
    """A folder as large as the model, `.out.1a2b3c4d`, stayed for ever."""
    assert kill_checkouts(tiny.folder, changed, tmp_path, stride=9) >= 8


@pytest.mark.slow
def test_a_checkout_is_whole_or_absent_wherever_it_is_killed(
    tiny, xl, changed, tmp_path
):
    both = [(tiny.folder, changed), (xl.folder, {n: 2 * t for n, t in xl.base.items()})]
    killed = 0
    for i, (source, weights) in enumerate(both):
        (tmp_path / str(i)).mkdir()
        killed += kill_checkouts(source, weights, tmp_path / str(i), stride=1)

    assert killed >= 160


def test_the_draft_of_a_process_that_lives_is_left_alone(tiny, tmp_path):
    with new_folder(tmp_path / "other") as building:
        (building / "file").write_text("half")

        tiny.checkout({}, tmp_path / "out")

        assert (building / "file").read_text() == "half"
    assert Disk().names(tmp_path) == ["other", "out"]


@pytest.mark.parametrize("name", ["README.md", "tokenizer/notes.txt", "unet/more.json"])
def test_a_link_out_of_the_base_does_not_travel(spare_folder, tmp_path, name):
    """`/etc/passwd` did, under a name that sounds like part of a model."""
    secret = tmp_path / "passwd"
    secret.write_text("root:x:0")
    (spare_folder / name).unlink(missing_ok=True)
    (spare_folder / name).symlink_to(secret)
    model = DiffusersModel.load(spare_folder)

    with pytest.raises(ModelError, match="outside of its folder"):
        model.checkout({}, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_pipe_in_the_base_is_no_file_to_copy(spare_folder, tmp_path):
    os.mkfifo(spare_folder / "scheduler" / "notes")

    with pytest.raises(ModelError, match="neither a file nor a folder"):
        DiffusersModel.load(spare_folder).checkout({}, tmp_path / "out")


def test_a_hub_s_cache_whose_files_are_links_is_checked_out_as_files(
    spare_folder, tmp_path
):
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    shutil.copytree(spare_folder, snapshot)
    files = [path for path in snapshot.rglob("*") if path.is_file()]
    for i, path in enumerate(files):
        path.replace(blobs / str(i))
        path.symlink_to(os.path.relpath(blobs / str(i), path.parent))

    DiffusersModel.load(snapshot).checkout({}, tmp_path / "out")

    copied = files_of(tmp_path / "out")
    assert {copied.pop(f"tokenizer/{name}") for name in OLDER}
    assert copied == files_of(spare_folder)
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("ledger/.unlearnlog/out", "inside a ledger"),
        ("way/out", "inside a ledger"),
        ("link", "symbolic link"),
    ],
)
def test_nothing_is_checked_out_into_a_ledger_or_through_a_link(
    tiny, tmp_path, place, said
):
    root = tmp_path / "ledger" / ".unlearnlog"
    root.mkdir(parents=True)
    (tmp_path / "way").symlink_to(root)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()

    with pytest.raises(UsageError, match=said):
        tiny.checkout({}, tmp_path / place)

    assert Disk().names(root) == Disk().names(tmp_path / "elsewhere") == []
