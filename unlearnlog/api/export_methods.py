"""Checkout, export and apply, as methods of the ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.commands import checks

if TYPE_CHECKING:
    from unlearnlog.commands.export import Exported
    from unlearnlog.commands.push_model import ModelPush
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

    def push_model(
        self,
        rev: str,
        repository: str,
        *,
        public: bool = False,
        message: str = "",
        dry_run: bool = True,
    ) -> ModelPush:
        """Push the model of a revision to a hub, as a diffusers folder with its card.

        The token is that of huggingface_hub: ``HF_TOKEN``, or of ``hf auth login``.

        Args:
            rev: The revision.
            repository: ``owner/name``; it is made if there is none, and files in it
                that the model does not have are removed.
            public: Whether everybody may read it.
            message: The commit's message; empty for one that names what is erased.
            dry_run: Whether to send nothing, and only say what would be sent.

        Returns:
            The files with their sizes, and the address of the commit.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The name is no repository.
            ModelError: The hub cannot be reached or refuses, or the repository is
                public and ``public`` is not set.

        Example::

            print(ledger.push_model("HEAD", "you/without-picasso").files)
        """
        from unlearnlog.models.hub_push import check_repository

        self.chain.resolve(rev)
        check_repository(repository)
        self.check()
        from unlearnlog.commands import push_model

        request = push_model.PushModelRequest(rev, repository, public, message, dry_run)
        return push_model.push_model(self.place, request)

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
