"""An opened ledger: where it is, how it computes, and whether progress is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from unlearnlog.commands.defaults import Config, Settings, rules
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
    from unlearnlog.policy import Policy

Folder = str | Path


class OpenedLedger:
    """A folder with a ledger, and the model that is loaded when it is needed.

    Attributes:
        folder: Where the ledger is, or where `add` will create it.
        progress: Whether long work shows how far it is.
    """

    def __init__(
        self, folder: Path, settings: Settings, *, progress: bool = False
    ) -> None:
        """Use `init` or `open`."""
        self.folder = folder
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
        cls, folder: Folder = ".", model: str = "atelier", *, progress: bool = False
    ) -> Self:
        """Create an empty ledger for a model.

        Args:
            folder: Where; made if it is not there.
            model: ``atelier``, a diffusers folder, or a hub id with a pinned commit,
                ``owner/name@commit``.
            progress: Whether long work shows how far it is.

        Raises:
            LedgerError: There is a ledger already.
            ModelError: The model is no pipeline this tool knows.
        """
        from unlearnlog.commands.checks import check_new_ledger

        check_new_ledger(Path(folder).absolute(), model)
        from unlearnlog.commands.session import init

        made = init(Path(folder).absolute(), model)
        return cls(made.folder, Settings(), progress=progress)

    @classmethod
    def open(
        cls,
        folder: Folder = ".",
        *,
        may_create: bool = False,
        concepts: Folder | None = None,
        device: str = "",
        dtype: str = "",
        base: Folder | None = None,
        progress: bool = False,
    ) -> Self:
        """Open the ledger of a folder or of the nearest folder above it.

        Args:
            folder: Where to begin to look.
            may_create: Whether `add` may create one here, for the bundled model.
            concepts: A TOML file of concepts; else the one of the ledger's
                configuration, or that which suits the model.
            device: Where the model computes: cpu, cuda, mps; else as UNLEARNLOG_DEVICE
                or the ledger's configuration has it, or cpu.
            dtype: What its UNet computes in: float32, bfloat16 or float16; else as
                UNLEARNLOG_DTYPE or the configuration has it, or float32.
            base: Where the ledger's base is; else as UNLEARNLOG_BASE or the
                configuration has it, or where it was.
            progress: Whether long work shows how far it is, on standard error or in the
                notebook; a ``watch=`` of one call goes before it.

        Raises:
            NoLedger: There is none.
        """
        start = Path(folder).absolute()
        try:
            start = Chain.find(start).folder
        except NoLedger:
            if not may_create:
                raise
        file = None if concepts is None else Path(concepts)
        place = None if base is None else Path(base)
        settings = Settings(device, dtype, file, place)
        return cls(start, settings, progress=progress)

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

    @property
    def config(self) -> Config:
        """What the ledger's user chose for every command, as a mapping.

        Device, dtype and concepts count from when the model is loaded.
        """
        return Config(lambda: self.chain)

    @property
    def world(self) -> ConceptSet:
        """The concepts of the file, and those that the history speaks of.

        Raises:
            ConceptError: The file cannot be read.
        """
        from unlearnlog.commands.checks import known_world

        ledger = self._known
        return known_world(ledger, self._settings.file_of_concepts(ledger))

    def rules(
        self, policy: str | Policy = "", *, judge: str = "", about: str = ""
    ) -> Policy:
        """Return the policy that counts where somebody says this one, or none.

        Args:
            policy: What is said: a name, a path, a policy; empty for nothing.
            judge: Who is to judge instead of whom it names.
            about: The revision that is asked about; its newest entry's policy counts
                where neither somebody nor the ledger's configuration names one.

        Raises:
            PolicyError: There is no such policy, or something in it is wrong.
            UsageError: There is no such judge.
            RevisionError: The revision names no entry.
        """
        return rules(policy, self._known, judge=judge, about=about)

    def check(self) -> None:
        """Refuse a device, a dtype or a file of concepts that is of no use.

        Raises:
            UsageError: It is of none.
        """
        if "_loaded" not in self.__dict__:
            self._settings.settled(self._known)

    @property
    def _known(self) -> Chain | None:
        """The entries on disk; None before there is a ledger."""
        return self.chain if self.exists else None

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
            kind: ``style`` or ``subject``; for a name that no file knows.
            aliases: Its other names.
            anchor: What takes its place.
            parent: Its family.
            prompts: Free prompts, each ``PROMPT => SAME WITHOUT IT``.

        Raises:
            ConceptError: The name is unknown and too little is said of it.
        """
        from unlearnlog.core.concept import free_prompt

        one_name(name, *aliases)
        said = {
            "aliases": tuple(aliases),
            "anchor": anchor,
            "parent": parent,
            "prompts": tuple(free_prompt(prompt) for prompt in prompts),
        }
        return self.world.named(name, kind=kind, said=said)

    @property
    def place(self) -> Session:
        """Where the stories of `unlearnlog.commands` work: the ledger and its model."""
        loaded = self._loaded
        return replace(loaded, ledger=self.chain if self.exists else None)

    @cached_property
    def _loaded(self) -> Session:
        how = self._settings.settled(self._known)
        from unlearnlog.commands.session import open_session as place

        return place(
            self.folder,
            may_create=not self.exists,
            concepts=how.concepts,
            device=how.device,
            dtype=how.dtype,
            base=how.base,
        )

    def _note(self, message: str, ref: str, *, recorded: bool = True) -> Note | None:
        """Return what is said of an entry, and who says it, before anything is loaded.

        Raises:
            UsageError: A text cannot be kept, or nothing is recorded that it is of.
        """
        from unlearnlog.core.note import Note, author_of

        given = [name for name, text in (("-m", message), ("--ref", ref)) if text]
        if given and not recorded:
            raise UsageError(
                f"{' and '.join(given)} would do nothing: nothing is recorded",
                fix="add --record",
            )
        ledger = self._known
        return Note.of(message, ref, author_of(ledger.config if ledger else {}))

    @contextmanager
    def _watching(self, watch: Progress | None) -> Iterator[Progress]:
        """Give who watches a piece of work: who was named, bars, or nobody."""
        if watch is not None or not self.progress:
            from unlearnlog.core.progress import NoProgress

            yield watch or NoProgress()
            return
        from unlearnlog.report.entry_tables import ProgressBars
        from unlearnlog.report.plain_console import PlainConsole

        with ProgressBars(PlainConsole(stderr=True)) as shown:
            yield shown
