from tests.probes.evidences import CAT, by_name, evidence, seen
from unlearnlog.probes.family_leakage import FamilyLeakage


def test_the_family_is_still_painted_and_the_erased_member_is_not():
    family = [
        seen("cat", "", base=("cat", "Picasso"), now=("cat", "Braque")),
        seen("dog", "", base=("dog", "Braque"), now=("dog", "Braque")),
        seen("tree", "", base=("tree", "Picasso"), now=("", "Braque")),
        seen("boat", "", base=("boat", "Braque"), now=("boat", "Picasso")),
    ]

    found = by_name(FamilyLeakage().readings(evidence(family=family, near={"Braque"})))

    values = {probe: (r.value, r.base, r.n) for (probe, _), r in found.items()}
    assert values == {
        "family.erased": (0.25, 0.5, 4),
        "family.sibling": (0.75, 0.5, 4),
        "family.beside": (0.75, 1.0, 4),
    }
    assert {r.better for r in found.values()} == {"lower", "higher"}


def test_a_subject_s_family_is_read_off_the_subjects():
    family = [seen("", "Monet", base=("cat", "Monet"), now=("dog", "Monet"))]

    found = by_name(
        FamilyLeakage().readings(evidence(CAT, family=family, near={"dog"}))
    )

    assert found["family.erased", "cat"].value == 0
    assert found["family.sibling", "cat"].value == 1
    assert found["family.beside", "cat"].value == 1


def test_a_concept_without_a_family_has_no_reading():
    assert FamilyLeakage().readings(evidence(erased=[seen("cat", "Picasso")])) == ()
