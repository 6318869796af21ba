"""Methods that give a revision away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks

if TYPE_CHECKING:
    from unlearnlog.commands.export import Exported
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy

Pipeline = TypeVar("Pipeline")


class ExportMethods(OpenedLedger):
    """Writes a revision as a folder or a LoRA, or puts it into a loaded pipeline."""

    def checkout(self, rev: str, folder: Folder) -> None:
        """Write the model of a revision as a plain diffusers folder.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The folder cannot be written or holds something.
        """
        self.chain.resolve(rev)
        checks.check_new_folder(Path(folder), may_be_empty=True)
        self.check()
        from unlearnlog.commands import paint

        paint.checkout(self.place, rev, Path(folder))

    def export(
        self,
        rev: str,
        path: Folder,
        *,
        spelling: Literal["diffusers", "kohya"] = "diffusers",
        energy: float = 0.9999,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> Exported:
        """Write the change of a revision as a LoRA, if enough of the erasure is left.

        Args:
            rev: Which revision.
            path: A new ``.safetensors`` file.
            spelling: Who is to load it.
            energy: Share of each change's squared norm that is kept, in (0, 1].
            policy: How it is looked at, and how much must be left; else as the
                ledger's configuration or the newest entry has it.
            watch: Who wants to see it advance.

        Raises:
            UsageError: There is nothing to give away, or the file cannot be written.
            ExportError: Too little of the erasure is left; no file is.
        """
        rules = self.rules(policy, about=rev)
        checks.check_export(self.chain, rev, Path(path), energy)
        self.check()
        from unlearnlog.commands import export

        wish = export.ExportRequest(rev, Path(path), spelling, rules, energy)
        with self._watching(watch) as shown:
            return export.export(self.place, replace(wish, watch=shown))

    def apply(self, pipeline: Pipeline, rev: str = "HEAD") -> Pipeline:
        """Give a loaded diffusers pipeline the weights of a revision.

        Args:
            pipeline: A pipeline of the ledger's base, in any dtype, on any device,
                as it was loaded or with a revision of this ledger; it is changed.
            rev: Whose weights.

        Returns:
            The pipeline.

        Raises:
            RevisionError: The revision names no entry.
            WrongBase: The pipeline is of another model, or carries the erasure of
                another ledger; names what differs.
            UsageError: The pipeline has a LoRA, loaded or fused.
        """
        from unlearnlog.commands.apply import apply

        apply(self.place, pipeline, rev)
        return pipeline
