"""``probe``, ``graph`` and ``drift`` on a small ledger that really erased something."""

from __future__ import annotations

import json
import shutil
import warnings
import xml.etree.ElementTree as ET
from io import BytesIO

import pytest
from PIL import Image

from tests.policy_texts import ANY_BASE, policy_text
from unlearnlog.api import Ledger
from unlearnlog.commands import add
from unlearnlog.commands.graph import similarities
from unlearnlog.commands.session_opening import open_session
from unlearnlog.errors import UsageError
from unlearnlog.ledger.user_key import _key_in
from unlearnlog.policy import Policy

SMALL = policy_text(
    "small",
    "ridge",
    sampling={"steps": 2, "guidance": 1.0},
    probes={"earlier": 1, "nodes": 1},
    require=ANY_BASE,
)
"""Pictures that show little, for what does not depend on it."""

REAL = SMALL.replace("steps = 2\nguidance = 1.0", "steps = 10\nguidance = 3.0")
REAL = REAL.replace("information = 0", "information = 1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder whose ledger erased Picasso and then Monet, and its policy."""
    folder = tmp_path_factory.mktemp("looked")
    (folder / "small.toml").write_text(SMALL)
    policy = Policy.load(str(folder / "small.toml"))
    for name in ("Picasso", "Monet"):  # the first one finds no ledger, and makes it
        here = open_session(folder, may_create=True)
        add.add(here, add.AddRequest((here.world.concept(name),), policy))
    return folder


@pytest.fixture
def at(made):
    return ("--ledger", str(made), "--policy", str(made / "small.toml"), "--json")


def of(data, probe):
    return {r["concept"]: r for r in data["readings"] if r["probe"] == probe}


def entries(made):
    return Ledger.open(made).entries()


def test_the_first_tier_says_of_every_concept_how_far_it_moved(typed, at):
    data = typed("probe", "--tier", "0", *at).json()

    moved = of(data, "moved")
    assert len(moved) == 32
    assert {r["probe"] for r in data["readings"]} == {"moved"}
    assert moved["Picasso"]["value"] > 2 * moved["Klimt"]["value"]
    assert all(r["n"] >= 1 for r in moved.values())


def test_the_second_tier_reads_what_the_entry_read(typed, at, made):
    data = typed("probe", "--tier", "1", *at).json()
    recorded = {
        r.concept: r.value
        for r in entries(made)[-1].readings
        if r.probe == "moved.nats"
    }

    found = {name: r["value"] for name, r in of(data, "moved.nats").items()}
    assert found == pytest.approx(recorded, rel=1e-4)
    assert of(data, "tiers.0-1")["(kept)"]["n"] == 30


def test_nothing_is_painted_twice(typed, at):
    typed("probe", *at)
    again = typed("probe", *at)

    assert "looking" not in again.err
    assert "painting" not in again.err
    assert {"Picasso", "Monet", "Klimt"} <= of(again.json(), "presence").keys()


def test_a_damaged_cache_is_said_to_be_and_looked_at_again(typed, at, made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    here = ("--ledger", str(tmp_path / "copy"), *at[2:])
    first = typed("probe", *here).json()
    for page in (tmp_path / "copy" / ".unlearnlog" / "cache" / "seen").iterdir():
        page.write_bytes(page.read_bytes()[:-5])

    with warnings.catch_warnings(action="default"):  # as on a command line
        again = typed("probe", *here)

    assert "is damaged and is made again: seen/" in again.err
    assert of(again.json(), "presence") == of(first, "presence")
    assert typed("fsck", "--ledger", str(tmp_path / "copy")).code == 0


@pytest.fixture
def copied(made, tmp_path):
    """A ledger of one's own, with readings in its cache."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_check_of_all_reads_the_cache_and_sweeps_what_is_damaged(typed, at, copied):
    """A flipped bit in a cached encoding was recorded as a delta; fsck said sound."""
    here = ("--ledger", str(copied))
    typed("probe", *here, *at[2:])
    pages = [*(copied / ".unlearnlog" / "cache" / "seen").iterdir()]
    data = bytearray(pages[0].read_bytes())
    data[-9] ^= 1
    pages[0].write_bytes(data)

    with warnings.catch_warnings(action="default"):
        checked = typed("fsck", "--full", *here)
        again = typed("fsck", "--full", *here)

    assert checked.code == again.code == 0
    assert "1 cache files were damaged and are removed" in checked.err
    assert "damaged" not in again.err
    assert not pages[0].exists()


def test_readings_of_another_hand_are_computed_again(
    typed, at, copied, monkeypatch, tmp_path
):
    """Readings with a recomputed digest turned a refusal into a recorded 1.000."""
    here = ("--ledger", str(copied), *at[2:])
    first = typed("probe", *here).json()
    _key_in.cache_clear()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "somebody-else"))

    with warnings.catch_warnings(action="default"):
        again = typed("probe", *here)

    _key_in.cache_clear()
    assert "was computed elsewhere and is made again" in again.err
    assert "painting" in again.err
    assert again.json() == first


def test_fresh_paints_and_judges_all_again(typed, at, copied):
    here = ("--ledger", str(copied), *at[2:])
    first = typed("probe", *here)

    again = typed("probe", "--fresh", *here)

    assert "painting" in again.err
    assert again.json() == first.json()


def test_one_concept_can_be_looked_at_closely(typed, made, tmp_path):
    (tmp_path / "real.toml").write_text(REAL)
    at = ("--ledger", str(made), "--policy", "real.toml", "--json")

    data = typed("probe", "--concept", "Picasso", "--concept", "Klimt", *at).json()

    assert of(data, "ua")["Picasso"]["value"] > 0.9
    assert {"self-mi", "bound-mi"} <= {r["probe"] for r in data["readings"]}
    assert of(data, "presence")["Klimt"]["value"] > 0.8
    assert of(data, "moved").keys() == {"Picasso", "Klimt"}


def test_an_earlier_revision_is_looked_at_as_it_was(typed, at):
    before = typed("probe", "base", "--tier", "0", *at).json()
    first = typed("probe", "HEAD~1", "--tier", "0", *at).json()
    last = typed("probe", "HEAD", "--tier", "0", *at).json()

    assert {r["value"] for r in of(before, "moved").values()} == {0.0}
    assert (
        3 * of(first, "moved")["Monet"]["value"] < of(last, "moved")["Monet"]["value"]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("probe", "--tier", "7"), "there is no tier 7"),
        (("probe", "--concept", "Picaso"), "did you mean 'Picasso'?"),
        (("probe", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_looked_at_is_named(typed, made, words, said):
    done = typed(*words, "--ledger", str(made))

    assert done.code in (1, 2)
    assert said in done.err


def test_a_later_step_tells_whether_an_earlier_concept_came_back(made):
    last = entries(made)[-1]
    found = {(r.probe, r.concept): r for r in last.readings}

    assert found["resurgence", "Picasso"].value == 0
    assert found["resurgence.found", "(erased earlier)"].value == 0
    assert found["resurgence.found", "(erased earlier)"].n == 1
    assert found["damage.unrelated", "Monet"].n > 0
    assert found["damage.composition", "Monet"].unit == "difference"


def test_the_graph_shows_what_became_of_each_concept(typed, made):
    at = ("--ledger", str(made))

    shown = typed("graph", *at).out
    data = typed("graph", "--json", *at).json()

    assert "Picasso, ERASED" in shown
    assert "Haring, never shown to the model" in shown
    nodes = {node["id"]: node for node in data["nodes"]}
    assert nodes["Monet"]["status"] == "erased"
    assert nodes["Klimt"]["status"] == "kept"
    assert nodes["Klimt"]["moved_nats"] > 0
    types = {edge["type"] for edge in data["edges"]}
    assert {"parent", "sibling", "look-alike"} <= types


def test_the_graph_of_an_earlier_revision_is_as_it_was(typed, made):
    data = typed("graph", "--at", "HEAD~1", "--json", "--ledger", str(made)).json()

    nodes = {node["id"]: node for node in data["nodes"]}
    assert nodes["Picasso"]["status"] == "erased"
    assert nodes["Monet"]["status"] == "kept"


@pytest.mark.parametrize("form", ["svg", "png", "graphml", "json"])
def test_the_graph_is_written_in_every_form(typed, made, tmp_path, form):
    path = tmp_path / f"graph.{form}"

    done = typed("graph", "--ledger", str(made), "-o", str(path))

    assert done.code == 0
    data = path.read_bytes()
    if form == "png":
        assert Image.open(BytesIO(data)).size[0] > 1000
    elif form == "json":
        assert json.loads(data)["multigraph"] is True
    else:
        text = "".join(ET.fromstring(data).itertext())
        assert form == "graphml" or "impressionism" in data.decode() or text


def test_an_ending_nobody_knows_is_refused(typed, made, tmp_path):
    done = typed("graph", "--ledger", str(made), "-o", str(tmp_path / "graph.dot"))

    assert done.code == 2
    assert ".graphml" in done.err
    assert not (tmp_path / "graph.dot").exists()


def test_text_is_nearest_to_itself_and_symmetric(made):
    at = open_session(made)
    names = ("Monet", "Renoir", "Klimt")

    found = similarities(at.model, names)

    assert found.keys() == {
        ("Monet", "Renoir"),
        ("Monet", "Klimt"),
        ("Renoir", "Klimt"),
    }
    assert all(-1 <= cosine <= 1 for cosine in found.values())
    assert similarities(at.model, ("Monet",)) == {}


def test_drift_is_told_entry_by_entry(typed, made):
    at = ("--ledger", str(made))

    data = typed("drift", "--concept", "Klimt", "--json", *at).json()
    shown = typed("drift", *at).out

    assert len(data["entries"]) == len(data["concepts"]["Klimt"]) == 2
    assert all(each["unit"] == "nats" for each in data["concepts"]["Klimt"])
    assert "erase Picasso" in shown
    assert "28 more concepts" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reading", "ua"), "there is no drift of the reading 'ua'"),
        (("--concept", "Picaso"), "no entry has a moved.nats reading of 'Picaso'"),
    ],
)
def test_drift_of_nothing_is_an_error(typed, made, words, said):
    done = typed("drift", *words, "--ledger", str(made))

    assert done.code == 2
    assert said in done.err


def test_a_history_without_such_readings_says_how_to_get_them():
    from unlearnlog.commands.drift import followed

    with pytest.raises(UsageError, match=r"no entry up to here has a reading of moved"):
        followed([], "moved")
