"""``audit``: did anything come back in what somebody made of a state?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.look import Audience, Question
from unlearnlog.audits.newcomer import Newcomer
from unlearnlog.audits.verdict import Finding, Rules, Sight, findings
from unlearnlog.audits.weight import return_coefficient
from unlearnlog.entry import EraserRecord, VerdictRecord
from unlearnlog.errors import Refused, UsageError
from unlearnlog.findings.audited import KIND, WORDS
from unlearnlog.live import live_concepts
from unlearnlog.model.derived import Derived, State, derived
from unlearnlog.probes.panel import Asked
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.probe import About, reading
from unlearnlog.run.again import until_recorded
from unlearnlog.run.closer import alone
from unlearnlog.run.judging import check_alone, check_kept, panel_for
from unlearnlog.run.record import Draft
from unlearnlog.watch import Unwatched

if TYPE_CHECKING:
    from unlearnlog.concept import Concept
    from unlearnlog.entry import Entry, EntryId
    from unlearnlog.note import Note
    from unlearnlog.policy import Policy
    from unlearnlog.reading import Reading
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


@dataclass(frozen=True)
class Wish:
    """What somebody wants to know.

    Attributes:
        path: What was made of the model: a folder, a file, a LoRA.
        policy: How much is looked at, how it is painted, who judges, what decides.
        rev: The state that it was made of.
        ema: Whether to read the averaged copy of its weights.
        record: Whether to write it into the ledger.
        accept_undecided: Whether doubt is no reason to refuse.
        watch: Who wants to see it advance.
        note: What people say of it, where it is recorded.
    """

    path: Path
    policy: Policy
    rev: str = "HEAD"
    ema: bool = False
    record: bool = False
    accept_undecided: bool = False
    watch: Watch = field(default_factory=Unwatched)
    note: Note | None = None


@dataclass(frozen=True)
class Audited:
    """What an audit found.

    Attributes:
        rev: The entry whose state it was held against.
        made: What was audited.
        findings: What is to be said of each erased concept.
        readings: All that was read.
        verdict: Whether it passes, and what does not.
        entry: The entry, where it was recorded.
    """

    rev: EntryId
    made: Derived
    findings: tuple[Finding, ...]
    readings: tuple[Reading, ...]
    verdict: VerdictRecord
    entry: Entry | None = None

    def __repr__(self) -> str:
        said = ", ".join(f"{each.called} {each.word}" for each in self.findings)
        return f"<Audited {self.made.path} against {self.rev[:12]}: {said}>"

    def row(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            "model": str(self.made.path),
            "form": self.made.form,
            "sha256": self.made.sha256,
            "at": self.rev,
            "tensors": self.made.n_tensors,
            "moved": dict(self.made.moved),
            "notes": list(self.made.notes),
            **({"tokens": [*self.made.tokens]} if self.made.tokens else {}),
            "concepts": [row_of(each) for each in self.findings],
            "readings": [each.row() for each in self.readings],
            "verdict": self.verdict.row(),
            "entry": self.entry and self.entry.id,
        }


def audit(at: Place, wish: Wish) -> Audited:
    """Hold what somebody made of a state against that state.

    Raises:
        NoLedger: There is none.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there.
        ModelError: What is audited cannot be read, or is not of this model's shape.
        DeltaError: It is a LoRA of something else.
        WrongBase: It is no descendant of this model.
    """
    head, now = at.resolved(wish.rev), at.pinned()
    at = replace(now, pin=(head, at.the_ledger().branch))
    live = [concept for _, concept in live_concepts(at.history()).values()]
    if head is None or not live:
        raise UsageError(
            f"nothing is erased at '{wish.rev}', so nothing can have come back",
            fix="name a revision with an erasure: unlearnlog log",
        )
    made = derived(wish.path, State(at.model, at.weights(head)), ema=wish.ema)
    desk = Desk(at, live, made, wish)
    found = desk.findings()
    audited = Audited(
        rev=head,
        made=made,
        findings=found,
        readings=tuple(desk.readings(found)),
        verdict=verdict_of(found, accepted=wish.accept_undecided),
    )
    return _recorded(now, live, audited, wish) if wish.record else audited


@dataclass(frozen=True)
class Desk:
    """Everything that an audit looks with.

    Attributes:
        at: The state.
        live: What is erased in it.
        made: What was made of it.
        wish: How it is looked at.
    """

    at: Place
    live: Sequence[Concept]
    made: Derived
    wish: Wish

    @cached_property
    def audience(self) -> Audience:
        """Who looks, and at which weights."""
        book, sizes = self.at.book(self.live), self.wish.policy.probes
        panel = panel_for(self.at, self.wish.policy, book, self.wish.watch)
        names = {concept.name for concept in self.live}
        kept = book.kept(names, sizes.kept, sizes.kept_share)
        then = self.at.weights(self.at.head)
        return Audience(panel, then, self.made.weights, kept)

    def question(self, concept: Concept, n: int) -> Question:
        """Return the questions of an entry's own readings, ``n`` pictures of a cell."""
        book = self.at.book(self.live)
        cells = alone(book, concept, n, {each.name for each in self.live})
        n_nats = self.wish.policy.probes.information
        return Question(concept, cells, book.information(cells[:n_nats], concept))

    def findings(self) -> tuple[Finding, ...]:
        """Look, and once more at more pictures where the first ones decide nothing."""
        policy = self.wish.policy
        self._check()
        rules = Rules(
            policy.audit.margin,
            policy.audit.false_alarms,
            policy.require.base_presence,
        )
        asked = [(c, new) for new in (None, *self.newcomers) for c in self.live]
        sights = [self._sight(*each, policy.probes.erased) for each in asked]
        first = findings(sights, rules)
        if not any(each.wide for each in first):
            return first
        closer = (
            self._sight(*each, policy.audit.closer) if found.wide else sight
            for each, sight, found in zip(asked, sights, first, strict=True)
        )
        return findings([*closer], rules)

    @property
    def newcomers(self) -> tuple[Newcomer, ...]:
        """The tokens that were added, any of which may say what a name said."""
        return tuple(Newcomer(*each) for each in self.made.tokens.items())

    def _sight(self, concept: Concept, new: Newcomer | None, n: int) -> Sight:
        """Look for a concept by its name, or by a new token in the name's place."""
        asked = self.question(concept, n)
        sight = self.audience.sight(asked)
        if new is None:
            return sight
        panel, weights = self.audience.panel, self.audience.now
        shown = new.shows(asked, panel, self.at.model, weights)
        return replace(sight, now=shown, token=new.token)

    def _check(self) -> None:
        """Refuse what nobody can answer, before anything is painted."""
        if self.audience.panel.judge is None:
            raise UsageError(
                "nobody judges, so nobody can say what came back",
                fix="give --judge base, or the folder of a CLIP model",
            )
        check_kept(self.audience.kept)
        names = {concept.name for concept in self.live}
        check_alone(self.at.book(self.live), self.live, names)

    def readings(self, found: Sequence[Finding]) -> list[Reading]:
        """Return every number behind the findings, and what became of all else."""
        rows: list[Reading] = []
        for each in found:
            name = each.called
            rows += [
                reading(About("presence", name, "lower"), each.now, each.base.value),
                reading(About("resurgence", name, "lower", "difference"), each.back),
                reading(About("false-alarms", name, "lower"), each.control),
            ]
        for concept in self.live:
            asked = self.question(concept, self.wish.policy.probes.erased)
            rows += self.audience.nats(asked)
        rows += self.audience.collateral()
        kept = Asked((), kept=self.audience.kept)
        rows += Presence().readings(self.audience.panel.looked(kept, self.made.weights))
        rows += return_coefficient(
            self.made.weights, self.audience.then, self.at.model.base
        )
        return rows


