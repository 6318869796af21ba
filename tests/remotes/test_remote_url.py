"""Addresses of remotes: what is understood, refused, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remotes.sharing import shared
from unlearnlog.errors import RevisionError, UsageError
from unlearnlog.remotes.remote_url import masked, remote_url


@pytest.mark.parametrize(
    "text",
    [
        "sftp://ada@models.example.org:2222/srv/ledger",
        "sftp://host/~/ledger",
        "s3://bucket/a/b",
        "s3://bucket",
        "gs://bucket/a",
        "hf://owner/name",
        "hf://datasets/owner/name/below",
        "https://example.org/ledger",
        "http://127.0.0.1:8000/ledger",
        "http://localhost/ledger",
    ],
)
def test_an_address_is_kept_as_it_was_typed(text):
    assert str(remote_url(text)) == text
    assert str(remote_url(text + "/")) == text


def test_a_path_is_kept_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert str(remote_url("store")) == str(tmp_path / "store")
    assert str(remote_url(f"file://{tmp_path}/store")) == str(tmp_path / "store")
    assert str(remote_url("~/store")) == str(Path.home() / "store")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("ssh://host/x", "sftp://host/x"),
        ("git+ssh://host/x", "sftp://host/x"),
        ("gcs://bucket/x", "gs://bucket/x"),
        ("ftp://host/x", "known: a path"),
        ("http://example.org/x", "https://example.org/x"),
        ("ada@host:ledger", "sftp://ada@host/~/ledger"),
        ("host.example.org:/srv/x", "sftp://host.example.org/srv/x"),
        ("hf://owner", "hf://OWNER/NAME"),
        ("hf://spaces/owner/name", "hf://OWNER/NAME"),
        ("s3:///x", "known: a path"),
        ("sftp://host:port/x", "known: a path"),
        ("", "known: a path"),
        ("s3://bucket/\x1b[31m", "known: a path"),
    ],
)
def test_another_address_is_refused_with_what_to_type(text, fix):
    with pytest.raises(UsageError) as refused:
        remote_url(text)

    assert fix in refused.value.fix
    assert text[:60] in refused.value.message or not text.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "sftp://ada:hunter2@host/x",
        "https://hunter2@host/x",
        "https://ada:hunter2@host/x",
        "s3://AKIA:hunter2@bucket/x",
        "https://host/x?X-Amz-Signature=hunter2",
        "https://host/x#hunter2",
        "ftp://ada:hunter2@host/x",
        "sftp://ada:hunter2@host:port/x",
    ],
)
def test_a_secret_is_refused_and_never_shown(text, tmp_path, typed):
    done = typed("clone", text, "two", "--json")

    assert done.code == 2
    assert "hunter2" not in done.out + done.err
    assert not (tmp_path / "two").exists()


def test_a_secret_is_never_written_to_a_ledger(tmp_path, typed):
    ledger = shared(tmp_path)
    secret = "sftp://ada:hunter2@host/x"

    done = typed("remote", "add", "o2", secret, "--ledger", str(ledger.folder))

    assert done.code == 2
    assert "hunter2" not in done.out + done.err
    assert ledger.remotes.keys() == {"origin"}


def test_who_signs_in_is_masked_wherever_an_address_stands_in_a_text():
    text = "cannot open sftp://ada:hunter2@host/x nor https://key@y/z"

    assert masked(text) == "cannot open sftp://***@host/x nor https://***@y/z"


@pytest.mark.parametrize("name", ["a/b", "-x", "base", "HEAD", "a b", ""])
def test_a_name_that_no_remote_can_have_is_refused(name, tmp_path):
    ledger = shared(tmp_path)

    with pytest.raises(RevisionError):
        ledger.add_remote(name, "s3://bucket/x")


def test_a_second_remote_of_one_name_is_refused(tmp_path):
    ledger = shared(tmp_path)

    with pytest.raises(UsageError, match="already"):
        ledger.add_remote("origin", "s3://bucket/x")
