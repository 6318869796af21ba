"""What a cell of old code is shown to be of before it is stamped with today's."""

import pytest

from benchmarks.restamp import only_grew

OLD = '''
"""A file."""
import math
from a import b

LEAST = 1

class Eraser:
    """A method."""

    target: str = "x"

    def of(self):
        return math.inf

    def erase(self):
        return LEAST
'''


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("LEAST = 1", "LEAST = 1\nMOST = 2"),
        ('target: str = "x"', 'target: str = "x"\n    late: int = 0'),
        ("return math.inf", "return refused()"),
        ("import math", "import os"),
        ('"""A method."""', '"""Another word."""'),
        ("class Eraser", "def more():\n    return 3\n\n\nclass Eraser"),
    ],
)
def test_what_was_only_added_changes_nothing_that_was_there(what, instead):
    assert only_grew(OLD, OLD.replace(what, instead))


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("LEAST = 1", "LEAST = 2"),
        ('target: str = "x"', 'target: str = "y"'),
        ('target: str = "x"', 'target: str = "x"\n    late: int'),
        ("return LEAST", "return 2 * LEAST"),
        ("from a import b", "from a import b\nb = 2"),
        ("class Eraser", "LEAST = 3\n\n\nclass Eraser"),
        ("def erase", "@twice\n    def erase"),
        ("from a import b", "from c import b"),
    ],
)
def test_what_was_changed_is_not_what_it_was(what, instead):
    assert not only_grew(OLD, OLD.replace(what, instead))
