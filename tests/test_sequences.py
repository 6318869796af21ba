"""What a history of erasures comes to: its end, what came back, what it misses."""

import pytest

from docs.sequences import Runs, sequences_table

NAMES = ("Picasso", "Monet", "Klimt")


def shown(name, k, n=96):
    return {"probe": "presence", "concept": name, "value": k / n, "n": n}


def history(*, then=(0, 0, 0), now=(0, 0, 0), cra=1.0, ira=1.0):
    """Return three steps; counts of 96 pictures after a concept's own step and last."""
    rows = []
    for i, name in enumerate(NAMES):
        counts = now if i == len(NAMES) - 1 else then
        readings = [shown(each, counts[j]) for j, each in enumerate(NAMES[: i + 1])]
        rows.append({"concepts": [{"name": name}], "readings": readings})
    rows[-1]["readings"] += [
        {"probe": "ira", "value": ira, "base": 1.0},
        {"probe": "cra", "value": cra * 0.5, "base": 0.5},
        {"probe": "drift", "value": 2.0},
    ]
    return rows


@pytest.mark.parametrize(
    ("made", "missed"),
    [
        ({}, []),
        ({"then": (4, 4, 4), "now": (4, 4, 4)}, []),
        ({"cra": 0.95}, []),
        ({"cra": 0.94, "ira": 0.5}, ["CRA"]),
        ({"then": (5, 5, 5), "now": (5, 5, 5)}, ["UA"]),
        ({"now": (6, 0, 0)}, ["UA", "came back", "resurgence of all"]),
        ({"now": (4, 4, 0)}, ["resurgence of all"]),
    ],
)
def test_what_is_not_as_it_is_wanted_is_named(made, missed):
    assert Runs([history(**made)], is_joint=False).missed() == missed


def test_the_last_concept_cannot_come_back_and_the_others_each_can():
    runs = Runs([history(now=(48, 0, 96)), history(now=(0, 48, 0))], is_joint=False)

    assert runs.n_back == 2
    assert runs.worst["concept"] == "Klimt"
    assert runs.told()[6] == "2 of 4"


def test_ends_that_orders_share_count_once():
    of_two = [history(now=(4, 0, 0)), history(now=(4, 0, 0))]
    apart, shared = (Runs(of_two, is_joint=joint).pooled for joint in (False, True))

    assert apart[0] == shared[0] == pytest.approx(4 / 192)
    assert apart[3:] == (384, 384)
    assert shared[3:] == (192, 384)


def test_there_is_a_row_for_each_eraser_and_none_for_nothing():
    assert sequences_table({}) == ""
    cells = {
        name: {"joint": False, "rows": history(cra=0.9 if name[0] == "t" else 1.0)}
        for name in ("one-sequence-1", "one-sequence-2", "two-sequence-1")
    }

    one, two = sequences_table(cells).splitlines()[2:]

    assert one.startswith("| `one` | 2 | 3 | 1.000 (n = 96) | 1.000 to 1.000 |")
    assert one.endswith("|  |")
    assert two.startswith("| `two` | 1 | 3 | ")
    assert two.endswith("| CRA |")
