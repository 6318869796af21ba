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
    from unlearnlog.commands.release import Release
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

    def checkout(self, rev: str, folder: Folder, *, sign: Folder | None = None) -> None:
        """Write the model of a revision as a plain diffusers folder.

        Args:
            rev: The revision.
            folder: A new or empty folder.
            sign: A private elliptic-curve key, PEM: the folder is signed by OpenSSF
                Model Signing, in ``model.sig``.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: The folder cannot be written or is not empty, or the key cannot
                sign.
            Sealed: The revision's deltas are sealed.

        Example::

            ledger.checkout("HEAD", "without-picasso")
        """
        chain = self.chain
        chain.check_open(chain.resolve(rev))
        checks.check_new_folder(Path(folder), may_be_empty=True)
        key = self._signing_key(sign)
        self.check()
        from unlearnlog.commands import paint
        from unlearnlog.core.redaction import redacting

        with redacting(self.redaction):
            paint.checkout(self.place, rev, Path(folder), key=key)

    def release(
        self,
        rev: str,
        folder: Folder,
        *,
        base_model: str = "",
        licence: str = "",
        sign: Folder | None = None,
    ) -> Release:
        """Write what one gives away of a revision, and nothing that undoes it.

        The model's folder, with a card that the hub reads, a report and the digests of
        all files; no delta, and no place that was changed.

        Args:
            rev: The revision.
            folder: A new or empty folder.
            base_model: The base's id on the hub; empty for that of its source.
            licence: The licence as the hub names it; empty for that of the base's card.
            sign: A private elliptic-curve key, PEM, that signs the folder.

        Returns:
            The entry, the erased concepts and the digest of each file.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: Nothing is erased there, or the folder cannot be written.
            Sealed: The revision's deltas are sealed.

        Example::

            ledger.release("HEAD", "without-picasso", licence="apache-2.0")
        """
        from unlearnlog.core.redaction import redacting
        from unlearnlog.models.hub_card import check_licence

        chain = self.chain
        checks.erased_at(chain, rev, so="there is nothing to release")
        chain.check_open(chain.resolve(rev))
        check_licence(licence)
        checks.check_new_folder(Path(folder), may_be_empty=True)
        key = self._signing_key(sign)
        self.check()
        from unlearnlog.commands import release

        request = release.ReleaseRequest(rev, Path(folder), base_model, licence, key)
        with redacting(self.redaction):
            return release.release(self.place, request)

    def _signing_key(self, key: Folder | None) -> Path | None:
        """Return the key that signs a folder, checked before the model is loaded."""
        if key is None:
            return None
        from unlearnlog.commands.model_signing import check_key

        check_key(Path(key))
        return Path(key)

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
        self.chain.check_open(self.chain.resolve(rev))
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
