"""A page of the cache is believed only where it is what its user's own key sealed."""

import shutil
import stat
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.cache_pages import CacheDamaged, CacheForeign, Pages
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.user_key import _key_in, key_file, own_key

KEY = '{"base":"1f","what":"latents"} a cat'
CONTENT = b"\x00\x01\n{numbers}\n"


def mine():
    return b"a" * 32


def theirs():
    return b"b" * 32


def pages(tmp_path, secret=mine):
    return Pages(CacheFolder(tmp_path / "cache" / "painted", Disk()), 4, secret)


def page_of(tmp_path):
    (path,) = (tmp_path / "cache" / "painted").iterdir()
    return path


@pytest.fixture
def kept(tmp_path):
    pages(tmp_path).put(KEY, CONTENT)
    return page_of(tmp_path)


def test_what_was_put_there_is_there(tmp_path, kept):
    assert pages(tmp_path).get(KEY) == CONTENT
    assert pages(tmp_path).get("another") is None
    assert not [*pages(tmp_path).faults()]
    assert kept.is_file()


def test_every_flipped_bit_is_noticed_and_no_page_is_read(tmp_path, kept):
    """1,001 of 1,001 flips in cached encodings went by, and changed the delta."""
    data = kept.read_bytes()

    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(flipped)

        with warnings.catch_warnings(action="ignore"):
            assert pages(tmp_path).get(KEY) is None, bit
    kept.write_bytes(data)
    assert pages(tmp_path).get(KEY) == CONTENT


def test_damage_is_said_once_a_command(tmp_path, kept):
    kept.write_bytes(kept.read_bytes()[:-1])
    command = pages(tmp_path)

    with pytest.warns(CacheDamaged, match="painted/.*is not what was written"):
        assert command.get(KEY) is None
    with warnings.catch_warnings(action="error"):
        assert command.get(KEY) is None
    assert [why for _, why in command.faults()] == [
        "its content is not what was written"
    ]


def test_a_page_of_somebody_else_is_not_believed_and_no_damage(tmp_path, kept):
    """A page of readings with a recomputed digest was recorded as a UA of 1.000."""
    kept.unlink()
    pages(tmp_path, theirs).put(KEY, CONTENT)

    with pytest.warns(CacheForeign, match="elsewhere"):
        assert pages(tmp_path).get(KEY) is None

    assert not [*pages(tmp_path).faults()]


def test_a_page_in_the_place_of_another_is_noticed(tmp_path, kept):
    pages(tmp_path).put("another", b"of another")
    for path in kept.parent.iterdir():
        if path != kept:
            shutil.copy(path, kept)

    with pytest.warns(CacheDamaged, match="another page"):
        assert pages(tmp_path).get(KEY) is None
    assert [path for path, _ in pages(tmp_path).faults()] == [kept]


def test_what_an_older_version_kept_is_passed_over(tmp_path, kept):
    for older in (b"\x10\0\0\0\0\0\0\0{}", b"0" * 64 + b'\n{"a cat":{}}'):
        kept.write_bytes(older)

        with warnings.catch_warnings(action="error"):
            assert pages(tmp_path).get(KEY) is None


def test_a_link_is_not_followed(tmp_path, kept):
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")

    with pytest.warns(CacheDamaged):
        assert pages(tmp_path).get(KEY) is None


@given(key=st.text(), content=st.binary())
def test_any_key_and_any_content_come_back(tmp_path_factory, key, content):
    folder = tmp_path_factory.mktemp("pages")

    pages(folder).put(key, content)

    assert pages(folder).get(key) == content


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user who has no key yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    _key_in.cache_clear()


def test_a_key_is_made_at_first_use_and_is_nobody_elses_to_read(home):
    key = own_key()

    assert len(key) == 32
    assert key_file() == home / "unlearnlog" / "key"
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert [path.name for path in key_file().parent.iterdir()] == ["key"]
    _key_in.cache_clear()
    assert own_key() == key


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("damage", [b"", b"0" * 65, b"not a key"])
def test_a_key_that_is_none_is_made_anew(damage):
    key_file().parent.mkdir(parents=True)
    key_file().write_bytes(damage)

    key = own_key()

    assert key_file().read_bytes() == key.hex().encode() + b"\n"


def test_without_a_home_nothing_fails_and_it_is_said(home):
    home.write_text("in the way")

    with pytest.warns(UserWarning, match="not kept for the next command"):
        assert len(own_key()) == 32


def test_a_user_without_a_home_has_one_key_for_the_process(monkeypatch):
    """A container's user has no entry of its own, and `~` means nothing."""

    def homeless(path):  # noqa: ARG001
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "expanduser", homeless)

    with pytest.warns(UserWarning, match="set XDG_CONFIG_HOME"):
        key = own_key()

    assert own_key() == key


@pytest.mark.usefixtures("home")
def test_a_link_is_no_key():
    key_file().parent.mkdir(parents=True)
    key_file().symlink_to("/dev/zero")

    key = own_key()

    assert key_file().read_bytes() == key.hex().encode() + b"\n"
