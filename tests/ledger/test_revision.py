import pytest

from unlearnlog.core.entry import EntryId
from unlearnlog.errors import RevisionError
from unlearnlog.ledger.revision import Names, resolved

ONE, TWO, THREE, LOOSE = (
    EntryId(start + "0" * 56)
    for start in ("3f2a1111", "3f2a2222", "beef0003", "beef0004")
)
PARENTS = {ONE: None, TWO: ONE, THREE: TWO, LOOSE: ONE}
NAMES = Names(
    refs={
        "heads/main": THREE,
        "heads/takedowns-2026": LOOSE,
        "heads/empty": None,
        "tags/v1": TWO,
        "tags/2026/june": ONE,
        "heads/beef": ONE,
    },
    head=THREE,
    entries=sorted(PARENTS),
)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("base", None),
        ("HEAD", THREE),
        ("HEAD~", TWO),
        ("HEAD~0", THREE),
        ("HEAD~2", ONE),
        ("HEAD~3", None),
        ("HEAD~1~1", ONE),
        ("HEAD^^", ONE),
        ("main", THREE),
        ("main~1", TWO),
        ("takedowns-2026", LOOSE),
        ("empty", None),
        ("v1", TWO),
        ("v1~1", ONE),
        ("2026/june", ONE),
        (THREE, THREE),
        (THREE[:12], THREE),
        (THREE[:8].upper(), THREE),
        ("3f2a1", ONE),
        ("3f2a2~1", ONE),
        ("beef", ONE),
        ("beef0004", LOOSE),
    ],
)
def test_a_revision_means_an_entry(text, entry):
    assert resolved(text, NAMES, PARENTS.__getitem__) == entry


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("3f2a", "'3f2a' begins 2 entries: 3f2a11110000, 3f2a22220000", "more digits"),
        (
            "3f2",
            "'3f2' is too short for an id, which takes 4 digits; 2 entries begin with",
            "the one you mean: 3f2a1111, 3f2a2222",
        ),
        ("3", "'3' is too short", "3 entries before the newest: HEAD~3"),
        ("maim", "'maim' is no entry", "did you mean 'main'? there are: HEAD, base"),
        ("nope", "'nope' is no entry", "there are: HEAD, base, "),
        ("beef0005", "'beef0005' is no entry", "did you mean 'beef0004'?"),
        ("mian", "'mian' is no entry, branch or tag", "did you mean 'main'?"),
        ("3f2b", "'3f2b' is no entry", "unlearnlog log"),
        ("abcd", "'abcd' is no entry", "there are: HEAD, base, "),
        ("", "'' is no entry", "HEAD"),
        ("head", "'head' is no entry", "HEAD"),
        ("x" * 500, "x…' is no entry", "HEAD"),
        ("main~x", "'main~x' is no revision", "~2"),
        ("HEAD~4", "'HEAD~4' goes back 4 entries, but there are 3", "'base'"),
        ("base~1", "'base~1' goes back 1 entries, but there are 0", "'base'"),
        ("HEAD~999999999", "but there are 3", "'base'"),
        ("../../etc/passwd", "is no entry", "HEAD"),
        ("main\n", "is no entry", "main"),
        ("٣٣٣٣", "is no entry", "HEAD"),
    ],
)
def test_what_means_no_entry_is_told_with_what_is_near(text, message, fix):
    with pytest.raises(RevisionError) as caught:
        resolved(text, NAMES, PARENTS.__getitem__)

    assert message in caught.value.message
    assert fix in caught.value.fix
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 400


def test_nothing_is_suggested_that_is_not_close():
    """`diff main nope` was told to try "june", a tag that shares two letters with it,
    and `show 8` to type an id that nobody had meant."""
    names = Names({"heads/main": ONE, "tags/june": TWO}, head=ONE, entries=[ONE, TWO])

    with pytest.raises(RevisionError) as caught:
        names.start("nope")

    assert "did you mean" not in caught.value.fix
    assert "there are: HEAD, base, main, june" in caught.value.fix
