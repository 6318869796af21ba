"""The registry of readings: title, standard name, meaning, unit, direction, question.

Help, tables, reports, charts, documents and the check of policies use it: titles and
meanings of readings are written nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Way = Literal["higher", "lower", "either"]
"""The direction that is better; ``either`` where it depends, or where none is."""

Question = Literal[
    "Is it gone?",
    "Is everything else kept?",
    "What is painted instead?",
    "What did it do to its family?",
    "Which kept concepts lost by it?",
    "How much information is left?",
    "How far have weights and predictions moved?",
    "Does anything come back?",
    "Can it be brought back?",
    "Which concepts are still shown?",
    "What else was read?",
]
"""The question that a reading answers; tables list questions in this order."""

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "share": (0.0, 1.0),
    "difference": (-1.0, 1.0),
    "correlation": (-1.0, 1.0),
    "distance": (0.0, float("inf")),
    "concepts": (0.0, float("inf")),
    "score": (0.0, 100.0),
}
"""Smallest and largest value by unit; other units have no bounds."""

OF_BASE: Final = (0.0, 10.0)
"""Smallest and largest multiple of the base's reading in a limit."""


@dataclass(frozen=True)
class Meaning:
    """The meaning of a reading.

    Attributes:
        title: Its name in plain words.
        says: The meaning of its number, in one line.
        unit: The unit of its number.
        better: The direction that is better.
        question: The question that it answers.
        standard: The field's name for it; empty where there is none.
    """

    title: str
    says: str
    unit: str
    better: Way
    question: Question
    standard: str = ""

    @property
    def called(self) -> str:
        """The title, with the standard name where there is one."""
        return f"{self.title} ({self.standard})" if self.standard else self.title

    @property
    def short(self) -> str:
        """The standard name, or else the title; for narrow columns."""
        return self.standard or self.title


def _gone(title: str, says: str, standard: str = "") -> Meaning:
    return Meaning(title, says, "share", "higher", "Is it gone?", standard)


def _kept(title: str, says: str, standard: str = "") -> Meaning:
    question: Question = "Is everything else kept?"
    return Meaning(title, says, "share", "higher", question, standard)


def _apart(title: str, says: str, standard: str) -> Meaning:
    question: Question = "Is everything else kept?"
    return Meaning(title, says, "distance", "lower", question, standard)


def _instead(title: str, says: str, better: Way = "higher") -> Meaning:
    return Meaning(title, says, "share", better, "What is painted instead?")


def _family(title: str, says: str, better: Way = "higher") -> Meaning:
    return Meaning(title, says, "share", better, "What did it do to its family?")


def _lost(title: str, concept: str) -> Meaning:
    says = f"how many pictures fewer than on the base show {concept}, as a share"
    question: Question = "Which kept concepts lost by it?"
    return Meaning(title, says, "difference", "lower", question)


def _nats(title: str, says: str, better: Way = "lower") -> Meaning:
    return Meaning(title, says, "nats", better, "How much information is left?")


def _moved(title: str, says: str, unit: str, better: Way = "either") -> Meaning:
    question: Question = "How far have weights and predictions moved?"
    return Meaning(title, says, unit, better, question)


def _back(title: str, says: str, unit: str, better: Way = "lower") -> Meaning:
    return Meaning(title, says, unit, better, "Does anything come back?")


def _attack(title: str, found: str) -> Meaning:
    says = f"share of pictures that show it once {found} was searched for"
    return Meaning(title, says, "share", "lower", "Can it be brought back?")


