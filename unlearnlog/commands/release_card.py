"""The card and the report of a release: what was erased, how well, and its limits.

Neither names a changed tensor, a setting of an eraser or a digest of a delta: with them
it would take less to undo an erasure (https://arxiv.org/abs/2603.06640).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog import __version__
from unlearnlog.core.doubt import doubts
from unlearnlog.core.reading_registry import MEANINGS
from unlearnlog.findings.attack_history import attacks
from unlearnlog.findings.markdown_text import in_markdown

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.reading import Reading

REPORT: Final = "REPORT.md"
PROVENANCE: Final = "provenance.json"

WARNING: Final = """\
**Keep the ledger private.** Whoever holds the ledger's changes can take them back: a
public ledger is an antidote. To publish *where* an edit lies helps to undo it as well
([arXiv 2603.06640](https://arxiv.org/abs/2603.06640)), so this release names no changed
layer, no setting of the method and no digest of a change. What the weights themselves
show beside those of the base is all that it gives away."""

_LIMITS: Final = (
    "That a concept is not painted for the prompts below does not mean that nothing of "
    "it is left: other prompts, other languages, inverted embeddings and fine-tuning "
    "were tried only as far as the tables say.",
    "Each number is an estimate from n pictures with a 95 % interval; a judge decided "
    "what a picture shows, and a judge can be wrong.",
    "Concepts near an erased one can suffer; the report has what was measured of it.",
)


@dataclass(frozen=True)
class Released:
    """The subject of a release.

    Attributes:
        base: The base's name.
        licence: Its licence; empty where it is not known.
        history: Every entry up to the revision, oldest first.
        live: Entry and concept of each erased concept, by name.
    """

    base: str
    licence: str
    history: Sequence[tuple[EntryId, Entry]]
    live: Mapping[str, tuple[EntryId, Concept]]

    @property
    def entries(self) -> list[Entry]:
        """The entries, oldest first."""
        return [entry for _, entry in self.history]


def card(of: Released) -> str:
    """Return the Markdown of the model card, without its metadata."""
    names, doubted = ", ".join(of.live), doubts(of.history)
    licence = of.licence or "that of the base, whose card names none"
    parts = [
        f"# {in_markdown(of.base)} without {in_markdown(names)}",
        f"A copy of {in_markdown(of.base)} from which {in_markdown(names)} "
        f"{'was' if len(of.live) == 1 else 'were'} erased with unlearnlog "
        f"{__version__}. It loads like the base:",
        "```python\nfrom diffusers import DiffusionPipeline\n\n"
        'pipeline = DiffusionPipeline.from_pretrained("PATH")\n```',
        "## What was erased, and the measured effect",
        *_table(_EFFECT, _effects(of)),
        *_doubts(doubted),
        "## Limits",
        "\n".join(f"- {line}" for line in [*_LIMITS, *_verdict(of)]),
        WARNING,
        "## Licence",
        f"Licence: {in_markdown(licence)}. The erasure adds no terms of its own.",
        f"All readings are in [{REPORT}]({REPORT}); what this was made of is in "
        f"[{PROVENANCE}]({PROVENANCE}).",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def report(of: Released) -> str:
    """Return the report: the newest reading of each probe and concept, and attacks."""
    parts = [
        f"# What was measured on {in_markdown(of.base)} without "
        f"{in_markdown(', '.join(of.live))}",
        *_table(_READ, _readings(of)),
        "## Attacks",
        *(_table(_TRIED, _attacks(of)) or ["None was recorded."]),
        "## Verdicts",
        *_table(_JUDGED, _verdicts(of)),
    ]
    return "\n\n".join(parts) + "\n"


_EFFECT: Final = ("erased", "kind", "method", "shows in", "95 %", "n", "base")
_READ: Final = ("reading", "of", "value", "unit", "95 %", "n", "base")
_TRIED: Final = ("attack", "on", "verdict")
_JUDGED: Final = ("recorded", "what", "method", "policy", "verdict")


def _effects(of: Released) -> Iterator[Sequence[str]]:
    """Yield a row for each erased concept."""
    newest = _newest(of)
    for name, (by, concept) in of.live.items():
        found = newest.get(("presence", name))
        entry = dict(of.history)[by]
        cells = _numbers(found) if found else ("not measured", "", "", "")
        yield (name, concept.kind, entry.eraser.name, *cells)


def _readings(of: Released) -> Iterator[Sequence[str]]:
    for (probe, concept), reading in sorted(_newest(of).items()):
        title = MEANINGS[probe].title if probe in MEANINGS else probe
        value, interval, n, base = _numbers(reading)
        yield title, concept or "all", value, reading.unit, interval, n, base


def _attacks(of: Released) -> Iterator[Sequence[str]]:
    for each in attacks(of.entries):
        yield each.attack, each.concept, each.verdict


def _verdicts(of: Released) -> Iterator[Sequence[str]]:
    for entry in of.entries:
        names = ", ".join(concept.name for concept in entry.concepts)
        subject = f"{entry.kind} {names}".strip()
        said = "; ".join([*entry.verdict.failures, *entry.verdict.undecided])
        word = f"{entry.verdict.word}: {said}" if said else entry.verdict.word
        yield entry.date[:10], subject, entry.eraser.name, entry.policy, word


def _verdict(of: Released) -> Iterator[str]:
    """Yield what the policy left open or failed at the newest entry."""
    verdict = of.entries[-1].verdict
    for what, lines in (("Failed", verdict.failures), ("Open", verdict.undecided)):
        yield from (f"{what}: {in_markdown(line)}." for line in lines)


def _doubts(doubted: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if doubted:
        lines = (
            f"- {in_markdown(name)}: {in_markdown('; '.join(why))}"
            for name, why in doubted.items()
        )
        yield "\n".join(["In doubt, and not to be relied on:\n", *lines])


def _newest(of: Released) -> dict[tuple[str, str], Reading]:
    """Return the newest reading of each probe on each concept."""
    return {(r.probe, r.concept): r for e in of.entries for r in e.readings}


def _numbers(reading: Reading) -> tuple[str, str, str, str]:
    base = "" if reading.base is None else f"{reading.base:.3f}"
    interval = f"{reading.low:.3f} to {reading.high:.3f}"
    return f"{reading.value:.3f}", interval, str(reading.n), base


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    """Return a Markdown table; nothing where there is no row."""
    lines = [f"| {' | '.join(in_markdown(cell) for cell in row)} |" for row in rows]
    if not lines:
        return []
    return ["\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])]
