"""Files of names: columns, cells, and the rest that a refusal writes."""

from __future__ import annotations

import pytest

from unlearnlog.concepts.names_file import NamesFile
from unlearnlog.errors import ConceptError


@pytest.fixture
def written(tmp_path):
    def write(text, name="names.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_cells_are_read_under_their_columns_in_any_order(written):
    path = written(
        "\ufeffKind, name ,aliases\nstyle,Ada Kord,Ada | A. Kord ;Kord\n,Boat,\n\n"
    )

    rows = NamesFile.read(path).rows

    assert [(r.line, r.name, r.kind, r.aliases) for r in rows] == [
        (2, "Ada Kord", "style", ("Ada", "A. Kord", "Kord")),
        (3, "Boat", "", ()),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,anchr\nA,B\n", "column 'anchr'.*did you mean 'anchor'"),
        ("artist\nA\n", "column 'artist'.*known columns: name, kind"),
        ("kind\nstyle\n", "has no column 'name'"),
        ("name,Name\nA,B\n", "two columns 'name'"),
        ("name\nAda, Kord\n", "line 2 of .* has 2 cells under 1 columns"),
        ("name\n", "has no row of names"),
        ("", "has no column 'name'"),
        ('name\n"A\n', "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_taken_is_told_with_what_is_understood(
    written, text, said
):
    with pytest.raises(ConceptError, match=f"(?s){said}"):
        NamesFile.read(written(text))


def test_the_rest_is_a_new_file_with_the_same_cells(written, tmp_path):
    table = NamesFile.read(written('name,aliases\nA,"x, y"\nB,\nC,z\n'))

    one, two = table.write_rest({3}), table.write_rest({2, 3})

    assert one is not None
    assert two is not None
    assert one == tmp_path / "names.rest.csv"
    assert one.read_text() == 'name,aliases\nA,"x, y"\nC,z\n'
    assert two == tmp_path / "names.rest-2.csv"
    assert two.read_text() == "name,aliases\nC,z\n"
    assert table.write_rest({2, 3, 4}) is None
