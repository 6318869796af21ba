"""Evidence made by hand, with every answer written down."""

from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept
from unlearnlog.probes.evidence import Evidence, Seen

PICASSO = Concept("Picasso", "style")
CAT = Concept("cat", "subject")


def seen(subject, style, *, base=None, now=None, seed=0):
    """One cell, with answers as (subject, style); None is the right answer."""
    cell = Cell(f"{subject} by {style}", seed, subject, style)
    right = (subject, style)
    return Seen(cell, Answer(*(base or right)), Answer(*(now or right)))


def evidence(concept=PICASSO, *, erased=(), kept=(), earlier=None, target=()):
    return Evidence(concept, tuple(erased), tuple(kept), earlier or {}, tuple(target))


def by_name(readings):
    return {(reading.probe, reading.concept): reading for reading in readings}
