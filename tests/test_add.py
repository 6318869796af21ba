"""``add`` beyond the plain case: batches, other judges, policies that cannot decide."""

from __future__ import annotations

import time

import pytest

from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.commands.session_opening import bundled_model
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.erasers.mim import Mim

SMALL = """
name = "small"
judge = "auto"
[eraser]
{eraser}
{painting}
[probes]
erased = 1
renamed = {aside}
family = 0
alike = {aside}
kept = 1
kept_share = 0.1
information = {nats}
"""

IN_ONE_STEP = """[sampling]
steps = 1
guidance = 1.0
[require]
base_presence = 0.0"""
"""Pictures that show little: enough where nothing is asked of what they show."""

REALLY = """[sampling]
steps = 10
guidance = 3.0"""

TRAINED = """name = "mim"
n_pictures = 18
n_family = 4
max_steps = 8
check_every = 4"""


@pytest.fixture
def small(tmp_path):
    """Write a policy and give its path."""

    def write(*limits, eraser='name = "ridge"', painting=IN_ONE_STEP, nats=0, aside=0):
        path = tmp_path / "small.toml"
        text = SMALL.format(eraser=eraser, painting=painting, nats=nats, aside=aside)
        path.write_text(text + "".join(f"[[limits]]\n{limit}\n" for limit in limits))
        return str(path)

    return write


def test_several_names_are_a_batch_only_when_somebody_says_so(typed, tmp_path):
    done = typed("add", "Picasso", "Klimt")

    assert done.code == 2
    assert "2 concepts, but not --batch" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_batch_is_one_entry_with_readings_of_each_concept(typed, small):
    done = typed(
        "add", "Picasso", "cat", "--batch", "--policy", small(nats=1, aside=1), "--json"
    ).json()

    assert [c["name"] for c in done["concepts"]] == ["Picasso", "cat"]
    found = {(r["probe"], r["concept"]): r for r in done["readings"]}
    for probe in ("ua", "ua.alias", "lands.anchor", "self-mi", "bound-mi", "presence"):
        assert {(probe, "Picasso"), (probe, "cat")} <= found.keys()
    assert found["ua", "Picasso"]["n"] == 15  # nobody asks for Picasso's cat
    assert found["ua", "cat"]["n"] == 16
    assert found["presence", "Monet"]["n"] <= 2  # a tenth of its cells
    assert [e["id"] for e in typed("log", "--json").json()] == [done["id"]]
    again = typed("add", "cat", "--policy", small())
    assert again.code == 2
    assert "'cat' is erased already" in again.err


def test_a_concept_cannot_be_named_twice(typed, small):
    done = typed("add", "cat", "feline", "--batch", "--policy", small())

    assert done.code == 2
    assert "'cat' is named twice" in done.err


def test_a_strange_name_is_tried_and_found_not_to_be_painted(typed, small):
    policy = small(painting=REALLY)

    done = typed("add", "Banksy", "--kind", "style", "--policy", policy)

    assert done.code == 2
    assert "the base paints 'Banksy' in 0 %" in done.err


def test_without_a_judge_what_asks_for_pictures_is_recorded_only_when_accepted(
    typed, small, tmp_path
):
    """Nats are read all the same, and a limit on them is decided."""
    limits = (
        'reading = "ua"\nat_least = 0.5',
        'reading = "bound-mi"\nat_most = 0.9\nof_base = true',
    )
    words = ("add", "Picasso", "--policy", small(*limits, nats=1), "--judge", "none")

    done = typed(*words)

    assert done.code == 3
    assert "cannot decide it: there is no reading of ua" in done.err
    assert "--accept-undecided" in done.err
    assert not (tmp_path / ".unlearnlog").exists()
    row = typed(*words, "--accept-undecided", "--json").json()
    assert row["verdict"] == {
        "passed": False,
        "accepted": True,
        "failures": [],
        "undecided": ["there is no reading of ua"],
    }
    assert {r["probe"] for r in row["readings"]} == {
        "self-mi",
        "self-mi.two-loss",
        "self-mi.gap",
        "gain",
        "shift",
        "judge-mi",
        "bound-mi",
        "drift",
    }


