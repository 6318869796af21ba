import warnings

import pytest

from unlearnlog.cell import Answer
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.notebook import _KEPT, CacheDamaged, CacheNotebook

SEEN = {("a cat by Picasso", 3): Answer("cat", "photo"), ("", 0): Answer("", "(none)")}


def notebook(tmp_path):
    (tmp_path / "cache").mkdir(exist_ok=True)
    return CacheNotebook(tmp_path / "cache" / "seen", Disk())


def only_file(tmp_path):
    (path,) = (tmp_path / "cache" / "seen").iterdir()
    return path


def test_what_was_written_down_is_read(tmp_path):
    notebook(tmp_path).write("a state", SEEN)

    assert notebook(tmp_path).read("a state") == SEEN
    assert notebook(tmp_path).read("another") == {}


def test_answers_are_added_to_those_that_are_there(tmp_path):
    more = {("a dog", 1): Answer("dog", "photo")}
    notebook(tmp_path).write("a state", SEEN)
    notebook(tmp_path).write("a state", more)

    assert notebook(tmp_path).read("a state") == {**SEEN, **more}


@pytest.mark.parametrize("damage", [b"", b"not a page", b"{}"])
def test_a_damaged_page_is_said_to_be_and_written_anew(tmp_path, damage):
    kept = notebook(tmp_path)
    kept.write("a state", SEEN)
    only_file(tmp_path).write_bytes(damage)

    with pytest.warns(CacheDamaged, match="looked at again"):
        assert kept.read("a state") == {}
    kept.write("a state", SEEN)

    assert kept.read("a state") == SEEN


def test_one_changed_answer_is_noticed(tmp_path):
    kept = notebook(tmp_path)
    kept.write("a state", SEEN)
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"photo", b"Monet"))

    with pytest.warns(CacheDamaged, match="another digest"):
        assert kept.read("a state") == {}


def test_a_link_is_not_followed(tmp_path):
    kept = notebook(tmp_path)
    kept.write("a state", SEEN)
    path = only_file(tmp_path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.warns(CacheDamaged):
        assert kept.read("a state") == {}


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    kept = CacheNotebook(tmp_path / "cache" / "seen", Disk())

    with warnings.catch_warnings(action="error"):
        kept.write("a state", SEEN)


def test_only_the_newest_pages_are_kept(tmp_path):
    kept = notebook(tmp_path)
    for i in range(_KEPT + 2):
        kept.write(str(i), {("x", i): Answer("", "")})

    assert len(list((tmp_path / "cache" / "seen").iterdir())) == _KEPT
    assert kept.read(str(_KEPT + 1))
    assert not kept.read("0")
