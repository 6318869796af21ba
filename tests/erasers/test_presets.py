"""A preset is settings with a name, under those that are written down."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from unlearnlog.erasers.eraser_table import ERASERS, eraser_of
from unlearnlog.erasers.presets import preset_table
from unlearnlog.erasers.presets.differences import DIFFERS
from unlearnlog.erasers.presets.preset import Preset, PresetSetting
from unlearnlog.erasers.presets.preset_table import expanded, presets_of
from unlearnlog.errors import PolicyError
from unlearnlog.policy import Policy
from unlearnlog.report.eraser_views import eraser_row, erasers_table

OFFICIAL = [(name, preset) for name in ERASERS for preset in presets_of(name)]


@pytest.mark.parametrize(("name", "preset"), OFFICIAL)
@pytest.mark.parametrize("slot", ["style", "subject"])
def test_every_preset_is_settings_that_its_eraser_takes(name, preset, slot):
    eraser = eraser_of({"name": name, "preset": preset}, {slot})

    wanted = presets_of(name)[preset].settings(slot)
    assert {key: eraser.settings[key] for key in wanted} == wanted


@pytest.mark.parametrize(("name", "preset"), OFFICIAL)
def test_every_choice_of_a_preset_names_its_file_and_its_repository(name, preset):
    said = presets_of(name)[preset]

    assert "@" in said.code
    assert all(choice.why for choice in said.choices)


def test_what_is_written_down_counts_before_the_preset():
    rules = Policy.load("default").saying(
        eraser="uce", settings=["preset=official", "ridge=7"]
    )

    assert rules.chosen_eraser().settings["ridge"] == 7
    assert "preset" not in rules.chosen_eraser().settings


def test_an_unknown_preset_is_refused_with_those_that_are_known():
    with pytest.raises(PolicyError, match="'uce' has no preset 'offical'") as caught:
        eraser_of({"name": "uce", "preset": "offical"})

    assert "official" in caught.value.fix


def test_an_eraser_without_presets_says_so():
    with pytest.raises(PolicyError, match="'ridge' has no preset") as caught:
        eraser_of({"name": "ridge", "preset": "official"})

    assert "leave preset out" in caught.value.fix


def test_a_preset_may_tell_styles_from_subjects_but_not_both_at_once(monkeypatch):
    told_apart = Preset(
        "Made up.",
        "a/b@c",
        (
            PresetSetting("ridge", 3.0, "x.sh"),
            PresetSetting("ridge", 2.0, "x.sh", "style"),
        ),
    )
    monkeypatch.setattr(preset_table, "presets_of", lambda _: {"official": told_apart})
    said = {"preset": "official"}

    assert expanded("uce", said, {"subject"}) == {"ridge": 3.0}
    with pytest.raises(PolicyError, match="not the same for styles and for subjects"):
        expanded("uce", said, {"style", "subject"})


@pytest.mark.parametrize(
    ("said", "wrong"),
    [("preset=offical", "no preset 'offical'"), ("preset=7", "no preset 7")],
)
def test_an_unknown_preset_is_refused_before_a_method_is_loaded(said, wrong):
    rules = Policy.load("default").saying(eraser="uce", settings=[said])

    with pytest.raises(PolicyError, match=wrong) as caught:
        rules.check_eraser()

    assert "known: official" in caught.value.fix


def test_a_known_preset_passes_the_early_check():
    rules = Policy.load("default").saying(eraser="uce", settings=["preset=official"])

    rules.check_eraser()


def test_the_list_of_erasers_has_presets_with_their_lines_and_what_differs():
    uce, ridge = eraser_row(ERASERS["uce"]), eraser_row(ERASERS["ridge"])

    official = uce["presets"]["official"]
    assert official["code"].startswith("rohitgandikota/unified-concept-editing@")
    assert {"setting", "value", "why", "slot"} == official["settings"][0].keys()
    assert ridge["presets"] == {}
    assert "no published method" in ridge["differs"]
    with Console(record=True, width=200, file=StringIO()) as console:
        console.print(erasers_table([uce, ridge]))
    text = console.export_text()
    assert "preset official or official-nothing-kept or official-2025" in text
    assert "not as published: no published method" in text


def test_what_differs_is_said_of_erasers_that_there_are():
    assert DIFFERS.keys() <= ERASERS.keys()
