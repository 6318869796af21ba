"""The cells of the fine-tunes: which there are, and when one is out of date."""

from dataclasses import replace

from benchmarks.audit import DATA, METHODS, SEEDS, cells, made_of
from benchmarks.erasures import CONCEPTS, ENTRANTS


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
