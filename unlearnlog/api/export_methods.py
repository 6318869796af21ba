"""Checkout, export and apply, as methods of the ledger."""

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

Spelling = Literal[
    "",
    "kohya",
    "diffusers",
    "kohya-diffusers",
    "original",
    "comfyui",
    "checkpoint",
    "tensors",
]
"""The format of an export; empty for the one that most tools load."""


class ExportMethods(OpenedLedger):
    """Methods that write a revision to disk, or copy it into a pipeline."""

    def checkout(self, rev: str, folder: Folder) -> None:
        """Write the model of a revision as a plain diffusers folder.

        Args:
            rev: The revision.
            folder: A new or empty folder.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The folder cannot be written or is not empty.

        Example::

            ledger.checkout("HEAD", "without-picasso")
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
        spelling: Spelling = "",
        energy: float = 0.9999,
        half: bool = False,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> Exported:
        """Write a revision or its change as one file, if enough of the erasure is kept.

        Args:
            rev: The revision.
            path: A new ``.safetensors`` file.
            spelling: ``kohya``, ``diffusers``, ``kohya-diffusers`` (of an SDXL:
                kohya's keys with diffusers' block names) or, of a transformer,
                ``original`` (the names in ComfyUI): a LoRA with such keys. ``comfyui``:
                the exact difference, as a patch. ``checkpoint``: the whole model, with
                the names of the original code. ``tensors``: the changed tensors, whole.
                Empty for the one that most tools load: ``kohya``, of a transformer
                ``diffusers``, and ``tensors`` where the pipeline has no LoRA loader.
            energy: Share of each change's squared norm that a LoRA keeps, in (0, 1].
            half: Whether a whole checkpoint is rounded to half precision: float16, of a
                transformer bfloat16.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            watch: Receives the progress of the work.

        Returns:
            Rank, kept energy and size in bytes, with the readings of the exported form.

        Raises:
            UsageError: The revision changes nothing, the model has no such format, or
                the file cannot be written.
            ExportError: Too little of the erasure is kept; no file is written.

        Example::

            ledger.export("HEAD", "erasures.safetensors", spelling="checkpoint")
        """
        rules = self.rules(policy, about=rev)
        checks.check_export(self.chain, rev, Path(path), energy)
        self.check()
        from unlearnlog.commands import export

        request = export.ExportRequest(rev, Path(path), spelling, rules, energy, half)
        with self._watching(watch) as shown:
            return export.export(self.place, replace(request, watch=shown))

    def apply(self, pipeline: Pipeline, rev: str = "HEAD") -> Pipeline:
        """Copy the weights of a revision into a loaded diffusers pipeline.

        Args:
            pipeline: A pipeline of the ledger's base, in any dtype, on any device, as
                it was loaded or with a revision of this ledger; it is changed.
            rev: The revision.

        Returns:
            The pipeline.

        Raises:
            RevisionError: The revision names no entry.
            WrongBase: The pipeline is of another model, or carries the erasure of
                another ledger; the message names the parameters that differ.
            UsageError: The pipeline has a LoRA, loaded or fused.

        Example::

            pipeline = StableDiffusionPipeline.from_pretrained("my-model")
            ledger.apply(pipeline, "HEAD")
        """
        from unlearnlog.commands.apply import apply

        apply(self.place, pipeline, rev)
        return pipeline
