"""Two models side by side, pictures painted elsewhere, and UnlearnCanvas's table."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.tiny import build_pipeline, rebuild_unet
from unlearnlog.concepts.canvas_prompts import canvas_cells, canvas_prompt
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.core.probe_case import Answer
from unlearnlog.probes.canvas_table import canvas_row
from unlearnlog.probes.statistics import unpaired_jackknife

CONCEPTS = """
[concepts.Picasso]
kind = "style"
[concepts."Van Gogh"]
kind = "style"
[concepts.cat]
kind = "subject"
[concepts.dog]
kind = "subject"
"""
RULES = """
name = "one"
judge = "base"
eraser = { name = "uce" }
[sampling]
steps = 1
guidance = 1.0
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
earlier = 1
information = 0
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "concepts.toml").write_text(CONCEPTS)
    (tmp_path / "one.toml").write_text(RULES)
    return tmp_path


def picture(path, shade=128, side=64):
    pixels = np.full((side, side, 3), shade, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def rows_of(path):
    return [*csv.DictReader(path.read_text().splitlines())]


def test_the_table_has_the_accuracies_of_a_model_that_lost_one_style():
    world = ConceptSet.of(
        {
            "concepts": {
                **{name: {"kind": "style"} for name in ("A", "B", "C")},
                **{name: {"kind": "subject"} for name in ("cat", "dog")},
            }
        },
        "here",
    )
    cells = canvas_cells(world)
    seen = [
        (c, Answer(c.subject, "B" if c.style == "A" and c.seed != 188 else c.style))
        for c in cells
    ]

    row = canvas_row(seen, "A", "style")

    assert len(cells) == 3 * 2 * 5
    assert row.ua.value == pytest.approx(0.8)
    assert row.ua.n == 10
    assert (row.ira.value, row.cra.value, row.ira.n) == (1.0, 1.0, 20)
    assert row.ira.low < 1
    assert dict(row.accuracy) == pytest.approx(
        {"A": 0.2, "B": 1, "C": 1, "cat": 1, "dog": 1}
    )
    assert row.cells()["domain"] == "style"
    assert canvas_prompt("Cats", "Van Gogh") == "A Cats image in Van Gogh style."


def test_pictures_are_found_by_case_and_judged_without_a_model(typed, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("7_0.png", "7_1.png", "9.jpg", "other.png"):
        picture(folder / name)
    (tmp_path / "p.csv").write_text(
        "case_number,prompt,artist\n7,a cat by Monet,Monet\n9,a dog,\n"
    )

    done = typed(
        *("probe", "--images", str(folder), "--prompts", "p.csv"),
        *("--judge", "atelier", "-o", "rows.csv", "--json"),
    )

    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["pictures"] == 3
    assert [(r["concept"], r["n"], r["base"]) for r in told["readings"]] == [
        ("Monet", 2, None)
    ]
    names = [row["file_name"] for row in rows_of(tmp_path / "rows.csv")]
    assert names == ["7_0.png", "7_1.png", "9.jpg"]


def test_pictures_are_found_by_a_column_and_by_their_number(typed, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("0.png", "1.png"):
        picture(folder / name)
    (tmp_path / "named.csv").write_text("file_name,prompt\n1.png,a cat\n")
    (tmp_path / "lines.txt").write_text("a cat\na dog\n")
    words = ("--judge", "atelier", "--concept", "Monet", "--json")

    named = typed("probe", "--images", "out", "--prompts", "named.csv", *words)
    counted = typed("probe", "--images", "out", "--prompts", "lines.txt", *words)

    assert json.loads(named.out)["pictures"] == 1
    assert json.loads(counted.out)["pictures"] == 2


def test_unlearncanvas_files_need_no_table(typed, here):
    folder = here / "out"
    folder.mkdir()
    for style in ("Picasso", "Van_Gogh"):
        for subject in ("cat", "dog"):
            picture(folder / f"{style}_{subject}_seed188.jpg")

    done = typed(
        *("probe", "--images", "out", "--concepts", "concepts.toml"),
        *("--judge", "atelier", "--concept", "Van Gogh", "-o", "t.csv", "--json"),
    )

    assert done.code == 0, done.err
    (row,) = rows_of(here / "t.csv")
    assert (row["unlearned"], row["domain"], row["UA_n"]) == ("Van_Gogh", "style", "2")
    assert {"acc_Picasso", "acc_Van_Gogh", "acc_cat", "acc_dog"} <= {*row}
    assert [r["probe"] for r in json.loads(done.out)["readings"]] == [
        "ua",
        "ira",
        "cra",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images", "no"), "there is no folder 'no'"),
        (("--images", "out"), "the judge 'auto' needs a model"),
        (("--images", "out", "--judge", "base"), "the judge 'base' needs a model"),
        (("--images", "out", "--judge", "atelier"), "says what it is of"),
        (
            ("--images", "out", "--judge", "atelier", "--prompts", "p.csv"),
            "no picture in 'out' is of a row of 'p.csv'",
        ),
        (("--reference", "x"), "--reference x would do nothing without --images"),
        (("--inception", "x"), "--inception x would do nothing without --images"),
        (
            (
                *("--images", "out", "--judge", "atelier", "--prompts", "q.csv"),
                *("--reference", "out"),
            ),
            "1 pictures in 'out' and 1 in 'out' are too few for a distance",
        ),
        (
            ("--images", "out", "--judge", "atelier", "--inception", "x"),
            "--inception x would do nothing without --reference",
        ),
    ],
)
def test_pictures_that_cannot_be_judged_are_told(typed, tmp_path, words, said):
    (tmp_path / "out").mkdir()
    picture(tmp_path / "out" / "a.png")
    (tmp_path / "p.csv").write_text("case_number,prompt\n7,a cat\n")
    (tmp_path / "q.csv").write_text("file_name,prompt\na.png,a cat\n")

    done = typed("probe", *words)

    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tier", "0"), "--tier 0"),
        (("base",), "the revision base"),
        (("--fresh",), "--fresh"),
        (("--policy", "default"), "--policy default"),
        (("--device", "cpu"), "--device cpu"),
        (("--dtype", "float32"), "--dtype float32"),
        (("--offload",), "--offload"),
        (("--workers", "2"), "--workers 2"),
        (("--base", "model"), "--base model"),
        (("--ledger", "there"), "--ledger there"),
    ],
)
def test_what_needs_a_model_is_refused_beside_pictures(typed, words, said):
    done = typed("probe", *words, "--images", "out", "--judge", "atelier")

    assert done.code == 2
    assert f"{said} would do nothing beside --images" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "other"), "there is no folder 'nowhere'"),
        (("atelier", "nowhere"), "there is no 'nowhere'"),
        (("atelier", ".", "--concept", "Pikasso"), "'Pikasso'"),
        (("atelier", ".", "--rows", "3"), "--rows 3 would do nothing"),
        (("atelier", ".", "--kind", "style"), "--kind style would do nothing"),
    ],
)
def test_what_cannot_be_compared_is_told_before_any_work(typed, words, said):
    done = typed("compare", *words)

    assert done.code == 2
    assert said in done.err


