import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from tests.ledger.making import some_delta
from unlearnlog.core.delta import Delta, Full, LowRank
from unlearnlog.core.digest import digest_of
from unlearnlog.ledger.delta_file import decoded, encoded

AWKWARD = Delta(
    {
        "": Full(torch.ones(1)),
        "a#left": Full(torch.ones(2, 3)),
        "a#": LowRank(torch.ones(2, 1), torch.ones(1, 3)),
        "é": LowRank(torch.ones(2, 0), torch.ones(0, 3)),
        "__metadata__": Full(torch.tensor([-0.0, 1e-45])),
    }
)


@pytest.mark.parametrize("delta", [some_delta(0), AWKWARD, Delta({})])
def test_a_delta_comes_back_from_disk_as_it_was(delta):
    assert decoded(encoded(delta)).digest == delta.digest


def test_any_reader_of_safetensors_reads_a_delta(tmp_path):
    delta, path = some_delta(0), tmp_path / "delta.safetensors"

    path.write_bytes(encoded(delta))

    with safe_open(path, "pt") as file:
        assert set(file.keys()) == {"unet.a#left", "unet.a#right", "unet.b#value"}
        assert torch.equal(
            file.get_tensor("unet.b#value"), delta.patches["unet.b"].value
        )
        (told,) = file.metadata().values()
    assert json.loads(told) == {"patches": {"unet.a": "low-rank", "unet.b": "full"}}


def test_the_bytes_of_a_known_delta_never_change():
    """The format is a promise: other bytes would make every stored object damaged."""
    delta = Delta(
        {
            "b": Full(torch.tensor([[1.0, -2.0]])),
            "a": LowRank(torch.tensor([[3.0]]), torch.tensor([[0.5, 0.25]])),
        }
    )

    assert (
        digest_of(encoded(delta))
        == "625987c1f423fc71ed962a824c15878d97cd8513712586327c8b2d5b77856673"
    )
    assert (
        delta.digest
        == "0517387abf1653ca452caa7c990bc421067abce8c82bdfb16578b96f4b5fc54e"
    )


def test_every_flipped_byte_and_every_cut_is_noticed():
    data = encoded(some_delta(0))
    name = decoded(data).digest
    flipped = [
        data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :] for i in range(len(data))
    ]
    cut = [data[:i] for i in range(len(data))]

    for broken in [*flipped, *cut, data + b"\0"]:
        try:
            found = decoded(broken).digest
        except ValueError:
            continue
        assert found != name


@pytest.mark.parametrize("space", [b"\t", b"\n", b"\r"])
def test_another_kind_of_padding_is_noticed(space):
    data = encoded(Delta({"w": Full(torch.ones(1))}))
    end = 8 + int.from_bytes(data[:8], "little")
    assert data[end - 1 : end] == b" "
    padded = data[: end - 1] + space + data[end:]

    assert load(padded).keys() == load(data).keys()
    with pytest.raises(ValueError, match="not as it was written"):
        decoded(padded)


@pytest.mark.parametrize(
    "tensors",
    [
        {"a#left": torch.ones(1, 1)},
        {"a#value": torch.ones(1, 1), "a#left": torch.ones(1, 1)},
        {"a": torch.ones(1)},
        {"a#value": torch.ones(1, 1).half()},
        {"a#value": torch.full((1, 1), float("nan"))},
        {"a#left": torch.ones(1, 2), "a#right": torch.ones(1, 2)},
    ],
)
def test_a_file_of_tensors_that_make_no_delta_is_refused(tensors):
    with pytest.raises(ValueError, match="delta"):
        decoded(save(tensors))


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"\xff" * 64])
def test_a_file_that_is_no_safetensors_is_refused(data):
    with pytest.raises(ValueError, match="not a delta"):
        decoded(data)
