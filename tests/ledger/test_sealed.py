import pytest

from unlearnlog.ledger.checksummed import id_line, line_id, sealed, unsealed


@pytest.mark.parametrize("lines", [[], ["one"], ["one", "two"], ["", "é"]])
def test_lines_come_back_as_they_were(lines):
    assert unsealed("refs/heads/main", sealed("refs/heads/main", lines)) == lines


def test_every_flipped_byte_and_every_cut_is_noticed():
    data = sealed("HEAD", ["one", "two"])
    flipped = [
        data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :]
        for i in range(len(data))
        for bit in range(8)
    ]
    cut = [data[:i] for i in range(len(data))]

    for broken in [*flipped, *cut, data + b"\n"]:
        with pytest.raises(ValueError, match="HEAD does not fit its checksum"):
            unsealed("HEAD", broken)


def test_a_file_in_anothers_place_is_noticed():
    with pytest.raises(ValueError, match="checksum"):
        unsealed("refs/heads/other", sealed("refs/heads/main", ["one"]))


@pytest.mark.parametrize("entry", [None, "a" * 64])
def test_an_id_comes_back_as_it_was(entry):
    assert line_id(id_line(entry)) == entry


@pytest.mark.parametrize("line", ["", "a" * 63, "A" * 64, "None", "a" * 64 + " "])
def test_what_is_no_id_is_refused(line):
    with pytest.raises(ValueError, match="no entry's id"):
        line_id(line)
