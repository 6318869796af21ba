"""The cells of the attacks: which there are, and what each is bound to."""

from benchmarks import erasures
from benchmarks.attacks import ORDER, SUITE, UNERASED, Attempt, cells
from benchmarks.erasures import (
    CONCEPTS,
    ENTRANTS,
    RELEARNED,
    Erasure,
    LateErasure,
)
from benchmarks.making import same_values
from benchmarks.witnesses import WITNESSES
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
    assert Attempt("cat", UNERASED, "recovery").at(NoProgress()).head is None


def written(cell):
    return cell.made_of().written(lambda it: it.name)


def test_a_cell_is_bound_to_its_eraser_its_attack_and_its_twin(tmp_path, monkeypatch):
    monkeypatch.setattr(erasures, "TWIN", tmp_path)
    cell = Attempt("cat", "mim-unique", "prefix")
    others = (
        Attempt("cat", "mim", "prefix"),
        Attempt("cat", "mim-unique", "inversion"),
        Attempt("cat", UNERASED, "prefix"),
    )
    alone = written(cell)
    assert all(written(each)["computed"] != alone["computed"] for each in others)

    unet = tmp_path / "unet"
    unet.mkdir()
    (unet / "diffusion_pytorch_model.safetensors").write_bytes(b"numbers")
    (tmp_path / "model_index.json").write_text("{}")

    assert {**written(cell), "twin": ""} == alone
    assert written(cell)["twin"]


def test_what_is_stored_is_of_what_is_computed_today():
    known = {each.name: each for each in cells(*CONCEPTS)}
    stored = {n: cell for n, cell in SUITE.cells().items() if n in known}

    assert stored
    for name, cell in stored.items():
        today = known[name].made_of()
        assert same_values(cell["made_of"], today.written(WITNESSES.digest)), name