def test_two_sets_of_rows_vary_by_themselves():
    one, other = np.arange(64.0), np.zeros(32)

    found = unpaired_jackknife(
        lambda a, b: float(one[a].mean() - other[b].mean()), 64, 32
    )

    assert found.value == pytest.approx(31.5)
    assert found.low < 31.5 < found.high
    assert found.n == 32


@pytest.mark.slow
def test_a_model_is_measured_beside_another_one_without_a_ledger(typed, here):
    build_pipeline(here / "a")
    build_pipeline(here / "b")
    words = ("--policy", "one.toml", "--concepts", "concepts.toml", "--json")

    same = typed("compare", "a", "b", "--concept", "Picasso", *words)
    whole = typed("compare", "a", "b", *words)
    rebuild_unet(here / "b")
    another = typed("compare", "a", "b", *words)

    assert same.code == 0, same.err
    readings = json.loads(same.out)["readings"]
    assert {"ua", "ira", "cra", "presence"} <= {r["probe"] for r in readings}
    assert all(r["value"] == r["base"] for r in readings if r["probe"] == "ua")
    moved = [r for r in json.loads(whole.out)["readings"] if r["probe"] == "moved"]
    assert len(moved) == 4
    assert all(r["value"] == 0 for r in moved)
    assert another.code == 7
    assert not (here / ".unlearnlog").exists()


@pytest.mark.slow
def test_the_table_of_each_concept_erased_alone(typed, here):
    build_pipeline(here / "model")
    typed("init", "--model", "model")
    words = ("--policy", "one.toml", "--concepts", "concepts.toml", "--json")

    nothing = typed("canvas", *words)
    done = typed("canvas", "--each", "-o", "t.csv", *words)

    assert nothing.code == 2
    assert "nothing is erased at 'HEAD'" in nothing.err or "nothing" in nothing.out
    assert done.code == 0, done.err
    assert json.loads(done.out)["pictures"] == 2 * 2 * 5
    rows = rows_of(here / "t.csv")
    assert [row["unlearned"] for row in rows] == ["Picasso", "Van_Gogh", "cat", "dog"]
    assert [row["domain"] for row in rows] == ["style", "style", "class", "class"]


def test_the_general_concepts_are_enough_for_the_benchmark():
    world = ConceptSet.read(GENERAL)

    assert len(canvas_cells(world)) == 5 * len(world.styles) * len(world.subjects)


@pytest.mark.parametrize(
    ("folder", "said"), [("nowhere", "no folder 'nowhere'"), ("out", "are too few")]
)
def test_a_reference_is_checked_before_any_picture_is_read(
    typed, tmp_path, monkeypatch, folder, said
):
    (tmp_path / "out").mkdir()
    picture(tmp_path / "out" / "a.png")
    (tmp_path / "q.csv").write_text("file_name,prompt\na.png,a cat\n")
    monkeypatch.setattr("unlearnlog.commands.judged_images.read_pictures", None)

    done = typed(
        *("probe", "--images", "out", "--judge", "atelier", "--prompts", "q.csv"),
        *("--reference", folder),
    )

    assert done.code == 2
    assert said in done.err
