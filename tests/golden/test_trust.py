"""The ledger that is held on to, sealed and redacted, as commands show it."""

import pytest

from tests.golden.test_commands import pytestmark
from unlearnlog.core.redaction import NOTHING, put_in_force

__all__ = ["pytestmark"]

pyrage = pytest.importorskip("pyrage", reason="pip install 'unlearnlog[seal]'")

BEFOREHAND = (
    "add horse",
    "revert HEAD",
    "compose other",
    "checkout HEAD -o out",
    "release HEAD -o out",
    "export HEAD -o out.safetensors",
    "fsck --full",
)
"""Refused before the model is loaded."""

AT_WORK = (
    "paint cat -o out.png",
    "probe",
    "diff base HEAD",
    "bisect --concept cat",
    "audit ../base",
)
STILL = (
    *("log", "show --json", "status", "drift", "blame cat", "shortlog", "fsck"),
    *("gc --dry-run", "log --graph", "verify --signers ../nobody"),
)
"""What needs no delta."""


@pytest.fixture(autouse=True)
def nothing_is_left_in_force():
    yield
    put_in_force(NOTHING)


@pytest.fixture
def sealed(kept, typed, monkeypatch):
    """The ledger, sealed to a key that is thrown away."""
    monkeypatch.chdir(kept)
    (kept.parent / "nobody").write_text("")
    to = pyrage.x25519.Identity.generate().to_public()
    done = typed("seal", "-r", str(to))
    assert done.code == 0, done.err
    return kept


def _says_how_to_unseal(typed, words):
    done = typed(*words.split())
    return done.code == 1 and "unlearnlog unseal -i IDENTITY" in done.err


@pytest.mark.usefixtures("sealed")
def test_what_needs_a_delta_is_refused_before_the_model_is_loaded(typed):
    silent = [words for words in BEFOREHAND if not _says_how_to_unseal(typed, words)]

    assert silent == []


@pytest.mark.slow
@pytest.mark.usefixtures("sealed")
def test_what_measures_a_sealed_revision_says_how_to_unseal(typed):
    silent = [words for words in AT_WORK if not _says_how_to_unseal(typed, words)]

    assert silent == []


@pytest.mark.usefixtures("sealed")
def test_what_only_reads_goes_on_as_before(typed):
    codes = {words: typed(*words.split()).code for words in STILL}

    assert codes.pop("verify --signers ../nobody") == 4  # nothing is signed
    assert {*codes.values()} == {0}
    assert "unlearnlog unseal -i IDENTITY" in typed("status").out
    assert typed("status", "--json").json()["sealed"]


@pytest.mark.slow
def test_no_form_of_a_report_or_of_the_graph_names_what_is_redacted(
    kept, typed, monkeypatch
):
    monkeypatch.chdir(kept)
    assert typed("redact", "Picasso").code == 0
    files = ("report -o r.html", "report -o r.md", "report -o r.json")
    graphs = ("graph -o g.svg", "graph -o g.graphml", "graph -o g.json")

    for words in (*files, *graphs, "checkout HEAD~2 -o out"):
        more = ("--pictures", "0") if words in files else ()
        done = typed(*words.split(), *more)
        assert done.code == 0, (words, done.err)

    written = [*kept.glob("?.*"), *(kept / "out").glob("*.md")]
    assert len(written) >= 7
    named = [
        path.name
        for path in written
        if "picasso" in path.read_text(encoding="utf-8").casefold()
    ]
    assert named == []
