"""The findings of a history, its concepts and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnlog.core.gc_pause import uncollected
from unlearnlog.findings.attack_history import TriedAttack
from unlearnlog.findings.audit_history import Audit
from unlearnlog.findings.concept_damage import graph
from unlearnlog.findings.information_over_time import nats, relations
from unlearnlog.findings.judgement import judgement, weakest
from unlearnlog.findings.report_parts import BeforeAfter, Findings, Method
from unlearnlog.findings.step import Step
from unlearnlog.findings.triangle import triangle

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class Subject:
    """The subject of a report.

    Attributes:
        model: The base's name.
        base: Its digest.
        revision: The revision as the user typed it.
        world: The concepts.
        policy: The last entry's policy; None where there is none of that name.
        recorded: Whether the entry itself holds it; else it is today's of that name.
        audits: Audits of models made from it.
        attacks: Attacks on its erasures.
    """

    model: str
    base: str
    revision: str
    world: ConceptSet
    policy: Policy | None
    recorded: bool = False
    audits: tuple[Audit, ...] = ()
    attacks: tuple[TriedAttack, ...] = ()


@uncollected()
def gather(
    subject: Subject,
    steps: Sequence[Step],
    pairs: Sequence[BeforeAfter] = (),
    unpainted: int = 0,
) -> Findings:
    """Return the contents of a report.

    Args:
        subject: Its subject.
        steps: The history up to the revision, oldest first; at least one.
        pairs: Pictures before and after.
        unpainted: Number of pairs that were not painted.
    """
    rows = triangle(steps)
    return Findings(
        model=subject.model,
        base=subject.base,
        revision=subject.revision,
        judgement=judgement(steps, subject.policy, subject.model),
        weakest=weakest(steps, rows),
        steps=tuple(steps),
        pairs=tuple(pairs),
        unpainted=unpainted,
        graph=graph(steps, subject.world),
        triangle=rows,
        nats=nats(steps),
        relations=relations(steps),
        method=_method(subject, steps[-1]),
        audits=subject.audits,
        attacks=subject.attacks,
    )


def _method(subject: Subject, last: Step) -> Method:
    policy, made_with = subject.policy, last.entry.made_with
    if policy is None:
        return Method(
            policy=last.entry.policy,
            known=False,
            rules="",
            judge="",
            sampling="",
            limits=(),
            probes={},
            made_with=made_with,
        )
    sampling = policy.sampling
    return Method(
        policy=policy.name,
        known=True,
        rules=(last.entry.rules_digest or "") if subject.recorded else "",
        judge=str(policy.rules["judge"]),
        sampling=f"{sampling.steps} steps, guidance {sampling.guidance:g}",
        limits=tuple(limit.text for limit in policy.limits),
        probes=policy.probes.model_dump(exclude={"prompts"}),
        made_with=made_with,
    )
