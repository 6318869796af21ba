"""Audits, fine-tunes, attacks and rebases, as methods of the ledger."""

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
    """Settings of a fine-tune; see `AuditMethods.finetune`."""

    method: Method
    steps: int
    seeds: tuple[int, ...]
    batch: int
    rate: float
    rank: int
    twin: Path | None


class AuditMethods(OpenedLedger):
    """Methods that test the erasures in derived models, and repeat them there."""

    def audit(
        self,
        model: Folder,
        rev: str = "HEAD",
        *,
        embeddings: Sequence[Folder] = (),
        policy: str | Policy = "",
        ema: bool = False,
        record: bool = False,
        accept_undecided: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Audited:
        """Test whether erased concepts came back in a model derived from this one.

        Args:
            model: A fine-tuned diffusers folder, a trainer's checkpoint, a LoRA file,
                or a file of textual inversion to try on the revision itself.
            rev: The revision that the model was derived from.
            embeddings: Files of textual inversion to try on the model.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            ema: Whether to read the EMA copy of its weights.
            record: Whether to append the audit to the branch as an entry.
            accept_undecided: Whether the audit passes although findings are undecided.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            A finding for each erased concept, with the shares of pictures that show it
            and their intervals; ``verdict.passed`` is False where a concept came back
            or is undecided.

        Raises:
            ModelError: The model cannot be read, or has other shapes.
            DeltaError: The LoRA is of another model.
            WrongBase: The model is not derived from this one.
            UsageError: Nothing is erased at the revision, or no judge is configured.

        Example::

            audited = ledger.audit("my-fine-tune", record=True, message="release 2")
            for finding in audited.findings:
                print(finding.called, finding.word)
        """
        note = self._note(message, ref, recorded=record)
        asked = self._audit_request(
            model, rev, embeddings=embeddings, policy=policy, ema=ema
        )
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
        self,
        model: Folder,
        rev: str,
        *,
        embeddings: Sequence[Folder] = (),
        policy: str | Policy,
        ema: bool,
    ) -> AuditRequest:
        rules = self.rules(policy, about=rev)
        checks.check_given(Path(model), "a folder, a checkpoint or a LoRA")
        files = tuple(map(Path, embeddings))
        for file in files:
            checks.check_given(file, "a file of textual inversion")
        checks.erased_at(self.chain, rev, so="nothing can have come back")
        self.check()
        from unlearnlog.commands.audit import AuditRequest

        return AuditRequest(Path(model), rules, rev, ema, files)

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
        """Fine-tune a revision, and measure when erased concepts come back.

        Args:
            data: A folder of pictures with captions; for the bundled model also
                ``unrelated``, ``sibling``, ``parent`` or ``target:N``.
            rev: The revision to fine-tune.
            concepts: Erased concepts that a word of ``data`` refers to; none for all.
            method: The parameters that are trained: ``full``, ``attention`` or
                ``lora``.
            steps: Optimizer steps of each fine-tune.
            seeds: Seeds, one fine-tune each.
            batch: Pictures per step.
            rate: Learning rate of AdamW; 0 for the method's default.
            rank: Rank of the LoRA.
            twin: Folder of a pipeline of the same recipe that was never trained on the
                concepts; None for no control.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            watch: Receives the progress of the work.

        Returns:
            The curve, verdict and forecast of each concept; ``row()`` gives values for
            JSON.

        Raises:
            UsageError: Nothing is erased there, no judge is configured, or the data is
                invalid.
            ModelError: The twin cannot be loaded, or has other shapes.
            TrainingError: A fine-tune did not converge.

        Example::

            found = ledger.finetune("captioned-pictures", method="lora", steps=200)
            print(found.verdicts)
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
        """Search for prompts and embeddings that bring erased concepts back.

        Args:
            rev: The revision to attack.
            concepts: Names of erased concepts; none for all of them.
            attacks: ``inversion``, ``prefix``, ``recovery``; none for all of them.
            budget: Search budget of each attack: ``small`` or ``standard``.
            twin: Folder of a pipeline of the same recipe that was never trained on the
                concepts; None for no control.
            record: Whether to keep the attacks in the ledger, to be tried again on
                later entries.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            Each attack beside its null controls; ``verdict`` is the policy's.

        Raises:
            ConceptError: A concept is not erased there, or nothing is.
            UsageError: The attack or the budget is unknown, or no judge is configured.
            ModelError: The twin cannot be loaded, or has other shapes.

        Example::

            done = ledger.attack(concepts=["Picasso"], attacks=["inversion"])
            for result in done.results:
                print(result.attack, result.concept, result.verdict)
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
        """Create a ledger for a derived model, and repeat every erasure there.

        Args:
            onto: A fine-tuned diffusers folder, a trainer's checkpoint, or a LoRA file.
            folder: A new folder, for the new ledger.
            rev: The revision with the erasures, which the model was derived from.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            ema: Whether to take the EMA copy of its weights.
            accept_undecided: Whether to record erasures whose limits are undecided.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            The new ledger's folder and entries, with a finding for each concept before
            and after.

        Raises:
            Refused: The policy refuses one of the erasures; no folder is left.
            WrongBase: The model is not derived from this one.
            UsageError: Nothing is erased, or the folder exists already.

        Example::

            done = ledger.rebase("my-fine-tune", "my-fine-tune-ledger")
            print([entry.id for entry in done.entries])
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
        """Return the canonical names of concepts given by any name."""
        return [self.world.known(name).name for name in concepts]
