"""`unlearnlog report` on the bundled model: real pictures, no training."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.histories import shown
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank, state_after, state_digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.ledger.repository import Repository

ONE_STEP = """
name = "one-step"
[eraser]
name = "ridge"
[sampling]
steps = 1
guidance = 1.0
"""
ERASED = (("Picasso", "style"), ("cat", "subject"))


@pytest.fixture
def folder(tmp_path: Path, erased_twice: Path) -> Path:
    """A copy of the ledger in the folder where commands are typed."""
    shutil.copytree(erased_twice, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def erased_twice(tmp_path_factory) -> Path:
    """Two erasures that nobody trained, with readings that nobody measured."""
    root: Path = tmp_path_factory.mktemp("ledger")
    made = open_session(root, may_create=True)
    ledger = Repository.init(root, made.manifest)
    base, deltas = made.model.base, []
    tensor = next(iter(base))
    for seed, (name, kind) in enumerate(ERASED):
        rng = torch.Generator().manual_seed(seed)
        left = torch.randn(base[tensor].shape[0], 1, generator=rng)
        right = torch.randn(1, base[tensor].shape[1], generator=rng)
        deltas.append(Delta({tensor: LowRank(left, right)}))
        after = state_digest(state_after(base, deltas), ledger.base.root)
        entry = Entry(
            parent=ledger.head,
            kind="erase",
            concepts=(Concept(name, kind),),
            eraser=EraserRecord(name="ridge"),
            seed=seed,
            policy="fast",
            changes=(Append(object=deltas[-1].digest),),
            delta=DeltaRecord(digest=deltas[-1].digest, n_bytes=deltas[-1].n_bytes),
            state=StateRecord(before=ledger.state_digest(ledger.head), after=after),
            readings=(shown(name, 3, erased=True), shown("Braque", 12, 16)),
            verdict=VerdictRecord(passed=True),
            seconds=1.0,
            made_with={"created": f"2026-01-0{seed + 1}T00:00:00+00:00"},
        )
        ledger.append(entry, deltas[-1])
    (root / "one-step.toml").write_text(ONE_STEP)
    return root


def test_a_report_is_one_file_with_pictures_of_both_models(folder, typed):
    done = typed(
        *("report", "-o", "r.html", "--policy", "one-step.toml", "--pictures", "1")
    )

    text = (folder / "r.html").read_text(encoding="utf-8")
    assert done.code == 0, done.err
    assert text.count('<img class="before"') == 6  # itself, look-alike, unrelated
    before, after = (
        text.split(f'<img class="{side}" src="')[1].split('"')[0]
        for side in ("before", "after")
    )
    assert before.startswith("data:image/png;base64,")
    assert before != after


def test_an_earlier_revision_is_reported_as_it_was(folder, typed):
    done = typed("report", "HEAD~1", "--pictures", "0", "--json")

    data = done.json()
    assert [step["began"] for step in data["steps"]] == [["Picasso"]]
    assert data["live"] == ["Picasso"]
    assert data["pairs"] == []
    assert data["revision"] == "HEAD~1"
    assert data["base"] == Repository.find(folder).base.root
    assert data["weakest"][1]["reading"]["concept"] == "Braque"


@pytest.mark.parametrize(
    ("name", "begins"),
    [("r.md", "# 2 concepts erased"), ("r.json", '{"model": "atelier"')],
)
def test_the_ending_of_a_file_says_what_it_is(folder, typed, name, begins):
    done = typed("report", "-o", name, "--pictures", "0")

    assert done.code == 0, done.err
    assert (folder / name).read_text(encoding="utf-8").startswith(begins)
    assert "Every limit of the policy" in done.out


@pytest.mark.usefixtures("folder")
def test_what_is_asked_for_by_name_goes_to_standard_output(typed):
    done = typed("report", "--format", "md", "--pictures", "0")

    assert done.out.startswith("# 2 concepts erased from atelier")
    assert "report.html" not in done.out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "add -o report.html"),
        (("-o", "report.pdf"), "give it the ending .html, .md or .json"),
        (("base", "-o", "r.html"), "unlearnlog log"),
        (("nothing", "-o", "r.html"), "nothing"),
        (("-o", "r.html", "--policy", "of-mine"), "there is no policy 'of-mine'"),
    ],
)
def test_what_cannot_be_reported_is_refused_with_a_way_out(words, says, typed):
    done = typed("report", "--pictures", "0", *words)

    assert done.code == 2
    assert says in done.err


def test_without_a_ledger_there_is_nothing_to_report(typed):
    done = typed("report", "-o", "r.html")

    assert done.code == 2
    assert "no ledger" in done.err


def test_python_gets_the_same_as_values(folder):
    from unlearnlog import Ledger as Opened

    found = Opened.open(folder).report("HEAD", pictures=0)

    assert found.last.live == ("Picasso", "cat")
