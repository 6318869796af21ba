from dataclasses import replace

import pytest

from tests.probes.evidences import evidence, seen
from unlearnlog.core.probe_case import Answer
from unlearnlog.probes.probe_table import PROBES

SIMPLE = evidence(
    earlier={"Klimt": (seen("cat", "Klimt", now=("cat", "photo")),)},
    erased=[seen("cat", "Picasso", now=("cat", "photo"))],
    renamed=[seen("cat", "Picasso", now=("cat", "photo"))],
    family=[seen("cat", "", now=("cat", "Braque"))],
    alike=[seen("dog", "Braque")],
    near={"Braque"},
    kept=[seen("dog", "Monet"), seen("dog", "Braque")],
    target=[Answer("cat", "photo")],
)
SIMPLE = replace(SIMPLE, then={"Klimt": (Answer("cat", "photo"),)})


def test_no_two_probes_answer_under_one_name():
    names = [
        (reading.probe, reading.concept)
        for probe in PROBES
        for reading in probe.readings(SIMPLE)
    ]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_probe_names_its_readings_after_itself_and_cites_its_source(probe):
    readings = probe.readings(SIMPLE)

    assert readings
    assert all(reading.probe.split(".")[0] == probe.name for reading in readings)
    assert probe.source.startswith("https://")
    assert "Source:" in (type(probe).__doc__ or "")


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_probe_that_saw_nothing_says_nothing(probe):
    assert probe.readings(evidence()) == ()
