"""A base that moved is found where it is told, or beside the ledger, by its digests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.ledger.making import base_weights
from tests.tiny import build_pipeline
from unlearnlog.commands.base_location import (
    BASE_VARIABLE,
    BaseLocation,
    recorded,
    verified,
    whereabouts,
)
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.errors import ModelError, UsageError, WrongBase
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository


def ledger_of(folder: Path, source: str) -> Repository:
    return Repository.init(folder, BaseManifest.of(source, "sd1", base_weights()))


def model_in(folder: Path) -> Path:
    """Make a folder that looks like a pipeline."""
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    return folder


def looked_for(ledger, base=None, config=None, environment=None):
    return whereabouts(
        ledger, base=base, config=config or {}, environment=environment or {}
    )


@pytest.mark.parametrize(
    ("base", "written"),
    [
        ("ledger/model", "./model"),
        ("ledger/models/mine", "./models/mine"),
        ("model", "../model"),
        ("models/mine", "../models/mine"),
        ("ledger", "."),
        ("ledger/../model", "../model"),
    ],
)
def test_what_lies_beside_a_ledger_is_written_down_as_seen_from_there(
    tmp_path, base, written
):
    folder = tmp_path / "ledger"
    model_in(tmp_path / base)
    folder.mkdir(exist_ok=True)

    assert recorded(tmp_path / base, folder) == written


def test_a_base_elsewhere_is_written_down_whole(tmp_path):
    base = model_in(tmp_path / "far" / "away")

    assert recorded(base, tmp_path / "deep" / "down" / "ledger") == str(base)


def test_a_link_behind_two_dots_is_not_taken_for_the_folder_above_it(tmp_path):
    """``link/../model`` is beside what the link leads to, not beside the link."""
    base = model_in(tmp_path / "other" / "model")
    (tmp_path / "other" / "inner").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "other" / "inner")

    written = recorded(
        tmp_path / "here" / "link" / ".." / "model", tmp_path / "here" / "ledger"
    )

    assert (tmp_path / "here" / "ledger" / written).resolve() == base


def test_the_nearest_word_on_where_it_is_counts(tmp_path):
    where = {name: model_in(tmp_path / name) for name in ("a", "b", "c", "old")}
    ledger = ledger_of(tmp_path / "ledger", str(where["old"]))
    told = {"base": str(where["c"])}
    heard = {BASE_VARIABLE: str(where["b"])}

    found = [
        looked_for(ledger, where["a"], told, heard),
        looked_for(ledger, None, told, heard),
        looked_for(ledger, None, told),
        looked_for(ledger),
    ]

    assert [Path(each.source).name for each in found] == ["a", "b", "c", "old"]
    said = ["--base", BASE_VARIABLE, "base in the configuration", ""]
    assert [each.said for each in found] == said


def test_a_path_in_the_configuration_is_seen_from_the_ledger(tmp_path, monkeypatch):
    ledger = ledger_of(tmp_path / "ledger", "/nowhere/model")
    model_in(tmp_path / "moved")
    monkeypatch.chdir(tmp_path.parent)

    found = looked_for(ledger, config={"base": "../moved"})

    assert Path(found.source).samefile(tmp_path / "moved")


@pytest.mark.parametrize("beside", ["ledger/model", "model"])
def test_a_folder_of_that_name_beside_the_ledger_is_the_last_resort(tmp_path, beside):
    ledger = ledger_of(tmp_path / "ledger", "/nowhere/models/model")
    model_in(tmp_path / beside)

    found = looked_for(ledger)

    assert found == BaseLocation(str(tmp_path / beside), "found beside the ledger")


def test_what_ships_and_what_a_hub_has_are_no_paths(tmp_path):
    pinned = f"owner/name@{'a' * 40}"

    found = [
        looked_for(ledger_of(tmp_path / str(i), source)).source
        for i, source in enumerate(("atelier", pinned))
    ]

    assert found == ["atelier", pinned]


def test_a_base_that_is_gone_is_named_with_what_to_type(tmp_path):
    """It said that there is no folder, and nothing of what one can do about it."""
    ledger = ledger_of(tmp_path / "ledger", "/nowhere/models/mine")

    with pytest.raises(ModelError, match="no longer in '/nowhere/models/mine'") as e:
        looked_for(ledger)

    assert "--base PATH" in e.value.fix
    assert "unlearnlog config set base PATH" in e.value.fix


@pytest.mark.parametrize("how", ["base", "environment", "config"])
def test_a_place_that_is_told_and_is_not_there_is_named_with_who_said_so(tmp_path, how):
    model_in(tmp_path / "model")
    ledger = ledger_of(tmp_path / "ledger", "../model")
    gone = str(tmp_path / "gone")
    base = Path(gone) if how == "base" else None
    config = {"base": gone} if how == "config" else {}
    environment = {BASE_VARIABLE: gone} if how == "environment" else {}
    name = {"base": "--base", "environment": BASE_VARIABLE, "config": "configuration"}

    with pytest.raises(ModelError, match=f"there is no folder '{gone}'") as e:
        looked_for(ledger, base, config, environment)

    assert name[how] in e.value.message


def test_another_model_is_refused_by_the_name_of_its_place(tmp_path):
    ledger = ledger_of(tmp_path, "/models/mine")
    other = {**base_weights(), "unet.c": base_weights()["unet.c"] + 1}
    manifest = BaseManifest.of("/x", "sd1", other)

    with pytest.raises(WrongBase, match=r"'/x' \(--base\) is not the ledger's") as e:
        verified(ledger, BaseLocation("/x", "--base"), lambda _: (None, manifest))

    assert "not the same: unet.c" in e.value.message
    assert "/models/mine" in e.value.fix
    assert e.value.exit_code == 7


def test_the_base_keeps_the_name_that_the_ledger_gave_it(tmp_path):
    ledger = ledger_of(tmp_path, "atelier")
    manifest = BaseManifest.of("/a/copy/of/it", "sd1", base_weights())

    _, found = verified(ledger, BaseLocation("/a/copy/of/it"), lambda _: (1, manifest))

    assert found.source == "atelier"


def test_nobody_says_where_the_base_of_no_ledger_is(tmp_path):
    with pytest.raises(UsageError, match="there is no ledger yet") as e:
        open_session(tmp_path, may_create=True, base=tmp_path / "model")

    assert "unlearnlog init --model" in e.value.fix


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("atelier", "atelier"),
        ("/srv/models/mine", "mine"),
        ("../mine", "mine"),
        (".", "a model"),
        ("..", "a model"),
        ("owner/name@0123", "owner/name@0123"),
    ],
)
def test_a_base_is_called_by_the_last_part_of_its_path(source, name):
    assert BaseManifest.of(source, "sd1", base_weights()).name == name


def test_a_ledger_and_its_base_move_together_or_apart(tmp_path, monkeypatch):
    """A base that was moved could not be found again, however often one named it."""
    old, new = tmp_path / "old", tmp_path / "new"
    build_pipeline(old / "base")
    (old / "ledger").mkdir()
    root = init(old / "ledger", str(old / "base")).base.root
    other = shutil.copytree(old / "base", tmp_path / "other")
    spoiled = load_file(other / "vae" / "diffusion_pytorch_model.safetensors")
    first = min(spoiled)
    spoiled[first] = spoiled[first] + 1
    save_file(spoiled, other / "vae" / "diffusion_pytorch_model.safetensors")

    old.rename(new)
    together = open_session(new / "ledger")
    (new / "base").rename(tmp_path / "elsewhere")

    content = json.loads((new / "ledger/.unlearnlog/base.json").read_text())
    assert content["source"] == "../base"
    assert root == together.manifest.root
    assert together.manifest.name == "base"
    with pytest.raises(ModelError, match="no longer in"):
        open_session(new / "ledger")
    assert open_session(new / "ledger", base=tmp_path / "elsewhere").model.base
    Repository.open(new / "ledger").configure("base", "../../elsewhere")
    assert open_session(new / "ledger").manifest.root == root
    monkeypatch.setenv(BASE_VARIABLE, str(other))
    with pytest.raises(WrongBase, match=f"'{other}' \\({BASE_VARIABLE}\\)") as e:
        open_session(new / "ledger")
    assert f"not the same: vae.{first}" in e.value.message
