"""What is refused of files, folders and names before anything is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unlearnlog.commands import checks
from unlearnlog.commands.checks import (
    check_apart,
    check_new_file,
    check_new_folder,
)
from unlearnlog.core import devices
from unlearnlog.core.concept import Concept
from unlearnlog.core.devices import check_device, check_dtype
from unlearnlog.errors import ConceptError, DeltaError, UsageError
from unlearnlog.models.weight_file_names import check_file
from unlearnlog.report.output_file import check_written

HOKUSAI = Concept("Hokusai", "style", ("the master of the wave",), anchor="photo")


@pytest.mark.parametrize("anchor", ["Hokusai", "hokusai", "The Master of the Wave"])
def test_a_concept_does_not_take_its_own_place(anchor):
    """`add Hokusai --anchor Hokusai` painted for minutes to change nothing, and was
    recorded as an erasure with --accept-undecided."""
    with pytest.raises(ConceptError, match="is the concept itself"):
        check_apart(replace(HOKUSAI, anchor=anchor))


def test_what_only_looks_like_a_concept_may_take_its_place():
    check_apart(HOKUSAI)
    check_apart(Concept("<cat>", "subject", anchor="cat"))
    check_apart(Concept("C#", "subject", anchor="C++"))
    with pytest.raises(ConceptError, match="the parent 'Hokusai'"):
        check_apart(replace(HOKUSAI, parent="Hokusai"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sheet.jpg", "give it one of these: .png"),
        ("sheet", "give it one of these: .png"),
        ("folder.png", "is a folder, not a file"),
        ("file.txt/sheet.png", "is no folder"),
    ],
)
def test_a_picture_has_a_place_to_go_to(tmp_path, name, message):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_text("")

    with pytest.raises(UsageError) as caught:
        check_written(tmp_path / name, (".png",))

    assert message in str(caught.value)


def test_what_may_be_written_is_left_alone(tmp_path):
    (tmp_path / "there.png").write_text("")

    check_written(None, (".png",))
    check_written(tmp_path / "there.png", (".png",))
    check_written(tmp_path / "new" / "folder" / "SHEET.PNG", (".png",))
    check_new_file(tmp_path / "new.safetensors", ".safetensors")
    check_new_folder(tmp_path / "new")

    assert [each.name for each in tmp_path.iterdir()] == ["there.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.bin", "give a name that ends with .safetensors"),
        ("there.safetensors", "remove it first"),
        ("none/a.safetensors", "mkdir -p"),
    ],
)
def test_a_new_file_is_new(tmp_path, name, message):
    (tmp_path / "there.safetensors").write_text("")

    with pytest.raises(UsageError) as caught:
        check_new_file(tmp_path / name, ".safetensors")

    assert message in str(caught.value)


def test_a_new_folder_is_new_or_empty_where_that_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")

    check_new_folder(tmp_path / "empty", may_be_empty=True)
    for name, empty in (("empty", False), ("full", True), ("none/new", False)):
        with pytest.raises(UsageError):
            check_new_folder(tmp_path / name, may_be_empty=empty)


def test_a_folder_is_not_taken_for_a_pickle(tmp_path):
    """`import FOLDER` was told that pickles can run code."""
    with pytest.raises(DeltaError) as caught:
        check_file(tmp_path)
    (tmp_path / "lora.safetensors").write_text("")
    with pytest.raises(DeltaError) as again:
        check_file(tmp_path)

    assert "is a folder" in caught.value.message
    assert "pickle" not in str(caught.value)
    assert "unlearnlog audit" in caught.value.fix
    assert again.value.fix.endswith("lora.safetensors")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cudua", "did you mean 'cuda'?"),
        ("cudua:1", "did you mean 'cuda'?"),
        ("gpu", "known: cpu, cuda"),
        ("meta", "known: cpu, cuda"),
        ("cuda:x", "known: cpu, cuda"),
        ("", "known: cpu, cuda"),
    ],
)
def test_a_device_of_no_kind_is_refused(name, message):
    with pytest.raises(UsageError) as caught:
        check_device(name)

    assert message in str(caught.value)


def test_a_device_is_looked_for_as_torch_does():
    """The early word must not say no where torch says yes, nor the other way round."""
    import torch

    check_device("cpu")
    try:
        torch.empty(1, device="cuda")
    except (RuntimeError, AssertionError):
        with pytest.raises(UsageError, match="no device 'cuda' on this machine"):
            check_device("cuda")
    else:
        check_device("cuda")


def test_a_gpu_is_seen_by_its_driver(tmp_path):
    assert not devices._has_gpu(tmp_path)
    (tmp_path / "nvidiactl").write_text("")
    assert devices._has_gpu(tmp_path)


def test_every_dtype_that_is_known_is_torch_s():
    from unlearnlog.commands.session_opening import DTYPES

    assert DTYPES.keys() == devices.DTYPES.keys()
    check_dtype("bf16")
    with pytest.raises(UsageError, match="did you mean 'float16'"):
        check_dtype("float61")


def test_the_words_that_are_known_early_are_those_that_are_known_later():
    from unlearnlog.atelier import finetune_sets
    from unlearnlog.audits.attacks import attack_search, attack_table

    assert {*attack_table.ATTACKS} == {*checks.ATTACKS}
    assert {*attack_search.BUDGETS} == {*checks.BUDGETS}
    assert {*finetune_sets.WORDS} == {*checks.LESSONS}
