"""Methods that change what is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks
from unlearnlog.core.concept import Concept
from unlearnlog.core.names import one_name
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import ConceptError, UsageError
from unlearnlog.models.weight_file_names import check_file

if TYPE_CHECKING:
    from unlearnlog.commands.add import AddRequest, Outcome
    from unlearnlog.commands.compose import Composed
    from unlearnlog.commands.import_ import Imported
    from unlearnlog.commands.revert import Reverted
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy


class ChangeMethods(OpenedLedger):
    """Erases, takes back, puts together."""

    def add(
        self,
        *concepts: str | Concept,
        policy: str | Policy = "",
        seed: int = 0,
        accept_undecided: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Outcome:
        """Erase concepts, together, and record it if the policy agrees.

        Args:
            concepts: Names, or what `concept` returns.
            policy: A policy that ships, a path to one, or a policy; else the ledger's
                configuration's, or ``default``.
            seed: Where random numbers start.
            accept_undecided: Record it although a limit could not be decided.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Returns:
            The entry that was recorded, its verdict, and where the ledger is.

        Raises:
            Refused: The policy refused it; ``error.entry`` is what it would have been.
            ConceptError: A concept is unknown, erased already, or not painted by the
                base to begin with.
            TrainingError: The eraser did not converge.
        """
        note = self._note(message, ref)
        order = self._order(
            concepts, policy, seed=seed, accept_undecided=accept_undecided
        )
        from unlearnlog.commands import add as erase

        with self._watching(watch) as shown:
            done = erase.add(self.place, replace(order, watch=shown, note=note))
        if not done.entry.verdict.may_stand:
            erase.raise_refused(done)
        return done

    def revert(
        self,
        *revs: str,
        concepts: Sequence[str] = (),
        policy: str | Policy | None = "",
        rederive: bool = False,
        accept_failures: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Reverted:
        """Leave entries out of the model, in the middle too, and record that.

        Args:
            revs: Ids, their beginnings, ``HEAD~2``, a tag.
            concepts: Only these of an entry's concepts; its others are erased anew.
            policy: How the result is looked at; else as the ledger's configuration or
                the newest entry has it; None for not at all.
            rederive: Make later erasures anew.
            accept_failures: Record it although a limit does not hold any more.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Raises:
            RevisionError: A revision names no entry.
            LedgerError: An entry is left out already.
            Refused: A limit would not hold any more, or the policy refuses what is
                erased anew; its ``entry`` holds the readings.
            UsageError: One concept is to be given back and later erasures made anew.
            ConceptError: The entry is not about a concept.
        """
        if concepts and rederive:
            raise UsageError(
                "--concept erases the entry's other concepts anew, --rederive what "
                "comes later: not both at once",
                fix="give the concept back first; then revert what is named as stale",
            )
        note = self._note(message, ref)
        for rev in revs:
            self.chain.resolve(rev)
        rules = None if policy is None else self.rules(policy, about="HEAD")
        self.check()
        if concepts:
            self._check_given_back(revs, concepts)
        from unlearnlog.commands import revert as undo
        from unlearnlog.commands.revert_concept import give_back

        wish = undo.RevertRequest(revs, rules, accept_failures, note=note)
        work = undo.rederive if rederive else undo.revert
        with self._watching(watch) as shown:
            seen = replace(wish, watch=shown)
            if concepts:
                return give_back(self.place, seen, concepts)
            return work(self.place, seen)

    def compose(
        self,
        *revs: str,
        how: Literal["replay", "sum"] = "replay",
        policy: str | Policy = "",
        accept_conflicts: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Composed:
        """Do here what other branches or ledgers did, and record it.

        Args:
            revs: Branches, ids, or ``FOLDER@REV`` of other ledgers of the same model.
            how: Whether joint groups are solved anew or their deltas are added.
            policy: What must hold, or there are conflicts; else as the ledger's
                configuration or the newest entry has it.
            accept_conflicts: Record it all the same.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Returns:
            The entry that was recorded, the gap, and the conflicts that were accepted.

        Raises:
            Refused: There are conflicts; ``error.entry`` is what it would have been.
            RevisionError: A revision names no entry.
            WrongBase: Another ledger is of another model.
            LedgerError: There is nothing to bring.
        """
        note = self._note(message, ref)
        rules = self.rules(policy, about="HEAD")
        checks.check_sources(self.chain, revs)
        self.check()
        from unlearnlog.commands import compose

        wish = compose.ComposeRequest(revs, rules, how, accept_conflicts, note=note)
        with self._watching(watch) as shown:
            done = compose.compose(self.place, replace(wish, watch=shown))
        if not done.entry.verdict.may_stand:
            compose.refuse(done)
        return done

    def import_(
        self,
        path: Folder,
        *concepts: str | Concept,
        policy: str | Policy = "",
        accept_undecided: bool = False,
        message: str = "",
        ref: str = "",
        watch: Progress | None = None,
    ) -> Imported:
        """Measure a change that was made elsewhere as an erasure.

        Args:
            path: A safetensors file: a LoRA, or new values of text projections.
            concepts: What it erases: names, or what `concept` returns.
            policy: What must hold.
            accept_undecided: Record it although a limit could not be decided.
            message: Why; kept with what is recorded.
            ref: What asks for it: a ticket, a letter.
            watch: Who wants to see it advance.

        Returns:
            The entry that was recorded, its verdict, and what the file holds.

        Raises:
            Refused: The policy refused it; ``error.entry`` is what it would have been.
            DeltaError: The file holds no change of this model.
            ConceptError: As `add` does.
        """
        note = self._note(message, ref)
        check_file(Path(path))
        order = self._order(concepts, policy, accept_undecided=accept_undecided)
        from unlearnlog.commands import add as erase
        from unlearnlog.commands import import_ as take

        with self._watching(watch) as shown:
            work = replace(order, watch=shown, note=note)
            done, taken = take.import_change(self.place, Path(path), work)
        if not done.entry.verdict.may_stand:
            erase.raise_refused(done)
        return take.Imported(done.entry, done.verdict, taken)

    def check_erasing(self, concepts: Sequence[Concept], policy: Policy) -> None:
        """Refuse what can be seen to be of no use before the model is loaded.

        Raises:
            ConceptError: A concept is named twice, erased already, or its own anchor.
            PolicyError: The policy's eraser cannot be made.
            UsageError: A device or a dtype is of no use.
        """
        policy.check_eraser()
        checks.check_concepts(concepts, self.entries() if self.exists else [])
        self.check()

    def _check_given_back(self, revs: Sequence[str], names: Sequence[str]) -> None:
        """Refuse, before the model is loaded, names that an entry did not erase.

        Raises:
            ConceptError: It did not erase one of them.
        """
        for rev in revs:
            entry = self.chain.resolve(rev)
            if entry is None:
                continue
            about = self.chain.entry(entry).concepts
            known = {n: c.name for c in about for n in (c.name, *c.aliases)}
            folded = {name.casefold() for name in known}
            for name in names:
                if name.casefold() not in folded:
                    erased = ", ".join(concept.name for concept in about)
                    raise ConceptError(
                        f"entry {entry[:12]} did not erase '{name}'",
                        fix=f"{hint(name, known)}it erased {erased}",
                    )

    def _order(
        self,
        concepts: Sequence[str | Concept],
        policy: str | Policy,
        *,
        seed: int = 0,
        accept_undecided: bool,
    ) -> AddRequest:
        if not concepts:
            raise ConceptError("no concept is named", fix='name one: add("Picasso")')
        for each in concepts:
            if not isinstance(each, str | Concept):
                raise ConceptError(
                    f"{each!r} is no name of a concept",
                    fix='give names one by one: add("Picasso", "Monet")',
                )
            own = (each,) if isinstance(each, str) else (each.name, *each.aliases)
            one_name(*own)
        named = [self.concept(c) if isinstance(c, str) else c for c in concepts]
        rules = self.rules(policy)
        self.check_erasing(named, rules)
        from unlearnlog.commands.add import AddRequest

        rules.chosen_eraser()  # it knows of settings that do not go together
        return AddRequest(tuple(named), rules, seed, accept_undecided)
