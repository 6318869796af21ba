"""The cells of the fine-tunes: which there are, and when one is out of date."""

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.audit import DATA, FOLDER, METHODS, SEEDS, cells, made_of
from benchmarks.erasures import CONCEPTS, ENTRANTS

DOCUMENT = Path(__file__).parent.parent / "docs" / "AUDIT.md"


def test_every_eraser_meets_every_fine_tune_once():
    found = list(cells())

    n = len(ENTRANTS) * len(CONCEPTS) * len(DATA) * len(METHODS) * len(SEEDS)
    assert len(found) == len({cell.name for cell in found}) == n
    assert found[0].name == "hardened-picasso-unrelated-full-1"


def test_a_cell_is_made_of_its_weights_its_eraser_and_what_is_done_to_it():
    first = next(cells())

    assert made_of(first) == made_of(replace(first))
    assert made_of(first)["code"] != made_of(replace(first, seed=2))["code"]
    assert made_of(first)["eraser"] != made_of(replace(first, eraser="mim"))["eraser"]
    assert made_of(first)["weights"] == made_of(replace(first, eraser="mim"))["weights"]


def test_what_the_document_says_of_hardening_stands_in_the_cells():
    text = DOCUMENT.read_text(encoding="utf-8").partition("## Hardening")[2]
    text = text.partition("## Attacks")[0]
    rows = [line[1:-1].split("|") for line in text.splitlines() if line[:1] == "|"]
    found = set()
    for what, concept, seed, _, *said in (map(str.strip, row) for row in rows):
        if not said[-1].startswith(("0", "1", ".")):
            continue  # an erasure of its own, which left no file
        eraser = "ridge" if what == "nothing" else "hardened"
        name = f"{eraser}-{concept.lower()}-target-5-full-{seed}"
        data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        (curve,) = data["courses"][0]["concepts"]
        shown = [look["presence"]["value"] for look in curve["looks"][1:5]]
        assert all(
            abs(float(a) - b) <= 0.0051 for a, b in zip(said, shown, strict=True)
        )
        found.add(name)

    assert len(found) == 4
