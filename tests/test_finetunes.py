"""The tables of docs/AUDIT.md say what stands in the cells."""

from docs.finetunes import (
    beyond_chance,
    courses_table,
    early_table,
    forecasts_table,
    overview_table,
    survival_table,
)


def curve(*shown):
    looks = [
        {
            "step": step,
            "shown": "1" * k + "0" * (96 - k),
            "change": {"value": k / 96},
        }
        for step, k in shown
    ]
    return {"looks": looks}


def cell(eraser, seed, end, *, concept="Picasso", aligned=0.1, savings=None):
    back = end > 10
    return {
        "eraser": eraser,
        "concept": concept,
        "data": "target:5",
        "method": "full",
        "courses": [
            {
                "seed": seed,
                "rho": 0.01,
                "kept": curve((0, 90), (500, 80)),
                "concepts": [
                    {
                        **curve((0, 0), (50, end // 2), (500, end)),
                        "steps": 50 if back else 500,
                        "returned": back,
                        "forecast": {"alignment": aligned, "rho": aligned / 10},
                        "savings": savings,
                    }
                ],
            }
        ],
    }


def named(*cells):
    return {str(i): each for i, each in enumerate(cells)}


def test_nothing_measured_is_no_table():
    tables = (
        *(courses_table, survival_table, forecasts_table, overview_table),
        *(early_table, beyond_chance),
    )

    assert {table({}) for table in tables} == {""}


def test_a_row_pools_the_seeds_of_an_eraser():
    table = courses_table(
        named(cell("ridge", 1, 96), cell("ridge", 2, 0), cell("mim", 1, 48))
    )

    rows = table.splitlines()[2:]
    assert len(rows) == 2
    assert "| `mim` | Picasso | target:5 | full | 1 | 0.000 | 0.500 | +0.500 (" in table
    assert "| 2 | 0.000 | 0.500 | +0.500 (" in table
    assert "n = 192" in table
    assert "50, none by 500" in table
    assert "-0.104" in table


def test_seeds_that_disagree_are_a_wider_interval_than_their_pictures():
    def width(path):
        said = courses_table(path).splitlines()[2].split("|")[8]
        low, high = said.split("(")[1].split(",")[0].split(" to ")
        return float(high) - float(low)

    agree = width(named(*(cell("ridge", i, 48) for i in (1, 2, 3))))
    differ = width(named(*(cell("ridge", i, k) for i, k in enumerate((0, 48, 96)))))

    assert differ > 2 * agree


def test_survival_counts_concepts_and_seeds():
    table = survival_table(
        named(cell("ridge", 1, 96), cell("ridge", 1, 0, concept="cat"))
    )

    assert "| `ridge` | target:5 | full | 2 | 1 | 0.50 (" in table


def test_savings_of_one_seed_lie_between_what_its_looks_allow():
    saved = {"value": 0.5, "bound": "about", "erased": 25, "novel": 50}
    known = {**saved, "low": 0.0, "high": 0.8}
    nothing = {**saved, "value": None, "bound": "undefined"}

    found = courses_table(
        named(cell("ridge", 1, 96, savings=known), cell("mim", 1, 96, savings=nothing))
    )

    assert "| about 0.50 (by its looks 0.00 to 0.80) |" in found
    assert "| undefined |" in found


def test_savings_are_said_as_far_as_they_are_known():
    saved = {"value": 0.5, "bound": "at least", "erased": 50, "novel": None}

    assert "at least 0.50" in courses_table(named(cell("ridge", 1, 96, savings=saved)))


def test_a_forecast_of_few_fine_tunes_is_not_scored():
    assert "too few to say" in forecasts_table(named(cell("ridge", 1, 96)))


def test_a_forecast_that_puts_them_in_order_has_a_rank_correlation_of_one():
    cells = [cell(f"e{i}", 1, 20 * i, aligned=i / 10) for i in range(5)]

    whole, own, other = forecasts_table(named(*cells)).splitlines()[2:]
    assert whole.startswith("| all | the change at the end | 1.00 (")
    assert own.startswith("| on pictures of it | the change at the first look | 1.00 (")
    assert other.count("too few to say (n = 0, erasures: 0)") == 2


def test_the_overview_pools_seeds_in_points():
    cells = [
        cell("ridge", 1, 96),
        cell("ridge", 2, 96),
        cell("ridge", 1, 0, concept="cat"),
        {**cell("mim", 1, 0), "data": "sibling"},
    ]

    head, _, ridge, cat, mim = overview_table(named(*cells)).splitlines()

    assert head == "| eraser | concept | sibling, full | target:5, full |"
    assert ridge.startswith("| `ridge` | Picasso |  | +100.0 (")
    assert ridge.endswith("; 2 |")
    assert cat == "| `ridge` | cat |  | +0.0 (-3.8 to +3.8); 1 |"
    assert mim == "| `mim` | Picasso | +0.0 (-3.8 to +3.8); 1 |  |"


def test_the_early_table_has_one_number_a_seed():
    lora = {**cell("ridge", 3, 96), "method": "lora"}

    table = early_table(named(cell("ridge", 1, 96), cell("ridge", 2, 24), lora))

    assert table.splitlines()[0].endswith("| 0 | 50 | 500 |")
    assert table.splitlines()[2:] == [
        "| `ridge` | Picasso | 1 2 | 0.00 0.00 | 0.50 0.12 | 1.00 0.25 |"
    ]


def test_returns_from_other_pictures_are_tested_together():
    def other(eraser, seed, end):
        return {**cell(eraser, seed, end), "data": "sibling"}

    alone = [other("uce", 1, 6)]
    many = [other("mim", seed, 0) for seed in range(40)]

    assert beyond_chance(named(*alone)).endswith(
        "1 brought back more than chance would, all of them tested together: `uce`, "
        "Picasso, sibling, full, seed 1 (+6.2)."
    )
    said = beyond_chance(named(*alone, *many, cell("ridge", 1, 96)))
    assert said == (
        "Of 41 fine-tunes on other pictures 0 brought back more than chance would, all "
        "of them tested together."
    )
