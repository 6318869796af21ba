import warnings

from unlearnlog.core.probe_case import Answer
from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.cache_pages import Pages
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.label_cache import DiskLabelCache

SEEN = {("a cat by Picasso", 3): Answer("cat", "photo"), ("", 0): Answer("", "(none)")}


def notebook(tmp_path):
    return DiskLabelCache(Pages(CacheFolder(tmp_path / "cache" / "seen", Disk()), 4))


def test_what_was_written_down_is_read(tmp_path):
    notebook(tmp_path).write("a state", SEEN)

    assert notebook(tmp_path).read("a state") == SEEN
    assert notebook(tmp_path).read("another") == {}


def test_answers_are_added_to_those_that_are_there(tmp_path):
    more = {("a dog", 1): Answer("dog", "photo")}
    notebook(tmp_path).write("a state", SEEN)
    notebook(tmp_path).write("a state", more)

    assert notebook(tmp_path).read("a state") == {**SEEN, **more}


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    kept = notebook(tmp_path)

    with warnings.catch_warnings(action="error"):
        kept.write("a state", SEEN)

    assert kept.read("a state") == {}
