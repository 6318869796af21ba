"""The controls of textual inversions on the screen, each beside its finding."""

from rich.console import Console

from unlearnlog.audits.verdict import ConceptEvidence, VerdictRules, findings
from unlearnlog.report.audit_tables import controls_table, findings_table

N = 96


def first(hits):
    return tuple(i < hits for i in range(N))


def found(**more):
    evidence = ConceptEvidence(
        "Picasso", first(60), first(0), first(90), first(0), **more
    )
    return findings([evidence], VerdictRules())


def screen(table):
    console = Console(width=200)
    with console.capture() as seen:
        console.print(table)
    return seen.get()


def test_an_inversion_stands_beside_random_vectors_and_the_base():
    tried = found(token="<him>", at_random=first(3), carried=first(80))

    said = screen(controls_table(tried))

    assert "Picasso as <him>" in said
    assert "0.625" in said  # with it
    assert "0.031" in said  # with random vectors
    assert "0.833" in said  # on the base


def test_a_name_has_no_controls_and_an_autoencoder_is_named():
    (line,) = findings_table(found(through="its own autoencoder")).columns[0].cells

    assert not list(controls_table(found()).rows)
    assert "with its own autoencoder" in str(line)