MEANINGS: Final[Mapping[str, Meaning]] = {
    "ua": _gone("gone", "share of its prompts that no longer show it", "UA"),
    "ua.alias": _gone(
        "its other names", "share of prompts by its other names that do not show it"
    ),
    "ira": _kept(
        "own kind kept",
        "share of kept prompts of its own kind that show what they name",
        "IRA",
    ),
    "cra": _kept(
        "other kind kept",
        "share of kept prompts of the other kind that show what they name",
        "CRA",
    ),
    "nra": _kept(
        "neighbours kept",
        "share of its neighbours' prompts that show what they name",
        "NRA",
    ),
    "ora": _kept(
        "rest of its kind kept",
        "share of its own kind's prompts, neighbours left out, that show what they "
        "name",
        "ORA",
    ),
    "alike": _kept(
        "look-alike kept", "share of its look-alike's prompts that show what they name"
    ),
    "fd": _apart(
        "distance of kept pictures",
        "how far kept pictures moved as a set, Frechet's distance",
        "FD",
    ),
    "fid": _apart(
        "distance to reference pictures",
        "how far pictures are from the reference as a set, Frechet's distance in "
        "Inception's features",
        "FID",
    ),
    "kid": _apart(
        "kernel distance of those",
        "how far kept pictures moved as a set, by kernels",
        "KID",
    ),
    "clip": Meaning(
        "fit of picture and prompt",
        "mean of 100 times the cosine of a picture and its prompt, to CLIP",
        "score",
        "higher",
        "Is everything else kept?",
        "CLIP score",
    ),
    "lands.subject": _instead(
        "subject beside it kept",
        "share of its prompts that show the subject beside it",
    ),
    "lands.style": _instead(
        "style beside it kept", "share of its prompts that show the style beside it"
    ),
    "lands.anchor": _instead(
        "target shown instead",
        "share of its prompts that show what the target's prompts show on the base",
    ),
    "lands.reject": _instead(
        "nothing known instead",
        "share of its prompts that show nothing that the judge knows",
        "lower",
    ),
    "floor": _instead(
        "shown by its target",
        "share of the target's prompts that show it, on the base: "
        "no more than the rest can be gone",
        "either",
    ),
    "family.erased": _family(
        "shown by family's word",
        "share of prompts with its family's word alone that show it",
        "lower",
    ),
    "family.sibling": _family(
        "siblings by family's word",
        "share of prompts with its family's word alone that show another member",
    ),
    "family.beside": _family(
        "beside family's word kept",
        "share of prompts with its family's word that show what stands beside it",
    ),
    "damage.look-alike": _lost("lost by its look-alike", "its look-alike"),
    "damage.synonym": _lost("lost by its synonym", "its synonym"),
    "damage.sibling": _lost("lost by its family", "another member of its family"),
    "damage.child": _lost("lost by its narrower kind", "a narrower kind of it"),
    "damage.unrelated": _lost("lost by the rest of its kind", "what is not related"),
    "damage.composition": _lost("lost beside its name", "what stands beside its name"),
    "damage.parent": _lost(
        "lost beside family's name", "what stands beside its family's name"
    ),
    "damage.by-distance": Meaning(
        "loss with distance",
        "rank correlation of kept concepts' losses with their distance from it; "
        "below 0 the near ones lose",
        "correlation",
        "either",
        "Which kept concepts lost by it?",
    ),
    "judge-mi": _nats(
        "nats seen", "what a picture still says of it, to the base as judge"
    ),
    "bound-mi": _nats(
        "nats to target",
        "how far the noise predicted for its prompt is from that for its target's",
    ),
    "self-mi": _nats("nats beyond context", "what its prompt says beyond its context"),
    "self-mi.two-loss": _nats(
        "nats by likelihood",
        "how much better its prompt explains a picture than its context does",
    ),
    "self-mi.gap": _nats(
        "gap of those two",
        "how much more the estimate by likelihood is than the other: "
        "how far to trust both",
        "either",
    ),
    "gain": _nats(
        "help of its prompt", "how much its prompt still helps with the base's pictures"
    ),
    "shift": _nats(
        "pictures got harder", "how much harder the base's pictures got without a word"
    ),
    "drift": _moved(
        "drift",
        "how far the noise predicted for kept prompts and the empty one has moved",
        "nats",
        "lower",
    ),
    "moved": _moved(
        "keys and values moved", "share by which its keys and values moved", "ratio"
    ),
    "moved.nats": _moved(
        "predictions moved",
        "how far the noise predicted for its prompts has moved",
        "nats",
    ),
    "tiers.0-1": _moved(
        "weights tell predictions",
        "rank correlation, over kept concepts, of moved weights and moved predictions",
        "correlation",
    ),
    "tiers.1-2": _moved(
        "predictions tell pictures",
        "rank correlation, over kept concepts, of moved predictions and lost pictures",
        "correlation",
    ),
    "tiers.0-2": _moved(
        "weights tell pictures",
        "rank correlation, over kept concepts, of moved weights and lost pictures",
        "correlation",
    ),
    "return.weights": _moved(
        "way back to the base",
        "share of the way back to the base that a fine-tune went, in weights",
        "ratio",
        "lower",
    ),
    "resurgence": _back(
        "came back",
        "share of its pictures that show it, less the same right after its erasure",
        "difference",
    ),
    "resurgence.found": _back(
        "concepts that came back",
        "how many that were erased earlier show more, beyond chance",
        "concepts",
    ),
    "resurgence.reject": _back(
        "earlier ones: nothing known",
        "share of pictures of what was erased earlier that show nothing known",
        "share",
    ),
    "returned.nats": _back(
        "nats that came back", "by how much more its pictures say of it", "nats"
    ),
    "collateral": _back(
        "kept since the state",
        "share of kept prompts that show what they name, less that of the state",
        "difference",
        "higher",
    ),
    "false-alarms": _back(
        "false alarms",
        "share of pictures of other things that are said to show it",
        "share",
    ),
    "attack.inversion": _attack("by a found vector", "a vector"),
    "attack.prefix": _attack("by found words", "words to say before it"),
    "attack.recovery": _attack("by a found map", "a map of its tokens"),
    "prompts": Meaning(
        "shown by a file's prompts",
        "share of the pictures of a file's prompts that show it",
        "share",
        "either",
        "Which concepts are still shown?",
    ),
    "prompts.same": _kept(
        "same to the judge",
        "share of the pictures of a file's prompts that the judge calls what it calls "
        "the base's",
    ),
    "presence": Meaning(
        "shown",
        "share of its own prompts that show it",
        "share",
        "either",
        "Which concepts are still shown?",
    ),
}
"""The meaning of each reading, by name."""


INFORMATION: Final = (
    *(n for n, m in MEANINGS.items() if m.question == "How much information is left?"),
    "returned.nats",
)
"""Readings that only a model which predicts the posterior mean can give."""


def meaning_of(reading: str) -> Meaning:
    """Return the meaning of a reading; an unknown one has its name as title."""
    known = MEANINGS.get(reading)
    return known or Meaning(reading, "", "", "either", "What else was read?")


def range_of(reading: str, *, of_base: bool) -> tuple[float, float]:
    """Return the smallest and the largest bound of a limit on a reading."""
    if of_base:
        return OF_BASE
    unbounded = (-float("inf"), float("inf"))
    return RANGES.get(MEANINGS[reading].unit, unbounded)
