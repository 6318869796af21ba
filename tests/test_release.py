"""What is given away: all that the hub reads, and nothing that undoes an erasure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.golden.held import HERE
from tests.tiny import build_pipeline
from unlearnlog.api import Ledger, verify_folder
from unlearnlog.commands.model_signing import check_key
from unlearnlog.core.delta import raw_bytes
from unlearnlog.errors import IntegrityError, UsageError
from unlearnlog.models.hub_card import BaseTerms, hub_id, terms_of, with_metadata

pytestmark = pytest.mark.filterwarnings(
    "ignore:this ledger recorded only the tensors of its base:UserWarning"
)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A ledger, and the release of its newest entry; its base names a licence."""
    folder = tmp_path_factory.mktemp("given")
    build_pipeline(folder / "base")
    (folder / "base" / "README.md").write_text(
        "---\nlicense: creativeml-openrail-m\n---\n\n# tiny\n"
    )
    shutil.copytree(HERE / "ledger", folder / "kept" / ".unlearnlog")
    ledger = Ledger.open(folder / "kept")
    done = ledger.release("HEAD", folder / "out", base_model="someone/tiny")
    return ledger, done, folder / "out"


def texts(folder):
    """Return the text of what the release itself wrote."""
    names = ("README.md", "REPORT.md", "provenance.json")
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def test_the_card_has_what_the_hub_reads(given):
    _, done, folder = given

    card = ModelCard.load(folder / "README.md")

    assert card.data.to_dict() == {
        "base_model": "someone/tiny",
        "library_name": "diffusers",
        "license": "creativeml-openrail-m",
        "pipeline_tag": "text-to-image",
        "tags": [
            "text-to-image",
            "concept-erasure",
            "machine-unlearning",
            "unlearnlog",
        ],
    }
    for name in done.erased:
        assert name in card.text
    assert "arxiv.org/abs/2603.06640" in card.text
    assert "an antidote" in " ".join(card.text.split())


def test_no_byte_of_a_release_belongs_to_a_delta(given):
    """Neither its digest, as hex or raw, nor the name or the bytes of a factor."""
    ledger, _, folder = given
    chain = ledger.chain
    digests = {d for e in chain.reachable().values() for d in e.objects}
    attacks = {a.object for e in chain.reachable().values() for a in e.attacks}
    states = {e.state.after for e in chain.reachable().values()}
    parts = [
        (f"{name}#{part}", raw_bytes(tensor).tobytes())
        for digest in digests
        for name, patch in chain.delta(digest).patches.items()
        for part, tensor in patch.parts.items()
    ]
    parts += [
        (name, raw_bytes(tensor).tobytes())
        for digest in attacks
        for name, tensor in chain.attack(digest).items()
        if tensor.is_floating_point()
    ]

    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())

    assert len(digests) >= 4
    assert len(parts) > 30
    named = {*digests, *attacks, *states}
    assert not [each for each in named if each[:16].encode() in everything]
    assert not [each for each in named if bytes.fromhex(each) in everything]
    assert not [
        name for name, _ in parts if "#" in name and name.encode() in everything
    ]
    assert not [name for name, data in parts if data[:32] in everything]


def test_no_text_of_a_release_names_a_place_that_was_changed(given):
    ledger, _, folder = given
    chain = ledger.chain
    changed = {
        name.removesuffix(".weight")
        for digest in chain.plan(chain.head)
        for name in chain.delta(digest).patches
    }

    found = texts(folder)

    assert len(changed) > 4
    assert not [
        (file, name)
        for file, text in found.items()
        for name in changed
        if name in text or name.partition(".")[2] in text
    ]
    settings = {
        key
        for _, e in chain.history(chain.head)
        for key in e.eraser.settings
        if len(key) > 4
    }
    assert not [key for key in settings if any(f"{key}=" in t for t in found.values())]


def test_a_release_is_checked_by_its_digests(given, tmp_path):
    _, done, folder = given
    shutil.copytree(folder, tmp_path / "out")

    found = verify_folder(tmp_path / "out")
    report = tmp_path / "out" / "REPORT.md"
    report.write_text(report.read_text().replace("1", "0", 1))

    assert found.n_files == len(done.files) - 1
    assert not found.is_signed
    with pytest.raises(IntegrityError, match=r"1 files of .*: REPORT\.md"):
        verify_folder(tmp_path / "out")


