import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from unlearnlog.errors import ModelError
from unlearnlog.models import hub
from unlearnlog.models.hub import located

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Stand in for the hub: note what it is asked for, and give a folder."""
    seen = []

    def download(name, **options):
        seen.append((name, options))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    return seen


def test_a_folder_is_taken_as_it_is(tmp_path, asked):
    assert located(str(tmp_path), may_download=True) == tmp_path
    assert asked == []


def test_a_pinned_model_is_fetched_without_pickles_and_only_by_init(asked, tmp_path):
    assert located(f"owner/model@{COMMIT}", may_download=True) == tmp_path
    located(f"owner/model@{COMMIT}", may_download=False)

    (name, first), (_, second) = asked
    assert (name, first["revision"]) == ("owner/model", COMMIT)
    assert (first["local_files_only"], second["local_files_only"]) == (False, True)
    assert not [p for p in first["allow_patterns"] if p.endswith((".bin", ".ckpt"))]


@pytest.mark.parametrize(
    "source", ["owner/model", "owner/model@main", f"owner/model@{COMMIT[:12]}"]
)
def test_a_model_that_may_change_tomorrow_is_refused(asked, source):
    with pytest.raises(ModelError) as caught:
        located(source, may_download=True)

    assert source in caught.value.message
    assert "owner/model@ and the 40 hex digits" in caught.value.fix
    assert asked == []


@pytest.mark.parametrize(
    ("error", "said", "fix"),
    [
        (LocalEntryNotFoundError("gone"), "is not on this machine", "go online once"),
        (OSError("no route"), "cannot be fetched: no route", "check the name"),
    ],
)
def test_a_model_that_cannot_be_had_is_explained(monkeypatch, error, said, fix):
    def download(*_, **__):
        raise error

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(ModelError) as caught:
        located(f"owner/model@{COMMIT}", may_download=False)

    assert said in caught.value.message
    assert fix in caught.value.fix
