"""The opened ledger: its folder, its settings, and the model, loaded on first use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from unlearnlog.commands.configuration import Config
from unlearnlog.commands.defaults import Settings, rules
from unlearnlog.core.names import one_name
from unlearnlog.errors import NoLedger, UsageError
from unlearnlog.ledger.repository import Repository as Chain

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.note import Note
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.redaction import Redaction
    from unlearnlog.policy import Policy

Folder = str | Path


class OpenedLedger:
    """A ledger's folder, and its model, loaded on first use.

    Attributes:
        folder: The ledger's folder, or the one in which `add` creates it.
        progress: Whether long work shows progress bars.
        notes: Remarks on the model's file from when the ledger was made.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        progress: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Set the fields; use `init` or `open` instead."""
        self.folder = folder
        self.notes = notes
        self.progress = progress
        self._settings = settings

    def __repr__(self) -> str:
        name = type(self).__name__
        if not self.exists:
            return f"<{name} of nothing yet, in {self.folder}>"
        chain = self.chain
        n = len(chain.history(chain.head))
        entries = "1 entry" if n == 1 else f"{n} entries"
        model = chain.base.source
        return f"<{name} of {model}, {entries} on {chain.branch}, in {self.folder}>"

    @classmethod
    def init(
        cls,
        folder: Folder = ".",
        model: str = "atelier",
        *,
        tokenizer: Folder | None = None,
        progress: bool = False,
    ) -> Self:
        """Create an empty ledger for a model.

        Args:
            folder: The folder; made if it does not exist.
            model: ``atelier``, a diffusers folder, a safetensors file with a whole
                Stable Diffusion 1, 2 or XL, or a hub id with a pinned commit,
                ``owner/name@commit``.
            tokenizer: A folder with CLIP's tokenizer, for a single file, which has
                none; None to find one on this machine.
            progress: Whether long work shows progress bars.

        Returns:
            The opened ledger.

        Raises:
            LedgerError: The folder holds a ledger already.
            ModelError: The model is not a pipeline of a supported family.

        Example::

            ledger = Ledger.init("my-ledger", "path/to/stable-diffusion")
        """
        from unlearnlog.commands.checks import check_new_ledger

        words = None if tokenizer is None else Path(tokenizer)
        check_new_ledger(Path(folder).absolute(), model, tokenizer=words)
        from unlearnlog.commands.session_opening import begun

        made, notes = begun(Path(folder).absolute(), model, tokenizer=words)
        return cls(made.folder, Settings(), progress=progress, notes=notes)

    @classmethod
    def open(
        cls,
        folder: Folder = ".",
        *,
        may_create: bool = False,
        concepts: Folder | None = None,
        device: str = "",
        dtype: str = "",
        offload: bool = False,
        base: Folder | None = None,
        workers: str | int = "",
        progress: bool = False,
    ) -> Self:
        """Open the ledger of a folder or of the nearest folder above it.

        Args:
            folder: Where the search begins.
            may_create: Whether `add` may create a ledger here, for the bundled model.
            concepts: A TOML file of concepts; None for the configuration's, or the
                default of the model.
            device: Device of the model: cpu, cuda, mps. Empty for UNLEARNLOG_DEVICE,
                the configuration's, or cpu.
            dtype: Dtype of the network: float32, bfloat16 or float16. Empty for
                UNLEARNLOG_DTYPE, the configuration's, or float32.
            offload: Whether each text encoder is loaded only while it is used, of a
                model with a transformer: slower, with less memory.
            base: Folder of the ledger's base; None for UNLEARNLOG_BASE, the
                configuration's, or the recorded path.
            workers: Who computes independent work: ``none`` for this process, a number
                of workers on this machine, ``ray``, or ``ray://HOST:PORT``. Empty for
                UNLEARNLOG_WORKERS, the configuration's, or this process.
            progress: Whether long work shows progress bars, on standard error or in the
                notebook; a ``watch=`` argument takes precedence.

        Returns:
            The opened ledger.

        Raises:
            NoLedger: No ledger is found, and ``may_create`` is False.

        Example::

            ledger = Ledger.open("my-ledger", device="cuda", progress=True)
        """
        start = Path(folder).absolute()
        try:
            start = Chain.find(start).folder
        except NoLedger:
            if not may_create:
                raise
        file = None if concepts is None else Path(concepts)
        place = None if base is None else Path(base)
        settings = Settings(
            device, dtype, file, place, workers=str(workers), offload=offload
        )
        return cls(start, settings, progress=progress)

    @property
    def chain(self) -> Chain:
        """The repository on disk, read anew on each access.

        Raises:
            NoLedger: There is no ledger yet.
        """
        return Chain.open(self.folder)

    @property
    def exists(self) -> bool:
        """Whether the ledger exists."""
        try:
            return bool(self.chain)
        except NoLedger:
            return False

    @property
    def config(self) -> Config:
        """The ledger's configuration, as a mapping that writes its file.

        A changed device, dtype or concept file takes effect when the model is loaded.
        """
        return Config(lambda: self.chain)

    @property
    def redaction(self) -> Redaction:
        """The names that are redacted in whatever is shown or written of this ledger.

        Example::

            from unlearnlog.core.redaction import redacting
            from unlearnlog.report.html_page import html

            with redacting(ledger.redaction):
                page = html(ledger.report(pictures=0))
        """
        from unlearnlog.core.concept_redaction import concept_redaction

        return concept_redaction(self.chain.redactions if self.exists else {})

    @property
    def world(self) -> ConceptSet:
        """The concepts of the concept file, and those of the history.

        Raises:
            ConceptError: The file cannot be read.
        """
        from unlearnlog.commands.checks import known_world

        ledger = self._known
        return known_world(ledger, self._settings.file_of_concepts(ledger))

    def rules(
        self, policy: str | Policy = "", *, judge: str = "", about: str = ""
    ) -> Policy:
        """Return the policy in force for a given one, or for none.

        Args:
            policy: Name, path or `Policy`; empty for none.
            judge: A judge that replaces the policy's; empty for none.
            about: The revision concerned: its newest entry's policy is used where
                neither the argument nor the configuration names one.

        Returns:
            The policy, checked.

        Raises:
            PolicyError: The policy does not exist or is invalid.
            UsageError: The judge does not exist.
            RevisionError: The revision names no entry.
        """
        return rules(policy, self._known, judge=judge, about=about)

    def check(self) -> None:
        """Refuse an unusable device, dtype or concept file, before the model is loaded.

        Raises:
            UsageError: The device, the dtype or the workers are not available.
        """
        if "_loaded" not in self.__dict__:
            self._settings.settled(self._known)

    @property
    def _known(self) -> Chain | None:
        """The repository on disk; None before there is one."""
        return self.chain if self.exists else None

    def entries(self, rev: str = "HEAD") -> list[Entry]:
        """List the entries up to a revision, oldest first.

        Args:
            rev: The last revision.

        Raises:
            RevisionError: The revision names no entry.
        """
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
        """Return a concept by name, with additional properties.

        Args:
            name: A name from the concept file, or a new one.
            kind: ``style`` or ``subject``; required for a new name.
            aliases: Other names of the concept.
            anchor: The concept that replaces it.
            parent: The concept's family.
            prompts: Additional prompts, each ``PROMPT => SAME WITHOUT IT``.

        Returns:
            The concept, to give to `add`.

        Raises:
            ConceptError: The name is new and the kind is missing, or a property is
                invalid.

        Example::

            boat = ledger.concept("rowing boat", "subject", aliases=["dinghy"])
            ledger.add(boat)
        """
        from unlearnlog.core.concept import free_prompt

        one_name(name, *aliases)
        given = {
            "aliases": tuple(aliases),
            "anchor": anchor,
            "parent": parent,
            "prompts": tuple(free_prompt(prompt) for prompt in prompts),
        }
        return self.world.named(name, kind=kind, said=given)

    def concepts_from(
        self, path: Folder, *, kind: str = "", anchor: str = "", parent: str = ""
    ) -> tuple[Concept, ...]:
        """Return the concepts of a file of names, all of them checked.

        Args:
            path: A CSV file with a column ``name``, and perhaps ``kind``, ``anchor``,
                ``aliases`` (with ``|`` between them) and ``parent``.
            kind: ``style`` or ``subject``, for new names in rows that give none.
            anchor: What replaces concepts in rows that give nothing.
            parent: The family of concepts in rows that give none.

        Returns:
            The concepts, to give to `add`.

        Raises:
            ConceptError: The file cannot be read, or rows are wrong: then the error
                names them, and a new file beside it holds the rest.

        Example::

            ledger.add(*ledger.concepts_from("names.csv"), policy="many")
        """
        from unlearnlog.commands.names_from_file import concepts_of
        from unlearnlog.concepts.names_file import NameRow

        usual = NameRow(0, "", kind, anchor, parent=parent)
        entries = self.entries() if self.exists else []
        return concepts_of(Path(path), self.world, entries, usual)

    @property
    def place(self) -> Session:
        """The session that the commands work on: the ledger and its loaded model."""
        loaded = self._loaded
        return replace(loaded, ledger=self.chain if self.exists else None)

    @cached_property
    def _loaded(self) -> Session:
        settings = self._settings.settled(self._known)

        from unlearnlog.commands.session_opening import open_session

        return open_session(
            self.folder,
            may_create=not self.exists,
            concepts=settings.concepts,
            device=settings.device,
            dtype=settings.dtype,
            offload=settings.offload,
            base=settings.base,
            workers=settings.workers,
        )

    def close(self) -> None:
        """End the workers of this ledger, if it has any; a later call starts new ones.

        Example::

            ledger = Ledger.open("my-ledger", workers=4)
            ledger.add("Picasso")
            ledger.close()
        """
        if "_loaded" in self.__dict__:
            self._loaded.crew.close()

    def _note(self, message: str, ref: str, *, recorded: bool = True) -> Note | None:
        """Return the note of an entry, with its author, before the model is loaded.

        Raises:
            UsageError: A text is invalid, nothing is recorded that could keep it, or
                entries are to be signed and cannot be.
            Sealed: The ledger's deltas are sealed.
        """
        from unlearnlog.core.note import Note, author_of

        given = [name for name, text in (("-m", message), ("--ref", ref)) if text]
        if given and not recorded:
            raise UsageError(
                f"{' and '.join(given)} would do nothing: nothing is recorded",
                fix="add --record",
            )
        ledger = self._known
        if recorded and ledger is not None:
            ledger.check_signing()
            ledger.check_open(ledger.head)
        return Note.of(message, ref, author_of(ledger.config if ledger else {}))

    @contextmanager
    def _watching(self, watch: Progress | None) -> Iterator[Progress]:
        """Yield the receiver of progress: the given one, progress bars, or none."""
        if watch is not None or not self.progress:
            from unlearnlog.core.progress import NoProgress

            yield watch or NoProgress()
            return
        from unlearnlog.report.entry_tables import ProgressBars
        from unlearnlog.report.plain_console import PlainConsole

        with ProgressBars(PlainConsole(stderr=True)) as shown:
            yield shown
