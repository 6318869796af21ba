"""The cells of the fine-tunes: which there are, and when one is out of date."""

from dataclasses import replace
from pathlib import Path

from benchmarks.audit import DATA, METHODS, SEEDS, SUITE, cells, made_of
from benchmarks.erasures import CONCEPTS, ENTRANTS

DOCUMENT = Path(__file__).parent.parent / "docs" / "AUDIT.md"


def test_every_eraser_meets_every_fine_tune_once():
    found = list(cells())

    n = len(ENTRANTS) * len(CONCEPTS) * len(DATA) * len(METHODS) * len(SEEDS)
    assert len(found) == len({cell.name for cell in found}) == n
    assert found[0].name == "hardened-picasso-unrelated-full-1"


def test_a_cell_is_made_of_its_weights_its_eraser_and_what_is_done_to_it():
    first = next(cells())

    def written(**other):
        return made_of(replace(first, **other)).written(lambda it: it.name)

    assert written() == written()
    assert written()["seed"] != written(seed=2)["seed"]
    assert written()["settings"] != written(eraser="mim")["settings"]
    assert written()["weights"] == written(eraser="mim")["weights"]
    assert written()["computed"] == {
        "eraser": "eraser hardened",
        "fine-tune": "fine-tune full on unrelated",
    }


def measured():
    """Each fine-tune of the table: its cell, and what was seen of the concept."""
    for cell in SUITE.cells().values():
        for course in cell["courses"]:
            (curve,) = course["concepts"]
            yield cell, curve


def said_in_the_document(sentence):
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    return sentence in text


def test_all_that_the_document_promises_is_measured():
    names = {cell.name for cell in cells() if cell.eraser != "ridge"}
    names |= {
        cell.name
        for cell in cells()
        if (cell.eraser, cell.data, cell.method) == ("ridge", "target:5", "full")
    }

    assert names <= SUITE.cells().keys()
    assert said_in_the_document("144 fine-tunes, and of `ridge`")


def test_what_the_document_says_of_other_pictures_stands_in_the_cells():
    found = [
        curve
        for cell, curve in measured()
        if cell["eraser"] in ("hardened", "mim") and cell["data"] in DATA[:2]
    ]
    ends = "".join(curve["looks"][-1]["shown"] for curve in found)

    assert "1" not in ends
    assert said_in_the_document(f"in {len(found)} fine-tunes of 500 steps")
    assert said_in_the_document(f"not one of {len(ends):,} pictures shows it")


def test_what_the_document_says_of_five_pictures_stands_in_the_cells():
    found = [curve for cell, curve in measured() if cell["data"] == DATA[2]]
    soon = [curve for curve in found if curve["returned"] and curve["steps"] == 25]

    assert all(curve["returned"] for curve in found)
    assert said_in_the_document(
        f"in each of {len(found)} fine-tunes, by whichever eraser it was erased"
    )
    assert said_in_the_document(f"in {len(soon)} by the first look")


def test_what_the_document_says_of_hardening_stands_in_the_cells():
    shown: dict[tuple[str, str], list[float]] = {}
    for cell, curve in measured():
        if (cell["data"], cell["method"]) == (DATA[2], "full"):
            value = curve["looks"][1]["presence"]["value"]
            shown.setdefault((cell["eraser"], cell["concept"]), []).append(
                round(value, 2)
            )
    for concept in CONCEPTS:
        late, soon = (shown[eraser, concept] for eraser in ("hardened", "ridge"))
        assert len(late) == len(soon) == len(SEEDS)
        assert all(a < b for a, b in zip(late, soon, strict=True))

    assert shown["hardened", "Picasso"] == [0.09, 0.22, 0.53]
    assert said_in_the_document(".09, .22 and .53 of Picasso against .34, 1.00 and .97")
    assert shown["ridge", "Picasso"] == [0.34, 1.0, 0.97]
    assert shown["hardened", "cat"] == [0.21, 0.12, 0.09]
    assert shown["ridge", "cat"] == [0.35, 0.24, 0.29]
    assert said_in_the_document(".21, .12 and .09 of the cat against .35, .24 and .29")
