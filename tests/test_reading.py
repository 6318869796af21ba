import pytest
from pydantic import ValidationError

from unlearnlog.core.reading import Reading


def _reading(**changed):
    fields = {
        "probe": "presence",
        "concept": "picasso",
        "value": 0.08,
        "unit": "share",
        "n": 64,
        "low": 0.03,
        "high": 0.17,
        "better": "lower",
    }
    return Reading(**{**fields, **changed})


def test_a_reading_without_a_base_has_none():
    assert _reading().base is None


@pytest.mark.parametrize("field", ["value", "low", "high", "base"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_no_reading(field, number):
    with pytest.raises(ValidationError):
        _reading(**{field: number})


@pytest.mark.parametrize(
    "changed",
    [
        {"n": 0},
        {"n": 1.0},
        {"n": True},
        {"unit": ""},
        {"probe": ""},
        {"better": "higher!"},
        {"value": "0.08"},
        {"low": 0.09},
        {"high": 0.07},
        {"value": 1.1, "high": 1.2},
        {"value": -0.1, "low": -0.2},
        {"stderr": 0.01},
    ],
)
def test_a_reading_with_a_wrong_field_is_refused(changed):
    with pytest.raises(ValidationError):
        _reading(**changed)


def test_rounding_may_push_a_value_past_its_interval_by_a_hair():
    reading = _reading(value=1.0 + 1e-12, low=0.9, high=1.0)

    assert reading.value > reading.high


def test_nats_may_be_negative():
    assert _reading(unit="nats", value=-0.5, low=-1.0, high=0.0).value == -0.5


def test_a_reading_cannot_be_changed():
    with pytest.raises(ValidationError):
        _reading().value = 0.0


def test_the_row_has_the_fields_of_the_log():
    row = _reading(base=0.97).row()

    assert row == {
        "probe": "presence",
        "concept": "picasso",
        "value": 0.08,
        "unit": "share",
        "n": 64,
        "low": 0.03,
        "high": 0.17,
        "base": 0.97,
    }
