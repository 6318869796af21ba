"""Pictures, probes, the concept graph, drift and reports, as methods of the ledger."""

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
    from unlearnlog.commands.prompted import Prompted
    from unlearnlog.commands.unlearn_canvas import FilledCanvas
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.findings.report_parts import Findings
    from unlearnlog.models.interface import Painted
    from unlearnlog.policy import Policy


class InspectMethods(OpenedLedger):
    """Methods that measure or paint a revision; they record nothing."""

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
            prompt: The prompt.
            revs: Revisions, one row each; none for ``HEAD``.
            n: Pictures per row.
            seed: Seed of the first picture; later ones count up from it.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            output: Path of a PNG file for the sheet; None to write none.
            watch: Receives the progress of the work.

        Returns:
            The sheet of all rows, which a notebook displays.

        Raises:
            RevisionError: A revision names no entry.
            PromptError: The prompt is invalid.
            UsageError: The path does not end with .png, or cannot be written.

        Example::

            ledger.paint("a boat by Picasso", "base", "HEAD", n=4, output="boats.png")
        """
        rows = revs or ("HEAD",)
        from unlearnlog.report.output_file import check_written

        check_written(None if output is None else Path(output), (".png",))
        painted = self._painted(prompt, rows, range(seed, seed + n), policy, watch)
        from unlearnlog.report.image_grid import image_grid, save_png

        sheet = image_grid([row.pictures for row in painted], rows, prompt)
        if output is not None:
            save_png(sheet, Path(output))
        return sheet

    def pictures(
        self,
        prompt: str,
        *revs: str,
        n: int = 6,
        seed: int = 0,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> list[list[Image]]:
        """Paint a prompt at one or more revisions, as `paint` does, picture by picture.

        Args:
            prompt: The prompt.
            revs: Revisions, one row each; none for ``HEAD``.
            n: Pictures per row.
            seed: Seed of the first picture; later ones count up from it.
            policy: Name, path or `Policy`, as for `paint`.
            watch: Receives the progress of the work.

        Returns:
            The pictures of each revision; those of one column have the same latents.

        Raises:
            RevisionError: A revision names no entry.
            PromptError: The prompt is invalid.

        Example::

            [[before], [after]] = ledger.pictures("a boat", "base", "HEAD", n=1)
        """
        rows = revs or ("HEAD",)
        painted = self._painted(prompt, rows, range(seed, seed + n), policy, watch)
        from unlearnlog.report.image_grid import single_pictures

        return [single_pictures(row.pictures) for row in painted]

    def _painted(
        self,
        prompt: str,
        revs: Sequence[str],
        seeds: range,
        policy: str | Policy,
        watch: Progress | None,
    ) -> list[Painted]:
        """Paint a prompt at some revisions, after the revisions are checked."""
        for rev in revs:
            self.chain.resolve(rev)
        rules = self.rules(policy, about=revs[-1])
        self.check()
        from unlearnlog.commands import paint as sampler

        with self._watching(watch) as shown:
            return sampler.paint(
                self.place, prompt, revs, seeds=seeds, policy=rules, watch=shown
            )

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
        """Measure a revision again; nothing is recorded.

        Args:
            rev: The revision.
            concepts: Concepts to measure in detail; none for the whole graph.
            tier: 0 for weights and text, 1 for predictions as well, 2 for new pictures.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            fresh: Whether to paint, judge and sum again instead of reading caches.
            watch: Receives the progress of the work.

        Returns:
            The readings, each with its unit, n and interval.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: A concept is unknown.
            UsageError: The tier is unknown.

        Example::

            for reading in ledger.probe(concepts=["Monet"], tier=1):
                print(reading.probe, reading.value, reading.low, reading.high)
        """
        checks.check_tier(tier)
        rules = self.rules(policy, about=rev)
        for name in concepts:
            self.world.known(name)
        self.check()
        from unlearnlog.commands import probe

        with self._watching(watch) as shown:
            request = probe.ProbeRequest(
                rules, rev, tuple(concepts), tier, fresh, shown
            )
            return probe.probe(self.place, request)

    def probe_prompts(
        self,
        file: Folder,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        rows: int = 0,
        policy: str | Policy = "",
        fresh: bool = False,
        watch: Progress | None = None,
    ) -> Prompted:
        """Paint and judge the prompts of a file at a revision; nothing is recorded.

        Each row's seed and guidance are used as they are given; the base paints the
        same rows from the same latents.

        Args:
            file: A .csv, .tsv, .json, .jsonl or .txt file of prompts.
            rev: The revision.
            concepts: Concepts to count beside those that the file names.
            rows: Number of rows, evenly spread over the file; 0 for all.
            policy: Name, path or `Policy`: sampling and judge. Empty for the
                configuration's, else that of the newest entry.
            fresh: Whether to paint and judge again instead of reading caches.
            watch: Receives the progress of the work.

        Returns:
            The readings, and the judge's answers to each row.

        Raises:
            PromptError: The file cannot be read.
            RevisionError: The revision names no entry.
            ConceptError: The judge does not know a concept.
            UsageError: There is no judge.

        Example::

            found = ledger.probe_prompts("unsafe-prompts4703.csv", rows=500)
            print(found.readings)
        """
        from unlearnlog.concepts.prompt_file import PromptFile

        prompts = PromptFile.read(Path(file)).drawn(rows)
        rules = self.rules(policy, about=rev)
        self.check()
        from unlearnlog.commands.prompted import PromptsRequest, prompted

        with self._watching(watch) as shown:
            request = PromptsRequest(rules, prompts, rev, tuple(concepts), fresh, shown)
            return prompted(self.place, request)

    def canvas(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        each: bool = False,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> FilledCanvas:
        """Return UnlearnCanvas's table: UA, IRA and CRA; nothing is recorded.

        Its prompts, every style with every subject under its five seeds, are painted
        once for all rows, or with ``each`` once for each row.

        Args:
            rev: The revision.
            concepts: Concepts that get a row; none for all that are erased, or with
                ``each`` for all that are known.
            each: Whether each concept is erased alone, from the base.
            policy: Name, path or `Policy`: sampling, judge, and the eraser of ``each``.
                Empty for the configuration's, else that of the newest entry.
            watch: Receives the progress of the work.

        Returns:
            A row for each concept, with intervals and every concept's accuracy.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: A concept is unknown.
            UsageError: Nothing is erased, or there is no judge.
        """
        self.chain.resolve(rev)
        rules = self.rules(policy, about=rev)
        for name in concepts:
            self.world.known(name)
        self.check()
        from unlearnlog.commands.unlearn_canvas import CanvasRequest, canvas

        with self._watching(watch) as shown:
            request = CanvasRequest(rules, rev, tuple(concepts), each=each, watch=shown)
            return canvas(self.place, request)

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
        """Return the concept graph of a revision, with the readings of each concept.

        Args:
            rev: The revision.
            concepts: Concepts whose edges ``informed`` measures; none for those that
                are erased.
            pictures: Pictures per concept for ``informed``.
            similar: Whether to add edges between names with similar text embeddings.
            informed: Whether to measure edges by information on the base; this paints.
            watch: Receives the progress of the work.

        Returns:
            A networkx graph, and the same for a drawing.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: A concept is unknown.
            UsageError: ``informed`` is set, no concept is named and nothing is erased.

        Example::

            print(ledger.graph().network.nodes["Picasso"]["status"])
        """
        self.chain.resolve(rev)
        for name in concepts:
            self.world.members(name)
        self.check()
        from unlearnlog.commands import graph
        from unlearnlog.commands.measured_edges import EdgesRequest

        with self._watching(watch) as shown:
            edges = EdgesRequest(tuple(concepts), pictures, shown) if informed else None
            return graph.graph(self.place, rev, similar=similar, informed=edges)

    def drift(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        reading: str = "moved.nats",
    ) -> DriftSeries:
        """Return how far each concept has moved, entry by entry.

        Args:
            rev: The last revision.
            concepts: Names of concepts; none for all.
            reading: ``moved.nats``, ``moved`` or ``presence``.

        Returns:
            A series of readings for each concept, those that moved most first.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: No entry has such a reading, or none of a named concept.
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
        """Gather all that is recorded up to a revision, for a report.

        Args:
            rev: The last revision.
            pictures: Prompts per erased concept that are painted before and after.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            watch: Receives the progress of the work.

        Returns:
            Values that `unlearnlog.report` writes as HTML and Markdown.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The revision is the base.
        """
        checks.check_entry(self.chain, rev)
        rules = self.rules(policy, about=rev)
        self.check()
        from unlearnlog.commands import report

        with self._watching(watch) as shown:
            request = report.ReportRequest(rev, pictures, rules, shown)
            return report.report(self.place, request)

    def concepts(self) -> list[dict[str, Any]]:
        """List the known concepts.

        Returns:
            Name, kind, family, look-alike and aliases of each.
        """
        from unlearnlog.concepts.concept_rows import concept_rows

        return concept_rows(self.world)

    def families(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the concepts of each family, by its name."""
        from unlearnlog.concepts.concept_rows import family_rows

        return family_rows(self.world)

    @staticmethod
    def erasers() -> list[dict[str, Any]]:
        """List the erasers.

        Returns:
            Name, source, requirements and settings of each.
        """
        from unlearnlog.erasers.eraser_table import known_erasers
        from unlearnlog.report.eraser_views import eraser_row

        return [eraser_row(each) for each in known_erasers()]