@pytest.mark.slow
def test_a_screen_that_fails_is_looked_at_again_before_it_decides(typed, small):
    """16 pictures show Braque in a third; 96 show him in half of them."""
    limit = 'reading = "alike"\nat_least = 0.4\n'
    policy = small(limit, painting=REALLY, aside=1)
    weak = ("--eraser", "scapre", "--set", "preset=official")

    done = typed("add", "Picasso", *weak, "--policy", policy, "--json")

    assert done.code == 0, done.err
    readings = {r["probe"]: r["n"] for r in done.json()["readings"]}
    assert readings["alike"] >= 92
    assert readings["ua"] == 16  # nothing speaks against it


def test_a_judge_is_named_on_the_command_line(typed, small):
    done = typed("add", "Picasso", "--policy", small(), "--judge", "nobody-here")

    assert done.code == 2
    assert "no folder with a CLIP model" in done.err


def test_a_dry_run_says_what_it_would_cost_and_does_nothing(typed, small, tmp_path):
    done = typed(
        "add", "Picasso", "--dry-run", "--policy", small(eraser=TRAINED), "--json"
    )

    found = done.json()
    assert found["forget"] == 18 + 4
    assert found["steps"] == 8
    assert found["looked"] >= 16 + 20
    assert found["seconds"] > 0
    assert found["peak_bytes"] > 50_000_000
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_dry_run_counts_the_time_of_whoever_judges(typed, small, monkeypatch):
    words = "add", "Picasso", "--dry-run", "--policy", small(), "--json"
    soon = typed(*words).json()

    def slowly(_, painted):
        time.sleep(0.5 * len(painted.latents))
        return [Answer(REJECT, REJECT)] * len(painted.latents)

    monkeypatch.setattr(AtelierJudge, "judged", slowly)
    late = typed(*words).json()

    assert late["judged"] == soon["judged"]
    assert late["seconds"] - soon["seconds"] > 0.4 * late["judged"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dtype", "float8"], "unknown dtype 'float8'"),
        (["--device", "moon"], "unknown device 'moon'"),
        (["--eraser", "mimm"], "did you mean 'mim'?"),
        (["--target", "moon"], "ridge has no target 'moon'"),
        (["--concepts", "none.toml"], "none.toml' cannot be read"),
    ],
)
def test_a_wrong_word_is_refused_before_any_work(typed, tmp_path, words, said):
    done = typed("add", "Picasso", *words)

    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / ".unlearnlog").exists()


@pytest.fixture
def own_model():
    """Let the bundled model be loaded anew, and nobody else get it."""
    bundled_model.cache_clear()
    yield
    bundled_model.cache_clear()


@pytest.mark.usefixtures("own_model")
def test_memory_that_runs_short_is_saved_before_anybody_is_told(
    typed, small, monkeypatch
):
    tried = []

    def short(_, request):
        tried.append(request.model._parts.attention.one_by_one)
        raise MemoryError

    monkeypatch.setattr(Mim, "erase", short)
    done = typed("add", "Picasso", "--policy", small(eraser=TRAINED))

    assert tried == [False, False, True]
    assert done.code == 1
    assert "not enough memory on cpu" in done.err
    assert "lower the eraser's batch" in done.err


def test_a_free_prompt_is_erased_and_recorded_with_its_context(typed, small):
    """The policy asks for no nats here, and none are read."""
    prompt = "a  bull in grey => a grey picture"

    done = typed(
        "add", "Picasso", "--policy", small(), "--prompt", prompt, "--json"
    ).json()

    assert "ua" in {reading["probe"] for reading in done["readings"]}
    assert not {"drift", "self-mi"} & {reading["probe"] for reading in done["readings"]}
    (concept,) = done["concepts"]
    assert concept["prompts"] == [["a bull in grey", "a grey picture"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--prompt", "a bull in grey"),
            "a minotaur in a ruined city => a ruined city",
        ),
        (("--prompt", "a bull => a bull"), "the same without the concept"),
        (("cat", "--batch", "--alias", "Pablo"), "--concepts FILE"),
    ],
)
def test_what_nobody_could_carry_out_is_refused_with_an_example(
    typed, small, tmp_path, words, said
):
    done = typed("add", "Picasso", *words, "--policy", small())

    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / ".unlearnlog").exists()
