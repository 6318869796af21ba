"""Every reading that there is: its unit, which way is good, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Way = Literal["higher", "lower", "either"]
"""Which way is good news; ``either`` where it depends, or nobody says."""

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "share": (0.0, 1.0),
    "difference": (-1.0, 1.0),
    "correlation": (-1.0, 1.0),
    "distance": (0.0, float("inf")),
    "concepts": (0.0, float("inf")),
}
"""Smallest and largest value by unit; a unit that is not here has none."""

OF_BASE: Final = (0.0, 10.0)
"""Multiples of the base's own reading that a limit can sensibly ask for."""


@dataclass(frozen=True)
class Meaning:
    """What is known of a reading by its name.

    Attributes:
        unit: What its number is in.
        better: Which way is good news.
        brief: What it says, in a few words.
        full: The same in a sentence; empty where the few words do.
    """

    unit: str
    better: Way
    brief: str
    full: str = ""

    @property
    def sentence(self) -> str:
        """What it says, at the length of a report."""
        return self.full or self.brief


def _share(better: Way, brief: str, full: str = "") -> Meaning:
    return Meaning("share", better, brief, full)


def _nats(better: Way, brief: str, full: str = "") -> Meaning:
    return Meaning("nats", better, brief, full)


def _damage(brief: str, relation: str) -> Meaning:
    full = f"loss of kept concepts, by their relation: {relation}"
    return Meaning("difference", "lower", brief, full)


MEANINGS: Final[Mapping[str, Meaning]] = {
    "ua": _share(
        "higher", "no longer shown", "share of its prompts that no longer show it"
    ),
    "ua.alias": _share(
        "higher", "nor by its other names", "the same, asked for by its other names"
    ),
    "ira": _share(
        "higher",
        "its own kind still is",
        "share of kept prompts of its own kind that still show what they name",
    ),
    "cra": _share("higher", "the other kind still is", "the same for the other kind"),
    "nra": _share("higher", "its neighbours still are", "the same for its neighbours"),
    "ora": _share(
        "higher", "the rest of its kind is", "the same for the rest of its kind"
    ),
    "alike": _share("higher", "its look-alike still is", "the same for its look-alike"),
    "presence": _share(
        "either", "shown by its own prompts", "share of its own prompts that show it"
    ),
    "lands.subject": _share(
        "higher",
        "the subject beside it is",
        "the subject beside it is still painted",
    ),
    "lands.style": _share(
        "higher", "the style beside it is", "the style beside it is still painted"
    ),
    "lands.anchor": _share(
        "higher", "shows what the target shows", "pictures show what the target shows"
    ),
    "lands.reject": _share(
        "lower", "shows nothing known", "pictures show nothing that is known"
    ),
    "floor": _share(
        "either",
        "target shows it, on the base",
        "the target's prompts show it, on the base",
    ),
    "family.erased": _share(
        "lower", "its family's word shows it", "its family's word still shows it"
    ),
    "family.sibling": _share(
        "higher",
        "shows another of the family",
        "its family's word shows another member",
    ),
    "family.beside": _share(
        "higher",
        "with what stands beside it",
        "with what stands beside it in the prompt",
    ),
    "fd": Meaning(
        "distance",
        "lower",
        "kept pictures moved, Frechet",
        "how far kept pictures moved as a set, Frechet",
    ),
    "kid": Meaning(
        "distance",
        "lower",
        "kept pictures moved, KID",
        "how far kept pictures moved as a set, KID",
    ),
    "judge-mi": _nats(
        "lower",
        "the base still sees in it",
        "what a picture still says of the concept, to the base as judge",
    ),
    "bound-mi": _nats(
        "lower", "prompt to target", "how far its prompt is from the target's"
    ),
    "self-mi": _nats(
        "lower", "prompt beyond its context", "what its prompt says beyond its context"
    ),
    "self-mi.two-loss": _nats("lower", "likelihood that it adds"),
    "self-mi.gap": _nats(
        "either",
        "two-loss estimate less that",
        "the two-loss estimate less that one: how far to trust it",
    ),
    "gain": _nats("lower", "prompt still helps on base's"),
    "shift": _nats("lower", "harder without a prompt"),
    "drift": _nats(
        "lower",
        "other prompts moved",
        "how far the noise predicted for other prompts has moved",
    ),
    "moved": Meaning("ratio", "either", "its keys and values moved"),
    "moved.nats": _nats("either", "its predictions moved"),
    "damage.synonym": _damage("lost by its synonym", "synonym"),
    "damage.look-alike": _damage("lost by its look-alike", "look-alike"),
    "damage.sibling": _damage("lost by its family", "sibling"),
    "damage.child": _damage("lost by its narrower kind", "child"),
    "damage.unrelated": _damage("lost by the rest of its kind", "unrelated"),
    "damage.composition": _damage("lost beside its name", "composition"),
    "damage.parent": _damage("lost beside its family's name", "parent"),
    "damage.by-distance": Meaning(
        "correlation",
        "either",
        "below 0: the near ones pay",
        "loss of kept concepts with their distance; below 0 the near ones pay",
    ),
    "resurgence": Meaning(
        "difference",
        "lower",
        "came back since its erasure",
        "presence now less that right after its erasure",
    ),
    "resurgence.found": Meaning("concepts", "lower", "came back, beyond chance"),
    "resurgence.reject": _share("lower", "shows nothing known"),
    "returned.nats": _nats(
        "lower",
        "more of it in the pictures",
        "by how much more the pictures say of it than the state's",
    ),
    "collateral": Meaning(
        "difference",
        "higher",
        "kept concepts, since the state",
        "how much less of what is kept shows what it names",
    ),
    "return.weights": Meaning(
        "ratio",
        "lower",
        "of the way back to the base",
        "share of the way back to the base, in the weights",
    ),
    "false-alarms": _share(
        "lower",
        "seen where it is not",
        "share of pictures of other things that are said to show it",
    ),
    "attack.inversion": _share("lower", "a found vector shows it"),
    "attack.prefix": _share("lower", "found words before it show it"),
    "attack.recovery": _share("lower", "a found map of tokens shows it"),
    "tiers.0-1": Meaning("correlation", "either", "weights foretell predictions"),
    "tiers.1-2": Meaning("correlation", "either", "predictions foretell pictures"),
    "tiers.0-2": Meaning("correlation", "either", "weights foretell pictures"),
}
"""What each reading says, by its name."""


def range_of(reading: str, *, of_base: bool) -> tuple[float, float]:
    """Return the smallest and the largest bound that a limit on a reading can have."""
    if of_base:
        return OF_BASE
    everything = (-float("inf"), float("inf"))
    return RANGES.get(MEANINGS[reading].unit, everything)
