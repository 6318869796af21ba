"""A forecast: time by number of workers, its interval, and money."""

import pytest

from unlearnlog.commands.forecast import CostForecast, Span, WorkPart, joined
from unlearnlog.ledger.repository import Repository
from unlearnlog.report.cost_rows import cost_rows, duration, sum_of


def part(what="painting", count=640, seconds=100.0, *, shared=True):
    return WorkPart(what, count, "pictures", Span.around(seconds, 0.1), shared)


def test_workers_share_units_and_the_last_one_may_wait():
    twenty = part(count=20 * 32)

    found = [twenty.time_with(n).usual for n in (1, 4, 16, 100)]

    assert found == pytest.approx([100, 25, 10, 5])


def test_what_is_not_shared_takes_as_long_with_many_workers():
    forecast = CostForecast((part(), part("erasing", 9, 50.0, shared=False)), 0)

    assert forecast.time_with(1).usual == pytest.approx(150)
    assert forecast.time_with(4).usual == pytest.approx(75)


def test_sharing_may_add_to_the_most_and_not_to_the_least():
    alone, four = part().time_with(1), part().time_with(4)

    assert four.low == pytest.approx(alone.low / 4)
    assert four.high == pytest.approx(1.05 * alone.high / 4)


def test_all_workers_are_paid_for_all_of_the_time():
    forecast = CostForecast((part(seconds=3600.0),), 0)

    one, sixteen = (forecast.money_with(n, 2.0).usual for n in (1, 16))

    assert one == pytest.approx(2.0)
    assert sixteen == pytest.approx(2.0 * 16 * 2 / 20)  # two of 20 units each


def test_parts_of_one_kind_are_put_together():
    (found,) = joined([part(count=1, seconds=1.0), part(count=2, seconds=5.0)])

    assert (found.count, found.seconds) == (3, 6.0)


def test_a_forecast_is_written_with_intervals():
    rows = cost_rows(CostForecast((part(),), 2**30), None)

    assert rows["painting"] == "640 pictures, about 100 s (90 to 110)"
    assert rows["4 workers"] == "about 25 s (22 to 35)"
    assert rows["peak memory"] == "about 1024 MiB"


def test_money_is_written_where_there_is_a_price():
    rows = cost_rows(CostForecast((part(seconds=3600.0),), 0), 2.5)

    assert rows["1 worker"] == "about 60 min (54 to 79), cost 2.50 (2.25 to 3.30)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.5, "about 1.5 s (0.8 to 2.2)"),
        (600.0, "about 10 min (5.0 to 15)"),
        (36_000.0, "about 10 h (5.0 to 15)"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds, text):
    assert duration(Span.around(seconds, 0.5)) == text


def test_a_sum_of_money_has_an_interval():
    assert sum_of(Span(1.0, 2.0, 3.0)) == "cost 2.00 (1.00 to 3.00)"


def test_json_has_time_and_money_by_number_of_workers():
    row = CostForecast((part(),), 1).row(price=36.0)

    assert row["seconds_with"]["1"] == [90.0, 100.0, 132.0]
    assert row["money"]["1"] == [0.9, 1.0, 1.32]
    assert set(row["money"]) == {"1", "4", "16"}
    assert "money" not in CostForecast((part(),), 1).row()


@pytest.mark.parametrize("price", ["-1", "nan", "inf"])
def test_a_price_that_is_none_is_refused(typed, tmp_path, price):
    done = typed("add", "Picasso", "--dry-run", "--price", price)

    assert done.code == 2
    assert "--price cannot be" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_price_without_a_dry_run_is_refused(typed, tmp_path):
    done = typed("add", "Picasso", "--price", "2.5")

    assert done.code == 2
    assert "add --dry-run" in done.err
    assert not (tmp_path / ".unlearnlog").exists()


def test_a_price_of_the_configuration_is_checked_when_it_is_set(typed, tmp_path):
    assert typed("init").code == 0

    right = typed("config", "set", "price", "2.50")
    wrong = typed("config", "set", "price", "much")

    assert (right.code, wrong.code) == (0, 2)
    assert "price cannot be 'much'" in wrong.err
    assert Repository.open(tmp_path).config["price"] == "2.50"
