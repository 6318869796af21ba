"""Methods that look at a revision: pictures, probes, the concept graph, drift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks

if TYPE_CHECKING:
    from PIL.Image import Image

    from unlearnlog.commands.drift import DriftSeries
    from unlearnlog.commands.graph import Mapped
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.findings.report_parts import Findings
    from unlearnlog.policy import Policy


class InspectMethods(OpenedLedger):
    """Looks at a revision; records nothing."""

    def paint(
        self,
        prompt: str,
        *revs: str,
        n: int = 6,
        seed: int = 0,
        policy: str | Policy = "",
        output: Folder | None = None,
        watch: Progress | None = None,
    ) -> Image:
        """Paint a prompt at one or more revisions, from the same latents.

        Args:
            prompt: What to paint.
            revs: One row each; none for ``HEAD``.
            n: Pictures a row.
            seed: Of the first picture; the next has the next one.
            policy: How it is painted; else as the ledger's configuration or the newest
                entry has it.
            output: A PNG to write the sheet into.
            watch: Who wants to see it advance.

        Returns:
            The sheet of all rows, which a notebook shows.

        Raises:
            RevisionError: A revision names no entry.
            PromptError: The prompt cannot be painted.
            UsageError: The path is not a PNG's, or cannot be written.
        """
        rows = revs or ("HEAD",)
        for rev in rows:
            self.chain.resolve(rev)
        rules = self.rules(policy, about=rows[-1])
        from unlearnlog.report.output_file import check_written

        check_written(None if output is None else Path(output), (".png",))
        self.check()
        from unlearnlog.commands import paint as look
        from unlearnlog.report.image_grid import montage, save

        seeds = range(seed, seed + n)
        with self._watching(watch) as shown:
            painted = look.paint(
                self.place, prompt, rows, seeds=seeds, policy=rules, watch=shown
            )
        sheet = montage([row.pictures for row in painted], rows, prompt)
        if output is not None:
            save(sheet, Path(output))
        return sheet

    def probe(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        tier: int = 2,
        policy: str | Policy = "",
        fresh: bool = False,
        watch: Progress | None = None,
    ) -> tuple[Reading, ...]:
        """Look at a revision again; nothing is recorded.

        Args:
            rev: Which revision.
            concepts: What to look at closely; none for the whole graph.
            tier: 0 for weights and text, 1 for predictions as well, 2 for new pictures.
            policy: How much is looked at, how it is painted, who judges; else as the
                ledger's configuration or the newest entry has it.
            fresh: Whether to paint, judge and sum again whatever was before.
            watch: Who wants to see it advance.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: Nobody knows a concept.
            UsageError: There is no such tier.
        """
        checks.check_tier(tier)
        rules = self.rules(policy, about=rev)
        for name in concepts:
            self.world.known(name)
        self.check()
        from unlearnlog.commands import probe

        with self._watching(watch) as shown:
            wish = probe.ProbeRequest(rules, rev, tuple(concepts), tier, fresh, shown)
            return probe.probe(self.place, wish)

    def graph(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        pictures: int = 16,
        similar: bool = False,
        informed: bool = False,
        watch: Progress | None = None,
    ) -> Mapped:
        """Return the concept graph, and what became of each concept.

        Args:
            rev: At which revision.
            concepts: Whom ``informed`` asks about; none for what is erased.
            pictures: Of each concept it is asked of.
            similar: Whether to ask the model whose text is near whose.
            informed: Whether to ask the base who is near whom; it paints.
            watch: Who wants to see it advance.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: Nobody knows a concept.
            UsageError: Nobody is named, and nothing is erased.
        """
        self.chain.resolve(rev)
        for name in concepts:
            self.world.members(name)
        self.check()
        from unlearnlog.commands import graph
        from unlearnlog.commands.measured_edges import EdgesRequest

        with self._watching(watch) as shown:
            wish = EdgesRequest(tuple(concepts), pictures, shown) if informed else None
            return graph.graph(self.place, rev, similar=similar, informed=wish)

    def drift(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        reading: str = "moved.nats",
    ) -> DriftSeries:
        """Return how far each concept has moved, entry by entry.

        Args:
            rev: Up to which entry.
            concepts: Whom to follow; none for all.
            reading: ``moved.nats``, ``moved`` or ``presence``.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: No entry has such a reading, or none of a concept.
        """
        from unlearnlog.commands.drift import followed

        history = [each for each in self.entries(rev) if each.kind != "audit"]
        return followed(history, reading, tuple(concepts))

    def report(
        self,
        rev: str = "HEAD",
        *,
        pictures: int = 2,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> Findings:
        """Return everything that is known of a revision, for a report.

        Args:
            rev: Up to which entry.
            pictures: Prompts of each erased concept that are painted before and after.
            policy: How pictures are painted; else as the ledger's configuration or the
                newest entry has it.
            watch: Who wants to see it advance.

        Returns:
            Values that `unlearnlog.report` writes as HTML and Markdown.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: It is the base.
        """
        checks.check_entry(self.chain, rev)
        rules = self.rules(policy, about=rev)
        self.check()
        from unlearnlog.commands import report

        with self._watching(watch) as shown:
            wish = report.ReportRequest(rev, pictures, rules, shown)
            return report.report(self.place, wish)

    def concepts(self) -> list[dict[str, Any]]:
        """List the concepts that the ledger knows of, and what is near what.

        Returns:
            For each its name, kind, family, look-alike and other names.
        """
        from unlearnlog.concepts.concept_rows import concept_rows

        return concept_rows(self.world)

    def families(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the concepts of each family, by the family's."""
        from unlearnlog.concepts.concept_rows import family_rows

        return family_rows(self.world)

    @staticmethod
    def erasers() -> list[dict[str, Any]]:
        """List the methods of erasure: source, needs, settings."""
        from unlearnlog.erasers.eraser_table import known_erasers
        from unlearnlog.report.eraser_views import eraser_row

        return [eraser_row(each) for each in known_erasers()]
