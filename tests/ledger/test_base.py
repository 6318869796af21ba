import pytest
import torch
from pydantic import ValidationError

from tests.ledger.making import base_weights
from unlearnlog.core.digest import digest_of
from unlearnlog.errors import WrongBase
from unlearnlog.ledger.base_manifest import BaseManifest


def _manifest(weights=None):
    return BaseManifest.of("a model", "sd1", weights or base_weights())


def test_a_manifest_comes_back_from_disk_as_it_was():
    manifest = _manifest()

    assert BaseManifest.from_json(manifest.to_json()) == manifest


def test_a_root_does_not_depend_on_the_order_of_a_dict():
    turned = dict(reversed(base_weights().items()))

    assert _manifest(turned).to_json() == _manifest().to_json()


def test_a_root_depends_on_one_bit():
    other = base_weights()
    other["unet.a"].view(torch.int16)[0, 0] ^= 1

    assert _manifest(other).root != _manifest().root


def test_a_root_does_not_depend_on_where_the_model_came_from():
    other = BaseManifest.of("somewhere else", "sd1", base_weights())

    assert other.root == _manifest().root


def test_a_manifest_with_a_root_of_its_own_is_refused():
    with pytest.raises(ValidationError, match="not that of the tensors"):
        BaseManifest(source="", family="", tensors={}, root=digest_of(b""))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{}", b'{"checksum":1}', b"\xff", b"[" * 100_000]
)
def test_bytes_that_are_no_manifest_are_refused(data):
    with pytest.raises(ValueError, match=r"."):
        BaseManifest.from_json(data)


def test_every_flipped_byte_is_noticed_even_in_the_source():
    data = _manifest().to_json()

    for i in range(len(data)):
        with pytest.raises(ValueError, match=r"."):
            BaseManifest.from_json(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])


def test_a_model_with_the_same_tensors_is_the_base():
    _manifest().check(_manifest().tensors)


def test_another_model_is_refused_by_naming_five_of_its_tensors():
    other = {f"unet.{i}": torch.ones(1) for i in range(4)}

    with pytest.raises(WrongBase) as caught:
        _manifest().check(_manifest(other).tensors)

    assert "unet.0, unet.1, unet.2, unet.3, unet.a and 2 more" in caught.value.message
    assert caught.value.fix.endswith("a model")
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "changed",
    [
        torch.zeros(3, 4).half(),
        base_weights()["unet.c"].float(),
        torch.ones(4, 3).half(),
    ],
)
def test_one_other_tensor_is_another_model(changed):
    other = {**base_weights(), "unet.c": changed}

    with pytest.raises(WrongBase, match=r"not the same: unet\.c\n"):
        _manifest().check(_manifest(other).tensors)
