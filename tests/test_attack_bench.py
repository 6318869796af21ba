"""The cells of the attacks: which there are, and what each is bound to."""

import json

from benchmarks import erasures
from benchmarks.attacks import FOLDER, NOBODY, ORDER, Attempt, cells
from benchmarks.erasures import (
    CONCEPTS,
    ENTRANTS,
    RELEARNED,
    Erasure,
    LateErasure,
)
from unlearnlog.audits.attacks.attack_table import ATTACKS
from unlearnlog.core.progress import NoProgress


def test_every_attack_meets_every_erasure_once():
    found = list(cells(*CONCEPTS, *RELEARNED))

    n = len(ATTACKS) * (len(ENTRANTS) + 1) * (len(CONCEPTS) + len(RELEARNED))
    assert {*ORDER} == {*ATTACKS}
    assert len(found) == len({cell.name for cell in found}) == n


def test_what_was_learned_late_is_attacked_in_the_model_that_learned_it():
    kinds = {cell.concept: type(cell.erasure) for cell in cells(*CONCEPTS, *RELEARNED)}

    assert {kinds[name] for name in CONCEPTS} == {Erasure}
    assert {kinds[name] for name in RELEARNED} == {LateErasure}


def test_nobody_erased_what_is_attacked_for_the_upper_bound():
    assert Attempt("cat", NOBODY, "recovery").at(NoProgress()).head is None


def test_a_cell_is_bound_to_its_eraser_its_attack_and_its_twin(tmp_path, monkeypatch):
    monkeypatch.setattr(erasures, "TWIN", tmp_path)
    cell = Attempt("cat", "mim-unique", "prefix")
    others = (
        Attempt("cat", "mim", "prefix"),
        Attempt("cat", "mim-unique", "inversion"),
        Attempt("cat", NOBODY, "prefix"),
    )
    alone = cell.made_of()
    assert all(each.code != cell.code for each in others)

    unet = tmp_path / "unet"
    unet.mkdir()
    (unet / "diffusion_pytorch_model.safetensors").write_bytes(b"numbers")
    (tmp_path / "model_index.json").write_text("{}")

    assert {**cell.made_of(), "twin": ""} == {**alone, "twin": ""}
    assert "twin" not in alone
    assert cell.made_of()["twin"]


def test_what_is_stored_is_of_this_code():
    known = {cell.name: cell.code for cell in cells(*CONCEPTS, *RELEARNED)}
    stored = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["made_of"]["code"]
        for path in FOLDER.glob("*.json")
    }

    assert stored == {name: known.get(name) for name in stored}
