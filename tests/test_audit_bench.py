"""The cells of the fine-tunes: which there are, and when one is out of date."""

from dataclasses import replace
from pathlib import Path

from benchmarks.audit import DATA, METHODS, SEEDS, SUITE, cells, made_of
from benchmarks.erasures import CONCEPTS, ENTRANTS

DOCS = Path(__file__).parent.parent / "docs"


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


def is_said(sentence, page="AUDIT.md"):
    return sentence in " ".join((DOCS / page).read_text(encoding="utf-8").split())


def test_all_that_the_document_promises_is_measured():
    others = {cell.name for cell in cells() if cell.eraser != "ridge"}
    of_ridge = {
        cell.name
        for cell in cells()
        if (cell.eraser, cell.data, cell.method) == ("ridge", "target:5", "full")
    }

    assert others | of_ridge <= SUITE.cells().keys()
    assert is_said(f"{len(others)} fine-tunes, and of `ridge`")


def test_what_the_documents_say_of_other_pictures_stands_in_the_cells():
    found = [
        curve
        for cell, curve in measured()
        if cell["eraser"] in ("hardened", "mim") and cell["data"] in DATA[:2]
    ]
    ends = "".join(curve["looks"][-1]["shown"] for curve in found)

    assert "1" not in ends
    assert is_said(f"in {len(found)} fine-tunes of 500 steps")
    for page in ("AUDIT.md", "index.md"):
        assert is_said(f"not one of {len(ends):,} pictures show", page)


def test_what_the_documents_say_of_five_pictures_stands_in_the_cells():
    found = [curve for cell, curve in measured() if cell["data"] == DATA[2]]
    soon = [curve for curve in found if curve["returned"] and curve["steps"] == 25]

    assert all(curve["returned"] for curve in found)
    for page in ("AUDIT.md", "index.md"):
        assert is_said(f"back in each of {len(found)} fine-tunes, by whichever", page)
    assert is_said(f"in {len(soon)} by the first look")


def listed(values):
    """Return shares as the prose lists them: .09, .22 and 1.00."""
    *most, last = (f"{value:.2f}".removeprefix("0") for value in values)
    return f"{', '.join(most)} and {last}"


def test_what_the_document_says_of_hardening_stands_in_the_cells():
    shown: dict[tuple[str, str], list[float]] = {}
    for cell, curve in measured():
        if (cell["data"], cell["method"]) == (DATA[2], "full"):
            value = curve["looks"][1]["presence"]["value"]
            shown.setdefault((cell["eraser"], cell["concept"]), []).append(value)

    for concept, of_it in (("Picasso", "Picasso"), ("cat", "the cat")):
        late, soon = (shown[eraser, concept] for eraser in ("hardened", "ridge"))
        assert len(late) == len(soon) == len(SEEDS)
        assert all(a < b for a, b in zip(late, soon, strict=True))
        assert is_said(f"{listed(late)} of {of_it} against {listed(soon)}")
