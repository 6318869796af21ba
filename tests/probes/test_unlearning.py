from tests.probes.evidences import CAT, by_name, evidence, seen
from unlearnlog.probes.statistics import share
from unlearnlog.probes.unlearning import UnlearningAccuracy


def test_ua_counts_the_concept_s_pictures_that_no_longer_show_it():
    erased = [
        seen("cat", "Picasso", now=("cat", "photo")),
        seen("dog", "Picasso", now=("dog", "photo")),
        seen("boat", "Picasso", now=("car", "Picasso")),
        seen("tree", "Picasso", base=("tree", "Braque"), now=("(none)", "(none)")),
    ]

    (ua,) = UnlearningAccuracy().readings(evidence(erased=erased))

    assert (ua.probe, ua.concept, ua.unit, ua.better) == (
        "ua",
        "Picasso",
        "share",
        "higher",
    )
    assert (ua.value, ua.base, ua.n) == (0.75, 0.25, 4)
    assert (ua.low, ua.high) == (share(3, 4).low, share(3, 4).high)


def test_ua_of_a_subject_looks_at_subjects():
    erased = [
        seen("cat", "Picasso", now=("cat", "photo")),
        seen("cat", "photo", now=("", "photo")),
    ]

    ua = by_name(UnlearningAccuracy().readings(evidence(CAT, erased=erased)))

    assert ua["ua", "cat"].value == 0.5


def test_other_names_are_read_by_themselves():
    renamed = [seen("cat", "Picasso"), seen("dog", "Picasso", now=("dog", "photo"))]

    found = by_name(
        UnlearningAccuracy().readings(evidence(erased=renamed[1:], renamed=renamed))
    )

    assert found["ua", "Picasso"].value == 1.0
    assert (found["ua.alias", "Picasso"].value, found["ua.alias", "Picasso"].n) == (
        0.5,
        2,
    )


def test_without_pictures_there_is_no_ua():
    assert UnlearningAccuracy().readings(evidence()) == ()