def test_a_release_is_checked_from_anywhere_by_its_folder(given, typed, monkeypatch):
    ledger, done, folder = given

    here = typed("verify", str(folder), "--json")
    monkeypatch.chdir(ledger.folder)
    there = typed("verify", "../out")

    assert here.code == there.code == 0
    assert here.json()["n_files"] == len(done.files) - 1
    assert "not checked: no --key was given" in there.out


def test_provenance_names_the_entry_and_the_base(given):
    ledger, done, folder = given

    about = json.loads((folder / "provenance.json").read_text())

    assert about["entry"] == done.entry == ledger.chain.head
    assert about["base"]["digest"] == ledger.chain.base.root


def test_a_redacted_name_is_in_no_text_of_a_release(given, tmp_path):
    ledger, done, _ = given
    shutil.copytree(ledger.folder, tmp_path / "kept")
    (tmp_path / "base").symlink_to(ledger.folder.parent / "base")
    other = Ledger.open(tmp_path / "kept")
    other.redact(done.erased[0])

    other.release("HEAD", tmp_path / "out")

    named = "".join(texts(tmp_path / "out").values()).casefold()
    assert done.erased[0].casefold() not in named
    assert "redacted 1" in named


def test_the_base_cannot_be_released(given, tmp_path):
    ledger, *_ = given

    with pytest.raises(UsageError, match="nothing is erased at 'base'"):
        ledger.release("base", tmp_path / "out")
    with pytest.raises(UsageError, match="is no licence"):
        ledger.release("HEAD", tmp_path / "out", licence="My own!")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("owner/name@" + "a" * 40, "owner/name"),
        ("owner/name", "owner/name"),
        ("atelier", ""),
        ("/srv/models/mine", ""),
        ("../base", ""),
    ],
)
def test_only_a_hub_id_is_a_base_on_the_hub(source, found):
    assert hub_id(source) == found


def test_a_base_without_a_card_has_no_terms(tmp_path):
    assert terms_of(tmp_path) == BaseTerms()


def test_a_licence_of_its_own_keeps_its_name_and_link():
    terms = BaseTerms("other", "mine", "https://example.org/licence")

    card = with_metadata("# it\n", base="", terms=terms)

    data = yaml.safe_load(card.split("---")[1])
    assert (data["license"], data["license_name"]) == ("other", "mine")
    assert data["license_link"] == "https://example.org/licence"


def test_a_key_that_cannot_sign_is_refused_before_any_work(tmp_path):
    key = tmp_path / "key.pem"
    with pytest.raises(UsageError, match="there is no key"):
        check_key(key)
    key.write_text("-----BEGIN PUBLIC KEY-----\n")

    with pytest.raises(UsageError, match="is no private key"):
        check_key(key)


def test_a_folder_without_a_signature_is_called_one(tmp_path):
    with pytest.raises(UsageError, match=r"has no model\.sig"):
        verify_folder(tmp_path)


@pytest.mark.slow
def test_a_release_loads_with_stock_diffusers(given):
    _, _, folder = given
    program = (
        "import sys; from diffusers import StableDiffusionPipeline as P; "
        "P.from_pretrained(sys.argv[1], local_files_only=True); "
        "assert not [m for m in sys.modules if m.startswith('unlearnlog')]"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_signature_of_a_release_vouches_for_every_byte_of_it(given, tmp_path):
    pytest.importorskip(
        "model_signing.signing", reason="pip install 'unlearnlog[sign]'"
    )
    ledger, *_ = given
    key, public = tmp_path / "key.pem", tmp_path / "key.pub"
    make = ("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")
    subprocess.run([*make, "-out", str(key)], check=True)
    read = ("openssl", "ec", "-in", str(key), "-pubout", "-out", str(public))
    subprocess.run([*read], check=True, capture_output=True)

    done = ledger.release("HEAD", tmp_path / "out", sign=key)
    ledger.checkout("HEAD", tmp_path / "plain", sign=key)

    assert done.is_signed
    assert verify_folder(tmp_path / "out", public).is_signed
    assert verify_folder(tmp_path / "plain", public).n_files == 0
    (tmp_path / "out" / "extra.txt").write_text("one more")
    with pytest.raises(IntegrityError, match="is not what was signed"):
        verify_folder(tmp_path / "out", public)
