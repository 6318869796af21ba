"""The whole path on models that are not the bundled one: tiny and random."""

from __future__ import annotations

import pytest
from diffusers import DiffusionPipeline

from tests.policy_texts import ANY_BASE, Values, policy_text
from tests.tiny import build_pipeline

MIM: Values = {
    "name": "mim",
    "target": "context",
    "n_pictures": 20,
    "n_family": 4,
    "batch": 4,
    "max_steps": 2,
    "check_every": 1,
}


def policy(judge, nats):
    return policy_text(
        "tiny",
        MIM,
        judge=judge,
        sampling={"steps": 2, "guidance": 2.0},
        probes={"alike": 6, "information": nats},
        require=ANY_BASE,
    )


@pytest.mark.parametrize("family", ["1.5", "2.1", "xl"])
def test_a_model_is_erased_from_painted_and_taken_away(typed, tmp_path, family):
    prediction = "v_prediction" if family == "2.1" else "epsilon"
    model = build_pipeline(tmp_path / "model", prediction=prediction, family=family)
    (tmp_path / "tiny.toml").write_text(policy(judge="none", nats=1))
    assert typed("init", "--model", str(model)).code == 0

    done = typed("add", "Picasso", "--policy", "tiny.toml", "--json")
    row = done.json()
    painted = typed("paint", "a cat", "--at", "base", "--at", "HEAD", "-o", "a.png")
    taken = typed("checkout", "HEAD", "-o", str(tmp_path / "out"))

    assert row["created"] is False
    assert {r["probe"] for r in row["readings"]} >= {"bound-mi", "drift"}
    assert painted.code == 0, painted.err
    assert taken.code == 0, taken.err
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "out")
    assert type(pipeline).__name__.startswith("StableDiffusion")
    log = typed("log", "--json").json()
    assert [entry["id"] for entry in log] == [row["id"]]


def test_the_base_judges_a_model_that_brings_no_judge(typed, tmp_path):
    model = build_pipeline(tmp_path / "model")
    concepts = "\n".join(
        f'[concepts.{name}]\nkind = "{kind}"'
        for name, kind in (
            ("Picasso", "style"),
            ("Monet", "style"),
            ("cat", "subject"),
            ("dog", "subject"),
        )
    )
    (tmp_path / "mine.toml").write_text(concepts)
    (tmp_path / "tiny.toml").write_text(policy(judge="auto", nats=0))
    typed("init", "--model", str(model))

    words = ["--policy", "tiny.toml", "--concepts", "mine.toml", "--json"]
    row = typed("add", "Picasso", *words).json()

    found = {(r["probe"], r["concept"]): r for r in row["readings"]}
    assert found["ua", "Picasso"]["n"] == 2
    assert {"ira", "cra", "presence", "lands.subject"} <= {p for p, _ in found}
    assert ("presence", "Monet") in found


def test_a_model_the_bundled_judge_does_not_know_is_not_judged_by_it(typed, tmp_path):
    typed("init", "--model", str(build_pipeline(tmp_path / "model")))

    done = typed("add", "Picasso", "--judge", "atelier")

    assert done.code == 2
    assert (
        "the judge 'atelier' judges pictures of the bundled model's size only"
        in done.err
    )
