"""A derived model beside the state it was made of: findings on each erased concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from unlearnlog.audits.attacks.new_token import NewToken
from unlearnlog.audits.comparison import ComparedConcept, Comparison
from unlearnlog.audits.return_coefficient import return_coefficient
from unlearnlog.audits.verdict import (
    AuditFinding,
    ConceptEvidence,
    VerdictRules,
    findings,
)
from unlearnlog.checkpoints.embedding_files import NO_EMBEDDINGS, Embeddings
from unlearnlog.checkpoints.finetuned_model import FinetunedModel
from unlearnlog.checkpoints.swapped_vae import BASES, OWN
from unlearnlog.commands.judge_choice import (
    check_alone,
    check_kept,
    runner_for,
    what_judges,
)
from unlearnlog.commands.more_samples import alone
from unlearnlog.errors import UsageError
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.runner import ProbePlan

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

_READS_LATENTS: Final = "base"
"""Name of the judge for which no autoencoder changes a picture."""


@dataclass(frozen=True)
class AuditSession:
    """The context of an audit.

    Attributes:
        at: The session at the audited revision.
        live: The concepts erased there.
        made: The derived model.
        policy: Sample sizes, sampling settings, judge and margins.
        watch: Receives the progress of the work.
        handed: The textual inversions that are tried on it.
    """

    at: Session
    live: Sequence[Concept]
    made: FinetunedModel
    policy: Policy
    watch: Progress
    handed: Embeddings = NO_EMBEDDINGS

    @cached_property
    def audience(self) -> Comparison:
        """The comparison of both models, with its runner and kept prompts.

        An autoencoder that replaced the base's is not used.
        """
        book, sizes = self.at.book(self.live), self.policy.probes
        runner = runner_for(self.at, self.policy, book, self.watch)
        names = {concept.name for concept in self.live}
        kept = book.kept(names, sizes.kept, sizes.kept_share)
        then = self.at.weights(self.at.head)
        return Comparison(runner, then, self.made.weights, kept)

    @cached_property
    def views(self) -> dict[str, Comparison]:
        """The comparisons by the autoencoder that paints; one without a name for most.

        A model with an autoencoder of its own is compared with both. The base as judge
        reads latents, for which its own changes nothing.
        """
        if not self.made.own_vae:
            return {"": self.audience}
        found = {BASES: self.audience}
        judge = self.audience.panel.judge
        if judge is not None and judge.name != _READS_LATENTS:
            found[OWN] = replace(self.audience, now=self.made.whole)
        return found

    def question(self, concept: Concept, n: int) -> ComparedConcept:
        """Return the prompts of a concept, ``n`` pictures per cell."""
        book = self.at.book(self.live)
        cells = alone(book, concept, n, {each.name for each in self.live})
        n_nats = self.policy.probes.information
        return ComparedConcept(
            concept, cells, book.information(cells[:n_nats], concept)
        )

    def findings(self) -> tuple[AuditFinding, ...]:
        """Return a finding for each concept; paint more where pictures are too few."""
        policy = self.policy
        self._check()
        rules = VerdictRules(
            policy.audit.margin,
            policy.audit.false_alarms,
            policy.require.base_presence,
        )
        n = policy.probes.erased
        for view in self.views.values():
            view.prepare([self.question(concept, n) for concept in self.live])
        targets = [
            (through, concept, new)
            for through in self.views
            for new in (None, *self.newcomers)
            for concept in self.live
        ]
        evidence = [self._evidence(*each, n) for each in targets]
        first = findings(evidence, rules)
        if not any(each.wide for each in first):
            return first
        closer = (
            self._evidence(*each, policy.audit.closer) if found.wide else one
            for each, one, found in zip(targets, evidence, first, strict=True)
        )
        return findings([*closer], rules)

    @property
    def newcomers(self) -> tuple[NewToken, ...]:
        """The tokens that were added, any of which may stand for an erased concept."""
        return tuple(
            NewToken(token, vectors, handed=token in self.handed.tokens)
            for token, vectors in self.made.tokens.items()
        )

    def _evidence(
        self, through: str, concept: Concept, new: NewToken | None, n: int
    ) -> ConceptEvidence:
        """Return the evidence for a concept, prompted by its name or by a new token.

        A token that was handed to the audit is tried beside random vectors, which show
        what any vectors do, and on the base, which shows what it carries.
        """
        compared, view = self.question(concept, n), self.views[through]
        evidence = replace(view.sight(compared), through=through)
        if new is None:
            return evidence
        runner, model = view.panel, self.at.model
        shown = new.shows(compared, runner, model, view.now)
        found = replace(evidence, now=shown, token=new.token)
        if not new.handed:
            return found
        return replace(
            found,
            at_random=new.at_random().shows(compared, runner, model, view.now),
            carried=new.shows(compared, runner, model, None),
        )

    def _check(self) -> None:
        """Refuse an audit that cannot be judged, before anything is painted."""
        if self.audience.panel.judge is None:
            raise UsageError(
                "no judge configured: cannot audit",
                fix=what_judges(
                    self.at, "give --judge base, or the folder of a CLIP model"
                ),
            )
        check_kept(self.audience.kept)
        names = {concept.name for concept in self.live}
        check_alone(self.at.book(self.live), self.live, names)

    def readings(self, found: Sequence[AuditFinding]) -> list[Reading]:
        """Return the readings behind the findings, and those of kept concepts."""
        rows: list[Reading] = []
        for each in found:
            name = each.called
            rows += [
                reading(About("presence", name, "lower"), each.now, each.base.value),
                reading(About("resurgence", name, "lower", "difference"), each.back),
                reading(About("false-alarms", name, "lower"), each.control),
            ]
        for concept in self.live:
            compared = self.question(concept, self.policy.probes.erased)
            rows += self.audience.nats(compared)
        rows += self.audience.collateral()
        kept = ProbePlan((), kept=self.audience.kept)
        rows += Presence().readings(self.audience.panel.looked(kept, self.made.weights))
        rows += return_coefficient(
            self.made.weights, self.audience.then, self.at.model.base
        )
        return rows