def refuse(said: VerdictRecord, *, fix: str) -> None:
    """Raise what a verdict means that did not pass.

    Args:
        said: The verdict.
        fix: What to do where something came back.

    Raises:
        Refused: Something came back, or nobody can say.
    """
    if said.may_stand:
        return
    what = "something came back" if said.failures else "the audit decides nothing"
    if not said.failures:
        fix = "where pictures are too few, a policy's probes.erased and audit.closer "
        fix += "ask for more; to pass all the same, add --accept-undecided"
    raise Refused(f"{what}: {'; '.join(said.failures or said.undecided)}", fix=fix)


def verdict_of(found: Sequence[Finding], *, accepted: bool) -> VerdictRecord:
    """Say whether an audit passes.

    Args:
        found: What is to be said of each concept.
        accepted: Whether doubt is no reason to refuse.
    """
    failures = tuple(f"{f.called} {f.why}" for f in found if f.word == "resurged")
    undecided = tuple(f"{f.called}: {f.why}" for f in found if f.word == "undecided")
    return VerdictRecord.of(failures, undecided, accepts_doubt=accepted)


def _recorded(
    at: Place, live: Sequence[Concept], audited: Audited, wish: Wish
) -> Audited:
    """Append the audit to the branch; the weights stay as they are."""
    made = audited.made
    about = EraserRecord(
        name=KIND,
        settings={
            "model": made.path.name.encode("utf-8", "replace").decode(),
            "form": made.form,
            "sha256": made.sha256,
            "at": audited.rev,
            "ema": wish.ema,
            **({"tokens": tuple(made.tokens)} if made.tokens else {}),
            **_said(audited.findings),
        },
    )
    draft = Draft("audit", tuple(live), about, (), policy=wish.policy, note=wish.note)

    def on(here: Place) -> Entry:
        state = here.the_ledger().state(here.head, here.model.base)
        entry = draft.concluded(here, state, audited.readings, audited.verdict)
        here.record(entry)
        return entry

    return replace(audited, entry=until_recorded(at, wish.watch, on))


def _said(found: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    """Return the concepts by what is said of them; no word that is said of none."""
    by_word = {w: tuple(f.called for f in found if f.word == w) for w in WORDS}
    return {word: names for word, names in by_word.items() if names}


def row_of(finding: Finding) -> dict[str, Any]:
    """Give what is said of a concept as JSON."""
    data = asdict(finding)
    data["verdict"] = data.pop("word")
    del data["wide"]
    if not finding.token:
        del data["token"]
    return data
