"""Histories that nobody measured: entries with readings that were made up."""

from __future__ import annotations

from collections.abc import Sequence

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.active import deed
from unlearnlog.core.concept import Concept
from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.build import Subject, gather
from unlearnlog.findings.report_parts import BeforeAfter, Findings
from unlearnlog.findings.step import Step
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import share

WORLD = ConceptSet.of(
    {
        "complete": True,
        "families": {
            "cubism": {"kind": "style", "word": "cubist"},
            "impressionism": {"kind": "style", "word": "impressionist"},
            "animal": {"kind": "subject", "word": "animal"},
        },
        "concepts": {
            "Picasso": {"family": "cubism", "look_alikes": ["Braque"]},
            "Braque": {"family": "cubism"},
            "Monet": {"family": "impressionism"},
            "Renoir": {"family": "impressionism"},
            "cat": {"family": "animal", "look_alikes": ["dog"]},
            "dog": {"family": "animal"},
            "castle": {"kind": "subject"},
            "Haring": {"kind": "style", "held_out": True},
        },
    },
    "a test",
)
DIGEST = Digest("a" * 64)
PASSED = VerdictRecord(passed=True)
CREATED = "2026-01-02T03:04:05+00:00"
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8"
    "z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def shown(concept: str, hits: int, n: int = 96, *, erased: bool = False) -> Reading:
    """Say that a concept shows in some of its pictures, and in all of the base's."""
    found = share(hits, n)
    return Reading(
        probe="presence",
        concept=concept,
        value=found.value,
        unit="share",
        n=n,
        low=found.low,
        high=found.high,
        better="lower" if erased else "higher",
        base=1.0,
    )


def in_nats(probe: str, concept: str, value: float, base: float = 0.0) -> Reading:
    return Reading(
        probe=probe,
        concept=concept,
        value=value,
        unit="nats",
        n=16,
        low=value - 0.1,
        high=value + 0.1,
        better="lower",
        base=base,
    )


def step(
    number: int,
    erased: Sequence[str],
    live: Sequence[str],
    readings: Sequence[Reading] = (),
    verdict: VerdictRecord = PASSED,
    **changed: object,
) -> Step:
    """Return the step of an entry that erased some concepts."""
    fields: dict[str, object] = {
        "parent": None,
        "kind": "erase",
        "concepts": tuple(Concept(name, "style") for name in erased),
        "eraser": EraserRecord(name="ridge"),
        "seed": number,
        "policy": "fast",
        "changes": (Append(object=DIGEST),),
        "delta": DeltaRecord(digest=DIGEST, n_bytes=22_000),
        "state": StateRecord(before=DIGEST, after=Digest("b" * 64)),
        "readings": tuple(readings),
        "verdict": verdict,
        "seconds": 60.0,
        "made_with": {"created": CREATED, "unlearnlog": "0.1.0"},
        **changed,
    }
    entry = Entry.model_validate(fields)
    return Step(number, entry, tuple(live), deed(entry, {}))


def three_steps() -> tuple[Step, ...]:
    """Picasso, Monet and the cat go; Picasso comes back a little, dog suffers."""
    first = [
        shown("Picasso", 0, erased=True),
        *(shown(name, 16, 16) for name in ("Braque", "Monet", "Renoir", "cat", "dog")),
        in_nats("judge-mi", "Picasso", 0.0, 2.5),
        in_nats("drift", "(kept)", 0.1),
    ]
    second = [
        shown("Monet", 2, erased=True),
        shown("Picasso", 0, 32, erased=True),
        *(shown(name, 16, 16) for name in ("Braque", "cat", "dog")),
        shown("Renoir", 14, 16),
        in_nats("judge-mi", "Monet", 0.2, 2.7),
        in_nats("drift", "(kept)", 0.2),
    ]
    third = [
        shown("cat", 0, erased=True),
        shown("Picasso", 8, 32, erased=True),
        shown("Monet", 0, 32, erased=True),
        *(shown(name, 16, 16) for name in ("Braque", "Renoir")),
        shown("dog", 4, 16),
        in_nats("judge-mi", "cat", 0.0, 2.6),
        in_nats("drift", "(kept)", 0.3),
    ]
    return (
        step(1, ["Picasso"], ["Picasso"], first),
        step(2, ["Monet"], ["Picasso", "Monet"], second),
        step(3, ["cat"], ["Picasso", "Monet", "cat"], third),
    )


def pair(about: str = "Picasso", role: str = "erased", shows: str = "") -> BeforeAfter:
    prompt = f"{shows or about}, a cat, on canvas"
    return BeforeAfter(about, role, shows or about, prompt, 0, DOT, DOT)


def some_findings(
    steps: Sequence[Step] | None = None, pairs: Sequence[BeforeAfter] | None = None
) -> Findings:
    subject = Subject("atelier", "d" * 64, "HEAD", WORLD, Policy.load("fast"))
    shown_pairs = (
        pair(),
        pair(role="look-alike", shows="Braque"),
        pair("cat"),
        pair("cat", "look-alike", "dog"),
    )
    return gather(
        subject,
        three_steps() if steps is None else steps,
        shown_pairs if pairs is None else pairs,
    )
