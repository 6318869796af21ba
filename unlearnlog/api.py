"""The ledger as a Python object, for scripts and notebooks.

Example::

    from unlearnlog import Ledger

    ledger = Ledger.init("my-ledger")
    ledger.add("Picasso")
    ledger.checkout("HEAD", "without-picasso")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from unlearnlog.errors import ConceptError, NoLedger, UsageError
from unlearnlog.ledger import Ledger as Chain
from unlearnlog.naming import one_name

if TYPE_CHECKING:
    from unlearnlog.audits.course import Finetuned
    from unlearnlog.concept import Concept
    from unlearnlog.entry import Entry
    from unlearnlog.findings.content import Findings
    from unlearnlog.model.protocol import Method
    from unlearnlog.policy import Policy
    from unlearnlog.run.attack import Attacked
    from unlearnlog.run.audit import Audited
    from unlearnlog.run.compose import Composed
    from unlearnlog.run.erase import Order, Outcome
    from unlearnlog.run.export import Exported
    from unlearnlog.run.place import Place
    from unlearnlog.run.rebase import Rebased
    from unlearnlog.run.undo import Reverted
    from unlearnlog.watch import Watch

Folder = str | Path
Pipeline = TypeVar("Pipeline")


class Ledger:
    """A model's history of erasures.

    Nothing is loaded before it is needed: to read the history takes no model.

    Attributes:
        folder: Where the ledger is, or where `add` will create it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Use `init` or `open`."""
        self.folder = folder
        self._settings = settings

    @classmethod
    def init(cls, folder: Folder = ".", model: str = "atelier") -> Self:
        """Create an empty ledger for a model.

        Args:
            folder: Where; made if it is not there.
            model: ``atelier``, a diffusers folder, or a hub id with a pinned commit,
                ``owner/name@commit``.

        Raises:
            LedgerError: There is a ledger already.
            ModelError: The model is no pipeline this tool knows.
        """
        from unlearnlog.run.place import init

        return cls(init(Path(folder).absolute(), model).folder, {})

    @classmethod
    def open(
        cls,
        folder: Folder = ".",
        *,
        may_create: bool = False,
        concepts: Path | None = None,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> Self:
        """Open the ledger of a folder or of the nearest folder above it.

        Args:
            folder: Where to begin to look.
            may_create: Whether `add` may create one here, for the bundled model.
            concepts: A TOML file of concepts; else the one that suits the model.
            device: Where the model computes: cpu, cuda, mps.
            dtype: What its UNet computes in: float32, bfloat16 or float16.

        Raises:
            NoLedger: There is none.
        """
        start = Path(folder).absolute()
        try:
            start = Chain.find(start).folder
        except NoLedger:
            if not may_create:
                raise
        return cls(start, {"concepts": concepts, "device": device, "dtype": dtype})

    @property
    def chain(self) -> Chain:
        """The entries on disk, as they are now.

        Raises:
            NoLedger: There is none yet.
        """
        return Chain.open(self.folder)

    @property
    def exists(self) -> bool:
        """Whether there is a ledger already."""
        try:
            return bool(self.chain)
        except NoLedger:
            return False

    def entries(self, rev: str = "HEAD") -> list[Entry]:
        """List the entries up to a revision, oldest first."""
        chain = self.chain
        return [entry for _, entry in chain.history(chain.resolve(rev))]

    def concept(
        self,
        name: str,
        kind: str = "",
        *,
        aliases: Sequence[str] = (),
        anchor: str = "",
        parent: str = "",
        prompts: Sequence[str] = (),
    ) -> Concept:
        """Return what a name means, with what somebody says of it.

        Args:
            name: A name of the concept file's, or a new one.
            kind: ``style``, ``subject``, ...; for a name that no file knows.
            aliases: Its other names.
            anchor: What takes its place.
            parent: Its family.
            prompts: Free prompts, each ``PROMPT => SAME WITHOUT IT``.

        Raises:
            ConceptError: The name is unknown and too little is said of it.
        """
        from unlearnlog.concept import free_prompt

        one_name(name, *aliases)
        said = {
            "aliases": tuple(aliases),
            "anchor": anchor,
            "parent": parent,
            "prompts": tuple(free_prompt(prompt) for prompt in prompts),
        }
        return self.place.world.named(name, kind=kind, said=said)

    def add(
        self,
        *concepts: str | Concept,
        policy: str | Policy = "default",
        seed: int = 0,
        accept_undecided: bool = False,
        watch: Watch | None = None,
    ) -> Outcome:
        """Erase concepts, together, and record it if the policy agrees.

        Args:
            concepts: Names, or what `concept` returns.
            policy: A policy that ships, a path to one, or a policy.
            seed: Where random numbers start.
            accept_undecided: Record it although a limit could not be decided.
            watch: Who wants to see it advance.

        Returns:
            The entry that was recorded, its verdict, and where the ledger is.

        Raises:
            Refused: The policy refused it; ``error.entry`` is what it would have been.
            ConceptError: A concept is unknown, erased already, or not painted by the
                base to begin with.
            TrainingError: The eraser did not converge.
        """
        from unlearnlog.run import erase

        order = self._order(
            concepts, policy, seed=seed, accept_undecided=accept_undecided
        )
        done = erase.add(self.place, _watched(order, watch))
        if not done.entry.verdict.may_stand:
            erase.refuse(done)
        return done

    def revert(
        self,
        *revs: str,
        concepts: Sequence[str] = (),
        policy: str | Policy | None = "default",
        rederive: bool = False,
        accept_failures: bool = False,
        watch: Watch | None = None,
    ) -> Reverted:
        """Leave entries out of the model, in the middle too, and record that.

        Args:
            revs: Ids, their beginnings, ``HEAD~2``, a tag.
            concepts: Only these of an entry's concepts; its others are erased anew.
            policy: How the result is looked at; None for not at all.
            rederive: Make later erasures anew.
            accept_failures: Record it although a limit does not hold any more.
            watch: Who wants to see it advance.

        Raises:
            RevisionError: A revision names no entry.
            LedgerError: An entry is left out already.
            Refused: A limit would not hold any more; its ``entry`` holds the readings.
            UsageError: One concept is to be given back and later erasures made anew.
            ConceptError: The entry is not about a concept.
            Refused: The policy refuses what is erased anew.
        """
        from unlearnlog.run import undo
        from unlearnlog.run.giving_back import give_back

        rules = None if policy is None else _policy(policy)
        wish = undo.Wish(revs, rules, accept_failures)
        if concepts and rederive:
            raise UsageError(
                "--concept erases the entry's other concepts anew, --rederive what "
                "comes later: not both at once",
                fix="give the concept back first; then revert what is named as stale",
            )
        if concepts:
            return give_back(self.place, _watched(wish, watch), concepts)
        work = undo.rederive if rederive else undo.revert
        return work(self.place, _watched(wish, watch))

    def compose(
        self,
        *revs: str,
        how: Literal["replay", "sum"] = "replay",
        policy: str | Policy = "default",
        accept_conflicts: bool = False,
        watch: Watch | None = None,
    ) -> Composed:
        """Do here what other branches or ledgers did, and record it.

        Args:
            revs: Branches, ids, or ``FOLDER@REV`` of other ledgers of the same model.
            how: Whether joint groups are solved anew or their deltas are added.
            policy: What must hold; beyond it there are conflicts.
            accept_conflicts: Record it all the same.
            watch: Who wants to see it advance.

        Returns:
            The entry that was recorded, the gap, and the conflicts that were accepted.

        Raises:
            Refused: There are conflicts; ``error.entry`` is what it would have been.
            RevisionError: A revision names no entry.
            WrongBase: Another ledger is of another model.
            LedgerError: There is nothing to bring.
        """
        from unlearnlog.run import compose

        wish = compose.Wish(revs, _policy(policy), how, accept_conflicts)
        done = compose.compose(self.place, _watched(wish, watch))
        if not done.entry.verdict.may_stand:
            compose.refuse(done)
        return done

    def audit(
        self,
        model: Folder,
        rev: str = "HEAD",
        *,
        policy: str | Policy = "default",
        ema: bool = False,
        record: bool = False,
        watch: Watch | None = None,
    ) -> Audited:
        """Ask whether anything came back in a model that was made of this one.

        Args:
            model: A fine-tuned folder, a trainer's checkpoint, a LoRA.
            rev: The revision that it was made of.
            policy: How it is looked at, and what decides.
            ema: Whether to read the averaged copy of its weights.
            record: Whether to write the audit into the ledger.
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
        from unlearnlog.run import audit

        wish = audit.Wish(Path(model), _policy(policy), rev, ema=ema, record=record)
        return audit.audit(self.place, _watched(wish, watch))

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
        policy: str | Policy = "default",
        watch: Watch | None = None,
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
            policy: How much is looked at, how it is painted, who judges.
            watch: Who wants to see it advance.

        Returns:
            The curve of each concept, its verdict, the forecasts; ``row()`` is JSON.

        Raises:
            UsageError: Nothing is erased there, nobody judges, or the data is no use.
            ModelError: The twin is no model, or one of another shape.
            TrainingError: A fine-tune did not converge.
        """
        from unlearnlog.run import finetune

        wish = finetune.Wish(
            _policy(policy),
            str(data),
            rev,
            tuple(concepts),
            method=method,
            steps=steps,
            seeds=tuple(seeds),
            batch=batch,
            rate=rate,
            rank=rank,
            twin=None if twin is None else Path(twin),
        )
        return finetune.finetuned(self.place, _watched(wish, watch))

    def attack(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        attacks: Sequence[str] = (),
        budget: str = "small",
        twin: Folder | None = None,
        record: bool = False,
        policy: str | Policy = "default",
        watch: Watch | None = None,
    ) -> Attacked:
        """Look for words and vectors that bring erased concepts back.

        Args:
            rev: At which revision.
            concepts: Erased ones; none for all of them.
            attacks: ``inversion``, ``prefix``, ``recovery``; none for all of them.
            budget: How much each may do: ``small`` or ``standard``.
            twin: A pipeline that never learned the concepts.
            record: Whether to keep what is found in the ledger, for later steps to try.
            policy: How it is looked at, and which limits hold.
            watch: Who wants to see it advance.

        Returns:
            Each attack beside its null controls; ``verdict`` is the policy's.

        Raises:
            ConceptError: A concept is not erased there, or nothing is.
            UsageError: There is no such attack or budget, or nobody to judge.
            ModelError: The twin is no model, or one of another shape.
        """
        from unlearnlog.run import attack

        wish = attack.Wish(
            _policy(policy),
            rev,
            tuple(concepts),
            tuple(attacks),
            budget=budget,
            twin=None if twin is None else Path(twin),
            record=record,
        )
        return attack.attacked(self.place, _watched(wish, watch))

    def rebase(
        self,
        onto: Folder,
        folder: Folder,
        rev: str = "HEAD",
        *,
        policy: str | Policy = "default",
        ema: bool = False,
        accept_undecided: bool = False,
        watch: Watch | None = None,
    ) -> Rebased:
        """Begin a ledger on what was made of this model, with every erasure anew.

        Args:
            onto: A fine-tuned folder, a trainer's checkpoint, a LoRA.
            folder: A new folder, for the new ledger.
            rev: Whose erasures, and what it was made of.
            policy: How it is measured, and what must hold.
            ema: Whether to take the averaged copy of its weights.
            accept_undecided: Whether doubt is no reason to refuse an erasure.
            watch: Who wants to see it advance.

        Raises:
            Refused: The policy refuses one of the erasures; nothing is left behind.
            WrongBase: It is no descendant of this model.
            UsageError: Nothing is erased, or the folder is there already.
        """
        from unlearnlog.run import rebase

        wish = rebase.Wish(
            *(Path(onto), Path(folder), _policy(policy), rev, ema, accept_undecided)
        )
        return rebase.rebase(self.place, _watched(wish, watch))

    def report(
        self,
        rev: str = "HEAD",
        *,
        pictures: int = 2,
        policy: str | Policy | None = None,
        watch: Watch | None = None,
    ) -> Findings:
        """Return everything that is known of a revision, for a report.

        Args:
            rev: Up to which entry.
            pictures: Prompts of each erased concept that are painted before and after.
            policy: How pictures are painted; None for as the entry's own policy says.
            watch: Who wants to see it advance.

        Returns:
            Values that `unlearnlog.report` writes as HTML and Markdown.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: It is the base.
        """
        from unlearnlog.run import report

        rules = None if policy is None else _policy(policy)
        return report.report(
            self.place, _watched(report.Wish(rev, pictures, rules), watch)
        )

    def export(
        self,
        rev: str,
        path: Folder,
        *,
        spelling: Literal["diffusers", "kohya"] = "diffusers",
        energy: float = 0.9999,
        policy: str | Policy = "default",
        watch: Watch | None = None,
    ) -> Exported:
        """Write the change of a revision as a LoRA, if enough of the erasure is left.

        Args:
            rev: Which revision.
            path: A new ``.safetensors`` file.
            spelling: Who is to load it.
            energy: Share of each change's squared norm that is kept, in (0, 1].
            policy: How it is looked at, and how much must be left.
            watch: Who wants to see it advance.

        Raises:
            UsageError: There is nothing to give away, or the file cannot be written.
            ExportError: Too little of the erasure is left; no file is.
        """
        from unlearnlog.run import export

        wish = export.Wish(rev, Path(path), spelling, _policy(policy), energy)
        return export.export(self.place, _watched(wish, watch))

    def take(
        self,
        path: Folder,
        *concepts: str | Concept,
        policy: str | Policy = "default",
        accept_undecided: bool = False,
        watch: Watch | None = None,
    ) -> Outcome:
        """Measure a change that was made elsewhere as an erasure (``import``).

        Args:
            path: A safetensors file: a LoRA, or new values of text projections.
            concepts: What it erases: names, or what `concept` returns.
            policy: What must hold.
            accept_undecided: Record it although a limit could not be decided.
            watch: Who wants to see it advance.

        Raises:
            Refused: The policy refused it; ``error.entry`` is what it would have been.
            DeltaError: The file holds no change of this model.
            ConceptError: As `add` does.
        """
        from unlearnlog.run import erase, take

        order = self._order(concepts, policy, accept_undecided=accept_undecided)
        done, _ = take.take(self.place, Path(path), _watched(order, watch))
        if not done.entry.verdict.may_stand:
            erase.refuse(done)
        return done

    def checkout(self, rev: str, folder: Folder) -> None:
        """Write the model of a revision as a plain diffusers folder.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The folder cannot be written or holds something.
        """
        from unlearnlog.run import look

        look.checkout(self.place, rev, Path(folder))

    def apply(self, pipeline: Pipeline, rev: str = "HEAD") -> Pipeline:
        """Give a loaded diffusers pipeline the weights of a revision.

        Args:
            pipeline: A pipeline of the ledger's base, in any dtype, on any device,
                with whatever revision applied; it is changed.
            rev: Whose weights.

        Returns:
            The pipeline.

        Raises:
            RevisionError: The revision names no entry.
            WrongBase: The pipeline is of another model; names what differs.
        """
        from unlearnlog.run.apply import apply

        apply(self.place, pipeline, rev)
        return pipeline

    def _order(
        self,
        concepts: Sequence[str | Concept],
        policy: str | Policy,
        *,
        seed: int = 0,
        accept_undecided: bool,
    ) -> Order:
        from unlearnlog.run.erase import Order

        if not concepts:
            raise ConceptError("no concept is named", fix='name one: add("Picasso")')
        for each in concepts:
            own = (each,) if isinstance(each, str) else (each.name, *each.aliases)
            one_name(*own)
        known = [self.concept(c) if isinstance(c, str) else c for c in concepts]
        return Order(tuple(known), _policy(policy), seed, accept_undecided)

    @property
    def place(self) -> Place:
        """Where the stories of `unlearnlog.run` work: the ledger and its model."""
        loaded = self._loaded
        return replace(loaded, ledger=self.chain if self.exists else None)

    @cached_property
    def _loaded(self) -> Place:
        from unlearnlog.run.place import place

        return place(self.folder, may_create=not self.exists, **self._settings)


_Wish = TypeVar("_Wish")


def _watched(wish: _Wish, watch: Watch | None) -> _Wish:
    """Return an order with somebody who watches it."""
    some: Any = wish
    found: _Wish = some if watch is None else replace(some, watch=watch)
    return found


def _policy(policy: str | Policy) -> Policy:
    from unlearnlog.policy import Policy

    return Policy.load(policy) if isinstance(policy, str) else policy
