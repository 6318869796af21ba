"""Methods that ask whether erasures hold in other hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks

if TYPE_CHECKING:
    from unlearnlog.audits.finetune_course import Finetuned
    from unlearnlog.commands.attack import Attacked, AttackRequest
    from unlearnlog.commands.audit import Audited, AuditRequest
    from unlearnlog.commands.finetune import FinetuneRequest
    from unlearnlog.commands.rebase import Rebased, RebaseRequest
    from unlearnlog.core.progress import Progress
    from unlearnlog.models.interface import Method
    from unlearnlog.policy import Policy


class HowToTrain(TypedDict, total=False):
    """How a fine-tune is run; see `AuditMethods.finetune`."""

    method: Method
    steps: int
    seeds: tuple[int, ...]
    batch: int
    rate: float
    rank: int
    twin: Path | None


class AuditMethods(OpenedLedger):
    """Audits, fine-tunes, attacks, and takes erasures up again elsewhere."""

    def audit(
        self,
        model: Folder,
        rev: str = "HEAD",
        *,
        policy: str | Policy = "",
        ema: bool = False,
        record: bool = False,
        accept_undecided: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Audited:
        """Ask whether anything came back in a model that was made of this one.

        Args:
            model: A fine-tuned folder, a trainer's checkpoint, a LoRA.
            rev: The revision that it was made of.
            policy: How it is looked at, and what decides; else as the ledger's
                configuration or the newest entry has it.
            ema: Whether to read the averaged copy of its weights.
            record: Whether to write the audit into the ledger.
            accept_undecided: Whether doubt is no reason for it not to pass.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Returns:
            What is to be said of each erased concept; ``verdict.passed`` is False where
            one came back or nobody can say.

        Raises:
            ModelError: It cannot be read, or is not of this model's shape.
            DeltaError: It is a LoRA of something else.
            WrongBase: It is no descendant of this model.
            UsageError: Nothing is erased at the revision, or nobody judges.
        """
        note = self._note(message, ref, recorded=record)
        asked = self._audit_request(model, rev, policy=policy, ema=ema)
        from unlearnlog.commands.audit import audit

        with self._watching(watch) as shown:
            request = replace(
                asked,
                record=record,
                accept_undecided=accept_undecided,
                watch=shown,
                note=note,
            )
            return audit(self.place, request)

    def _audit_request(
        self, model: Folder, rev: str, *, policy: str | Policy, ema: bool
    ) -> AuditRequest:
        rules = self.rules(policy, about=rev)
        checks.check_given(Path(model), "a folder, a checkpoint or a LoRA")
        checks.erased_at(self.chain, rev, so="nothing can have come back")
        self.check()
        from unlearnlog.commands.audit import AuditRequest

        return AuditRequest(Path(model), rules, rev, ema)

    def finetune(
        self,
        data: Folder,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        method: Method = "full",
        steps: int = 500,
        seeds: Sequence[int] = (0,),
        batch: int = 8,
        rate: float = 0.0,
        rank: int = 8,
        twin: Folder | None = None,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> Finetuned:
        """Fine-tune a revision here, and see when what is erased in it comes back.

        Args:
            data: A folder of pictures with captions; on the bundled model also
                ``unrelated``, ``sibling``, ``parent`` or ``target:N``.
            rev: Which revision.
            concepts: Erased ones that a word of ``data`` is about; none for all.
            method: What learns: ``full``, ``attention`` or ``lora``.
            steps: Of each fine-tune.
            seeds: One fine-tune for each.
            batch: Pictures a step.
            rate: Step size of AdamW; 0 for the method's own.
            rank: Of a LoRA.
            twin: A pipeline that never learned the concepts.
            policy: How much is looked at, how it is painted, who judges; else as the
                ledger's configuration or the newest entry has it.
            watch: Who wants to see it advance.

        Returns:
            The curve of each concept, its verdict, the forecasts; ``row()`` is JSON.

        Raises:
            UsageError: Nothing is erased there, nobody judges, or the data is no use.
            ModelError: The twin is no model, or one of another shape.
            TrainingError: A fine-tune did not converge.
        """
        asked = self._finetune_request(
            *(data, rev, concepts, policy),
            method=method,
            steps=steps,
            seeds=tuple(seeds),
            batch=batch,
            rate=rate,
            rank=rank,
            twin=None if twin is None else Path(twin),
        )
        from unlearnlog.commands.finetune import finetuned

        with self._watching(watch) as shown:
            return finetuned(self.place, replace(asked, watch=shown))

    def _finetune_request(
        self,
        data: Folder,
        rev: str,
        concepts: Sequence[str],
        policy: str | Policy,
        **training: Unpack[HowToTrain],
    ) -> FinetuneRequest:
        rules = self.rules(policy, about=rev)
        checks.check_lesson(str(data))
        live = checks.erased_at(self.chain, rev, so="nothing can come back")
        checks.check_erased(self._names(concepts), live, rev)
        if twin := training.get("twin"):
            checks.check_given(twin, "a pipeline")
        self.check()
        from unlearnlog.commands.finetune import FinetuneRequest

        return FinetuneRequest(rules, str(data), rev, tuple(concepts), **training)

    def attack(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        attacks: Sequence[str] = (),
        budget: str = "small",
        twin: Folder | None = None,
        record: bool = False,
        policy: str | Policy = "",
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Attacked:
        """Look for words and vectors that bring erased concepts back.

        Args:
            rev: At which revision.
            concepts: Erased ones; none for all of them.
            attacks: ``inversion``, ``prefix``, ``recovery``; none for all of them.
            budget: How much each may do: ``small`` or ``standard``.
            twin: A pipeline that never learned the concepts.
            record: Whether to keep what is found in the ledger, for later steps to try.
            policy: How it is looked at, and which limits hold; else as the ledger's
                configuration or the newest entry has it.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Returns:
            Each attack beside its null controls; ``verdict`` is the policy's.

        Raises:
            ConceptError: A concept is not erased there, or nothing is.
            UsageError: There is no such attack or budget, or nobody to judge.
            ModelError: The twin is no model, or one of another shape.
        """
        note = self._note(message, ref, recorded=record)
        asked = self._attack_request(
            *(rev, concepts, attacks, policy), budget=budget, twin=twin
        )
        from unlearnlog.commands.attack import attacked

        with self._watching(watch) as shown:
            request = replace(asked, record=record, note=note, watch=shown)
            return attacked(self.place, request)

    def _attack_request(
        self,
        rev: str,
        concepts: Sequence[str],
        attacks: Sequence[str],
        policy: str | Policy,
        *,
        budget: str,
        twin: Folder | None,
    ) -> AttackRequest:
        rules = self.rules(policy, about=rev)
        for name in attacks:
            checks.check_known("attack", name, checks.ATTACKS)
        checks.check_known("budget", budget, checks.BUDGETS)
        live = checks.erased_at(self.chain, rev, so="there is nothing to attack")
        checks.check_erased(self._names(concepts), live, rev)
        if twin is not None:
            checks.check_given(Path(twin), "a pipeline")
        self.check()
        from unlearnlog.commands.attack import AttackRequest

        return AttackRequest(
            *(rules, rev, tuple(concepts), tuple(attacks)),
            budget=budget,
            twin=None if twin is None else Path(twin),
        )

    def rebase(
        self,
        onto: Folder,
        folder: Folder,
        rev: str = "HEAD",
        *,
        policy: str | Policy = "",
        ema: bool = False,
        accept_undecided: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Rebased:
        """Begin a ledger on what was made of this model, with every erasure anew.

        Args:
            onto: A fine-tuned folder, a trainer's checkpoint, a LoRA.
            folder: A new folder, for the new ledger.
            rev: Whose erasures, and what it was made of.
            policy: How it is measured, and what must hold; else as the ledger's
                configuration or the newest entry has it.
            ema: Whether to take the averaged copy of its weights.
            accept_undecided: Whether doubt is no reason to refuse an erasure.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Raises:
            Refused: The policy refuses one of the erasures; nothing is left behind.
            WrongBase: It is no descendant of this model.
            UsageError: Nothing is erased, or the folder is there already.
        """
        note = self._note(message, ref)
        asked = self._rebase_request(onto, folder, rev, policy=policy, ema=ema)
        from unlearnlog.commands.rebase import rebase

        with self._watching(watch) as shown:
            request = replace(
                asked, accept_undecided=accept_undecided, watch=shown, note=note
            )
            return rebase(self.place, request)

    def _rebase_request(
        self,
        onto: Folder,
        folder: Folder,
        rev: str,
        *,
        policy: str | Policy,
        ema: bool,
    ) -> RebaseRequest:
        rules = self.rules(policy, about=rev)
        checks.check_given(Path(onto), "a folder, a checkpoint or a LoRA")
        checks.check_new_folder(Path(folder))
        checks.erased_at(self.chain, rev, so="there is nothing to erase anew")
        self.check()
        from unlearnlog.commands.rebase import RebaseRequest

        return RebaseRequest(Path(onto), Path(folder), rules, rev, ema)

    def _names(self, concepts: Sequence[str]) -> list[str]:
        """Return the names of what somebody may call by another one."""
        return [self.world.known(name).name for name in concepts]
