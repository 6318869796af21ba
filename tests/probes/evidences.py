"""Evidence made by hand, with every answer written down."""

from typing import Any

from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence

PICASSO = Concept("Picasso", "style")
CAT = Concept("cat", "subject")


def seen(subject, style, *, base=None, now=None, seed=0):
    """One cell, with answers as (subject, style); None is the right answer."""
    cell = ProbeCase(f"{subject} by {style}", seed, subject, style)
    right = (subject, style)
    return CaseResult(cell, Answer(*(base or right)), Answer(*(now or right)))


def looked(concept=PICASSO, **seen_of):
    tuples: dict[str, Any] = {
        key: tuple(value) for key, value in seen_of.items() if key != "near"
    }
    return ErasedEvidence(concept, near=frozenset(seen_of.get("near", ())), **tuples)


def evidence(concept=PICASSO, *, kept=(), earlier=None, **seen_of):
    return Evidence((looked(concept, **seen_of),), tuple(kept), earlier or {})


def by_name(readings):
    return {(reading.probe, reading.concept): reading for reading in readings}
