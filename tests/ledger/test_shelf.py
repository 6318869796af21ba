import torch

from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.cache_pages import Pages
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.tensor_cache import DiskTensorCache

KEPT = 4


def shelf(tmp_path):
    return DiskTensorCache(
        Pages(CacheFolder(tmp_path / "cache" / "painted", Disk()), KEPT)
    )


def test_what_was_put_there_is_there(tmp_path):
    tensor = torch.arange(6.0).reshape(2, 3)

    shelf(tmp_path).put("a key", tensor)

    found = shelf(tmp_path).get("a key")
    assert found is not None
    assert torch.equal(found, tensor)
    assert shelf(tmp_path).get("another") is None


def test_only_the_newest_are_kept(tmp_path):
    kept = shelf(tmp_path)
    for i in range(KEPT + 3):
        kept.put(str(i), torch.tensor([float(i)]))

    assert len(list((tmp_path / "cache" / "painted").iterdir())) == KEPT
    assert kept.get(str(KEPT + 2)) is not None
    assert kept.get("0") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("in the way")

    shelf(tmp_path).put("a key", torch.zeros(3))

    assert shelf(tmp_path).get("a key") is None
