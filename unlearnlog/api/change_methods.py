"""Erasing, reverting, composing and importing, as methods of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks
from unlearnlog.core.concept import Concept
from unlearnlog.core.launch import n_launched
from unlearnlog.core.limits import MANY
from unlearnlog.core.names import one_name
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import ConceptError, UnlearnlogError, UsageError
from unlearnlog.models.weight_file_names import check_file_or_model

if TYPE_CHECKING:
    from unlearnlog.commands.add import AddRequest, Outcome
    from unlearnlog.commands.compose import Composed
    from unlearnlog.commands.import_ import Imported
    from unlearnlog.commands.revert import Reverted
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy


class ChangeMethods(OpenedLedger):
    """Methods that change the set of erased concepts."""

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
        """Erase concepts together, and record an entry if the policy's limits hold.

        Args:
            concepts: Names, or values of `concept`.
            policy: Name, path or `Policy`: eraser, sample sizes, judge, limits. Empty
                for the configuration's, else ``default``.
            seed: Seed of the random numbers.
            accept_undecided: Whether to record although a limit is undecided.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            The recorded entry, its verdict, and the ledger's folder.

        Raises:
            Refused: A limit failed or is undecided; ``error.entry`` is the entry that
                was not recorded.
            ConceptError: A concept is unknown, erased already, or not shown in pictures
                of the base.
            TrainingError: The eraser did not converge.

        Example::

            outcome = ledger.add("Picasso", policy="fast", message="takedown 41")
            print(outcome.entry.id, outcome.verdict.failures)
        """
        note = self._note(message, ref)
        request = self._order(
            concepts, policy, seed=seed, accept_undecided=accept_undecided
        )
        from unlearnlog.commands import add as erase

        with self._watching(watch) as shown:
            done = erase.add(self.place, replace(request, watch=shown, note=note))
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
        """Leave entries out of the model, wherever they stand, and record that.

        Args:
            revs: Ids, prefixes of ids, ``HEAD~2``, tags.
            concepts: Concepts of one entry to give back; its others are erased again.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry; None to measure
                nothing.
            rederive: Whether to compute later erasures again.
            accept_failures: Whether to record although a limit fails.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            The recorded entry, later entries that are stale, and entries computed
            again.

        Raises:
            RevisionError: A revision names no entry.
            LedgerError: An entry is left out already.
            Refused: A limit fails, or the policy refuses an erasure computed again;
                ``error.entry`` holds the readings.
            UsageError: ``concepts`` and ``rederive`` are both given.
            ConceptError: The entry did not erase a concept.

        Example::

            ledger.revert("HEAD~1")
            ledger.revert("HEAD", concepts=["Monet"])
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

        request = undo.RevertRequest(revs, rules, accept_failures, note=note)
        work = undo.rederive if rederive else undo.revert
        with self._watching(watch) as shown:
            watched = replace(request, watch=shown)
            if concepts:
                return give_back(self.place, watched, concepts)
            return work(self.place, watched)

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
        """Record here what other branches or ledgers erased and reverted.

        Args:
            revs: Branches, ids, or ``FOLDER@REV`` of other ledgers of the same model.
            how: Whether joint groups are solved again (``replay``) or their deltas are
                added (``sum``).
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            accept_conflicts: Whether to record although there are conflicts.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            The recorded entry, the gap between replay and sum, and the accepted
            conflicts.

        Raises:
            Refused: There are conflicts; ``error.entry`` is the entry that was not
                recorded.
            RevisionError: A revision names no entry.
            WrongBase: Another ledger is of another model.
            LedgerError: The other histories add nothing.

        Example::

            ledger.compose("styles", "../other-ledger@HEAD")
        """
        note = self._note(message, ref)
        rules = self.rules(policy, about="HEAD")
        checks.check_sources(self.chain, revs)
        self.check()
        from unlearnlog.commands import compose

        request = compose.ComposeRequest(revs, rules, how, accept_conflicts, note=note)
        with self._watching(watch) as shown:
            done = compose.compose(self.place, replace(request, watch=shown))
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
        """Record a change made by another program as an erasure, with its readings.

        Args:
            path: A safetensors file or a model's folder: an adapter, such as a LoRA, or
                new values of any of the base's tensors.
            concepts: The concepts it erases: names, or values of `concept`.
            policy: Name, path or `Policy`: sample sizes, judge, limits. Empty for the
                configuration's, else ``default``.
            accept_undecided: Whether to record although a limit is undecided.
            message: Reason; kept in the entry.
            ref: Reference of the request, such as a ticket or a letter.
            watch: Receives the progress of the work.

        Returns:
            The recorded entry, its verdict, and the contents of the file.

        Raises:
            Refused: A limit failed or is undecided; ``error.entry`` is the entry that
                was not recorded.
            DeltaError: The file holds no change of this model.
            ConceptError: As `add` does.

        Example::

            ledger.import_("erased-picasso.safetensors", "Picasso")
        """
        note = self._note(message, ref)
        check_file_or_model(Path(path))
        request = self._order(concepts, policy, accept_undecided=accept_undecided)
        from unlearnlog.commands import add as erase
        from unlearnlog.commands import import_ as take

        with self._watching(watch) as shown:
            work = replace(request, watch=shown, note=note)
            done, taken = take.import_change(self.place, Path(path), work)
        if not done.entry.verdict.may_stand:
            erase.raise_refused(done)
        return take.Imported(done.entry, done.verdict, taken)

    def check_erasing(self, concepts: Sequence[Concept], policy: Policy) -> None:
        """Refuse an erasure that cannot succeed, before the model is loaded.

        Raises:
            ConceptError: A concept is named twice, erased already, or its own anchor.
            PolicyError: The policy's eraser cannot be made, or the processes of this
                command cannot share its training.
            UsageError: The device or the dtype is not available.
        """
        policy.check_eraser()
        if (n := n_launched()) > 1:
            policy.chosen_eraser({each.slot for each in concepts}).check_shared(n)
        checks.check_concepts(concepts, self.entries() if self.exists else [])
        self.check()

    def about_rows(
        self,
        error: UnlearnlogError,
        path: Folder,
        concepts: Sequence[Concept],
        policy: Policy,
    ) -> UnlearnlogError:
        """Return a refusal of concepts from a file that names the rows it is about.

        Args:
            error: The refusal.
            path: The file that `concepts_from` read.
            concepts: What it gave.
            policy: The policy of the erasure.

        Returns:
            The refusal, which names a new file with the rest of the rows; the same one
            where it is about no row.
        """
        from unlearnlog.commands.names_from_file import without_the_refused

        return without_the_refused(error, Path(path), concepts, policy)

    def rules_for(
        self, n: int, policy: str | Policy = "", *, judge: str = ""
    ) -> Policy:
        """Return the policy in force for an erasure of a number of concepts.

        Args:
            n: The number. For many, ``many`` takes the place of ``default``.
            policy: Name, path or `Policy`; empty for none.
            judge: A judge that replaces the policy's; empty for none.

        Raises:
            PolicyError: The policy does not exist or is invalid.
            UsageError: The judge does not exist.
        """
        from unlearnlog.commands.defaults import configured

        if n > MANY and not policy and "policy" not in configured(self._known):
            policy = "many"
        return self.rules(policy, judge=judge)

    def _check_given_back(self, revs: Sequence[str], names: Sequence[str]) -> None:
        """Refuse names that an entry did not erase, before the model is loaded.

        Raises:
            ConceptError: The entry did not erase one of them.
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

        rules.chosen_eraser()  # raises where settings exclude each other
        return AddRequest(tuple(named), rules, seed, accept_undecided)
