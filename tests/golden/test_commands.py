"""What commands say of one ledger, word for word, and how they end."""

import pytest

from tests.golden.held import held, plain
from unlearnlog.cli.command_groups import HEADINGS

pytestmark = pytest.mark.filterwarnings(
    "ignore:this ledger recorded only the tensors of its base:UserWarning"
)

SAID = (
    "log",
    "log --json",
    "log --graph",
    "log --moves",
    "log --moves --json",
    "status",
    "status --json",
    "show",
    "show --json",
    "show first",
    "show first --json",
    "show HEAD~1",
    "show HEAD~2 --json",
    "show other --json",
    "diff first HEAD",
    "diff first HEAD --json",
    "branch",
    "branch --json",
    "tag",
    "tag --json",
    "config",
    "config --json",
    "fsck",
    "fsck --json",
    "gc --dry-run --json",
    "drift --json",
    "concepts --json",
    "erasers",
    "erasers --json",
    "report -o out.md",
    "report -o out.json",
    "remote --json",
    "remote add origin s3://bucket/ledger",
    "remote add origin s3://bucket/ledger --json",
    "log --concept cat",
    "log --concept cat --json",
    "shortlog",
    "shortlog --json",
    "blame cat",
    "blame cat --json",
    "redact",
    "redact --json",
    "reset HEAD~1 --json",
    "switch other --json",
    "branch new first --json",
    "tag there HEAD~1 --json",
    # mistakes
    "show nope",
    "show nope --json",
    "show HEAD~9",
    "diff main nope --json",
    "switch nope --json",
    "branch main",
    "add boat --set nope=1 --json",
    "add boat --eraser nope --json",
    "add boat --device nope --json",
    "add boat --policy nope --json",
    "add dog --kind styel --json",
    "add a,b --json",
    "revert nope --json",
    "compose nope --json",
    "import nope.safetensors --concept boat --json",
    "audit nope --json",
    "attack --attack nope --json",
    "export -o out.txt --json",
    "probe --tier 7 --json",
    "push --json",
    "pull nope --json",
    "fetch",
    "clone ftp://host/x --json",
    "clone nope/nope --json",
    "remote add origin sftp://me:secret@host/x --json",
    "remote remove nope --json",
    "verify --json",
    "blame nope --json",
    "redact nope --json",
    "seal --json",
    "unseal -i nope --json",
    "release base -o out --json",
    "paint --json",
    "serve --port 70000 --json",
    "nope",
    # help
    "--help",
    *(f"{name} --help" for names in HEADINGS.values() for name in names),
)


@pytest.mark.parametrize("words", SAID)
def test_it_says_what_it_said(kept, typed, words, monkeypatch, tmp_path):
    if words.endswith("--help"):
        monkeypatch.setenv("COLUMNS", "80")
    else:  # as into a pipe: nothing is cut, no line wraps
        monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(kept)

    done = typed(*words.split())

    found = {
        "code": done.code,
        "out": plain(done.out, tmp_path),
        "err": plain(done.err, tmp_path),
    }
    assert held("commands", words, found) == found
