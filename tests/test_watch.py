from unlearnlog.core.progress import NestedProgress, NoProgress, counted


class Diary:
    """Writes down what it is told."""

    def __init__(self):
        self.lines = []

    def stage(self, name, total):
        self.lines.append((name, total))

    def advance(self, units, numbers):
        self.lines.append((units, dict(numbers)))


def test_a_count_of_all_that_is_done_becomes_what_is_new():
    diary = Diary()
    tell = counted(diary)

    for done in (32, 64, 70):
        tell(done)

    assert diary.lines == [(32, {}), (32, {}), (6, {})]


def test_two_counts_do_not_know_of_each_other():
    diary = Diary()
    counted(diary)(10)

    counted(diary)(4)

    assert diary.lines == [(10, {}), (4, {})]


def test_nobody_looking_is_told_nothing_and_breaks_nothing():
    nobody = NoProgress()

    nobody.stage("painting", 3)
    nobody.advance(3, {"loss": 0.1})


def test_stages_of_a_part_are_told_with_the_part():
    diary = Diary()
    part = NestedProgress(diary, "2 of 6, prefix after cat")

    part.stage("searching", 20)
    part.advance(3, {"loss": 0.5})

    assert diary.lines == [
        ("2 of 6, prefix after cat: searching", 20),
        (3, {"loss": 0.5}),
    ]
