"""Files of strangers: every kind that is not a sound safetensors file is refused."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import SafetensorsFile, shown
from unlearnlog.models.tensor_file import LARGEST_HEADER

GOOD = save({"a": torch.ones(2, 3), "b": torch.zeros(4)})


def test_a_sound_file_is_read_tensor_by_tensor(tmp_path):
    path = tmp_path / "good.safetensors"
    path.write_bytes(GOOD)

    file = SafetensorsFile.open(path)

    assert sorted(file) == ["a", "b"]
    assert torch.equal(file["a"], torch.ones(2, 3))
    assert len(file.digest()) == 64
    with pytest.raises(KeyError):
        file["c"]


def test_numbers_that_torch_does_not_have_are_refused_by_name(tmp_path):
    path = tmp_path / "six.safetensors"
    six = {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [0, 3]}
    header = json.dumps({"a": six}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(3))
    file = SafetensorsFile.open(path)

    with pytest.raises(DeltaError, match=r"'a' cannot be read: .*F6_E2M3"):
        file["a"]


def test_a_stranger_s_key_is_quoted_short_and_visible():
    assert shown("a\x1b[31m'b") == '"a\\x1b[31m\'b"'
    assert len(shown(1000 * "x")) < 200


class Trap:
    """Notices when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize(
    "name", ["x.pt", "x.pth", "x.ckpt", "x.bin", "x.pkl", "x.zip", "x", "x.SAFETENSOR"]
)
def test_what_could_run_code_is_not_even_opened(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap()))
    path.chmod(0)

    with pytest.raises(DeltaError, match="it was not opened") as caught:
        SafetensorsFile.open(path)

    assert name in caught.value.message
    assert "safetensors.torch.save_file" in caught.value.fix
    assert not (tmp_path / "sprung").exists()


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Trap()))


WRONG = {
    "empty": lambda path: path.write_bytes(b""),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "an archive": zipped,
    "cut short": lambda path: path.write_bytes(GOOD[:-3]),
    "cut in its header": lambda path: path.write_bytes(GOOD[:20]),
    "longer than it says": lambda path: path.write_bytes(GOOD + b"more"),
    "a large header": lambda path: path.write_bytes(
        struct.pack("<Q", LARGEST_HEADER + 1) + bytes(LARGEST_HEADER + 9)
    ),
    "an endless header": lambda path: path.write_bytes(b"\xff" * 8 + GOOD),
    "no JSON": lambda path: path.write_bytes(struct.pack("<Q", 8) + b"{{{{{{{{"),
    "a folder": lambda path: path.mkdir(),
    "nothing": Path.absolute,
    "a loop": lambda path: path.symlink_to(path),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_sound_file_is_refused_by_name(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "wrong.safetensors"
    make(path)

    said = (
        r"(cannot read|no file) '.*wrong\.safetensors'|wrong\.safetensors' is a folder"
    )
    with pytest.raises(DeltaError, match=said):
        SafetensorsFile.open(path)

    assert not (tmp_path / "sprung").exists()


def test_a_link_to_a_sound_file_is_followed(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "real.safetensors")
    (tmp_path / "link.safetensors").symlink_to("real.safetensors")

    assert list(SafetensorsFile.open(tmp_path / "link.safetensors")) == ["a"]


class Key(str):
    """A key that counts how often it is compared with another."""

    compared = 0

    def __eq__(self, other):
        Key.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_tensor_is_found_without_a_look_at_all_keys(tmp_path):
    """A file of 40,000 small tensors took 15 s, one of 20,000 took 3 s."""
    path = tmp_path / "many.safetensors"
    save_file({f"t{i}": torch.zeros(1) for i in range(500)}, path)
    file = SafetensorsFile.open(path)

    assert torch.equal(file[Key("t499")], torch.zeros(1))

    assert Key.compared <= 3
