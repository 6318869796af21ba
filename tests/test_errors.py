import pickle
import re

import pytest

from unlearnlog import errors
from unlearnlog.errors import LockBusy, UnlearnlogError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, UnlearnlogError)
]


def _drawn():
    """Read name, depth and exit code of each line of the drawing."""
    lines = re.findall(r"^    ([│├└─ ]*)(\w+) +(\d+)  ", errors.__doc__, re.MULTILINE)
    return [(name, len(branch) // 4, int(code)) for branch, name, code in lines]


def _depth(kind):
    return kind.__mro__.index(UnlearnlogError)


def test_the_drawing_names_every_error_with_its_depth_and_exit_code():
    told = sorted(_drawn())

    assert told == sorted((k.__name__, _depth(k), k.exit_code) for k in KINDS)


def test_the_drawing_puts_every_error_below_its_parent():
    above: dict[int, str] = {}

    for name, depth, _ in _drawn():
        above[depth] = name
        if depth:
            parent = getattr(errors, name).__bases__[0]
            assert parent.__name__ == above[depth - 1]


def test_an_error_says_what_happened_and_then_what_to_type():
    error = UnlearnlogError("no eraser is called 'mimm'", fix="did you mean 'mim'?")

    assert str(error) == "no eraser is called 'mimm'\n  fix: did you mean 'mim'?"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind):
    sent = kind("it broke", fix="mend it")

    received = pickle.loads(pickle.dumps(sent))

    assert (type(received), received.message, received.fix) == (
        kind,
        "it broke",
        "mend it",
    )


def test_every_error_ends_in_a_line_that_can_be_typed():
    with pytest.raises(TypeError, match="fix"):
        LockBusy("somebody is writing")  # type: ignore[call-arg]
