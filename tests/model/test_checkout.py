import errno
import shutil

import pytest
import torch
from safetensors.torch import load_file

from unlearnlog.errors import DiskFull, UsageError
from unlearnlog.model.model import DiffusersModel

UNET = "unet/diffusion_pytorch_model.safetensors"


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_base_is_checked_out_byte_for_byte(tiny, tiny_folder, tmp_path):
    tiny.checkout({}, tmp_path / "out")

    assert files_of(tmp_path / "out") == files_of(tiny_folder)


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

    with pytest.raises(UsageError, match="already holds something"):
        tiny.checkout({}, tmp_path)

    assert files_of(tmp_path) == {"precious.txt": b"mine"}


def test_a_file_in_the_way_is_left_alone(tiny, tmp_path):
    (tmp_path / "out").write_text("mine")

    with pytest.raises(UsageError, match="already holds something"):
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


@pytest.mark.parametrize("step", range(0, 10, 3))
def test_a_full_disk_leaves_nothing_behind(tiny, tmp_path, monkeypatch, step):
    fill_at(monkeypatch, step, OSError(errno.ENOSPC, "No space left on device"))

    with pytest.raises(DiskFull, match="no room left"):
        tiny.checkout({}, tmp_path / "out")

    assert not any(tmp_path.iterdir())


def test_an_interrupted_checkout_leaves_nothing_behind(tiny, tmp_path, monkeypatch):
    fill_at(monkeypatch, 3, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        tiny.checkout({}, tmp_path / "out")

    assert not any(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tiny, tmp_path, monkeypatch):
    fill_at(monkeypatch, 0, PermissionError(errno.EACCES, "Permission denied"))

    with pytest.raises(UsageError, match=r"cannot write .*Permission denied"):
        tiny.checkout({}, tmp_path / "out")


def fill_at(monkeypatch, step, error):
    """Let the copy number ``step`` fail, and all after it."""
    copy = shutil.copyfile
    done: list[object] = []

    def failing(source, target, **options):
        if len(done) >= step:
            raise error
        done.append(target)
        return copy(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", failing)
