"""Measurements that need no ledger: two models side by side, pictures alone.

Example::

    from unlearnlog.api import compare

    found = compare("sd-1-5", "erased-sd-1-5", concepts=["Van Gogh"])
    print(found.readings)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.commands import checks
from unlearnlog.commands.defaults import Settings, rules
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.progress import NoProgress

if TYPE_CHECKING:
    from unlearnlog.commands.compare import Compared
    from unlearnlog.commands.judged_images import JudgedImages
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy

Folder = str | Path


def compare(
    one: str,
    other: Folder,
    *,
    concepts: Sequence[str] = (),
    kind: str = "",
    prompts: Folder | None = None,
    rows: int = 0,
    policy: str | Policy = "",
    judge: str = "",
    known: Folder | None = None,
    device: str = "",
    dtype: str = "",
    workers: str | int = "",
    watch: Progress | None = None,
) -> Compared:
    """Measure a model beside another one, on the same prompts and latents.

    Args:
        one: The model that is compared with: ``atelier`` or a diffusers folder.
        other: The model that is measured: a folder, a checkpoint or a LoRA of the first
            one's kind.
        concepts: Concepts that it is supposed to have forgotten: the whole panel of
            `Ledger.add`. None: what became of every known concept.
        kind: ``style`` or ``subject``, for new names.
        prompts: A file of prompts to paint as well.
        rows: Number of its rows; 0 for all.
        policy: Name, path or `Policy`: sample sizes, sampling, judge.
        judge: A judge in place of the policy's.
        known: A TOML file of concepts; None for what suits the model.
        device: Device of the model; empty for UNLEARNLOG_DEVICE, or cpu.
        dtype: Dtype of the network; empty for UNLEARNLOG_DTYPE, or float32.
        workers: Who computes independent work; empty for this process.
        watch: Receives the progress of the work.

    Returns:
        The readings of the second model, with the first as their base.

    Raises:
        ModelError: A model cannot be read, or the two have other shapes.
        WrongBase: The two are different models, not one changed from the other.
        ConceptError: A concept is unknown.
    """
    rule = rules(policy, None, judge=judge)
    checks.check_model(one)
    checks.check_given(Path(other), "a model's folder or file")
    file = None if known is None else Path(known)
    world = ConceptSet.read(file or checks.suited(one))
    named = tuple(world.concept(name, kind=kind) for name in concepts)
    checks.check_concepts(named, ())
    table = None
    if prompts is not None:
        from unlearnlog.concepts.prompt_file import PromptFile

        table = PromptFile.read(Path(prompts)).drawn(rows)
    given = Settings(device, dtype, file, workers=str(workers)).settled(None)
    from unlearnlog.commands.compare import CompareRequest
    from unlearnlog.commands.compare import compare as compared
    from unlearnlog.commands.session_opening import session_of

    at = session_of(
        one,
        concepts=file,
        device=given.device,
        dtype=given.dtype,
        workers=given.workers,
    )
    return compared(
        at, CompareRequest(Path(other), rule, named, table, watch or NoProgress())
    )


def judge_images(
    folder: Folder,
    judge: str,
    *,
    prompts: Folder | None = None,
    concepts: Sequence[str] = (),
    known: Folder | None = None,
    reference: Folder | None = None,
    inception: Folder | None = None,
    watch: Progress | None = None,
) -> JudgedImages:
    """Judge pictures that were painted elsewhere, without a model.

    Args:
        folder: The pictures.
        judge: The folder of a CLIP model, ``hf:FOLDER``, ``nudenet``, ``atelier``, or
            another package's judge.
        prompts: The table of their prompts; None for UnlearnCanvas's file names.
        concepts: Concepts to count. Of UnlearnCanvas's pictures: the erased ones, each
            of which gets a row of its table.
        known: A TOML file of concepts; None for those of most models.
        reference: Other pictures to take Frechet's distance to, in CLIP's features.
        inception: The weights of FID's network in safetensors: the distance is FID.
        watch: Receives the progress of the work.

    Returns:
        The readings, and the judge's answer to each picture.

    Raises:
        PromptError: The table cannot be read.
        UsageError: No picture is of a row, or the judge needs a model.
        ConceptError: The judge does not know a concept.
    """
    from unlearnlog.commands.defaults import check_judge
    from unlearnlog.concepts.concept_set import GENERAL

    check_judge(judge)
    world = ConceptSet.read(Path(known) if known else GENERAL)
    table = None
    if prompts is not None:
        from unlearnlog.concepts.prompt_file import PromptFile

        table = PromptFile.read(Path(prompts))
    from unlearnlog.commands.judged_images import ImagesRequest, judged_images

    return judged_images(
        ImagesRequest(
            Path(folder),
            judge,
            world,
            table,
            tuple(concepts),
            None if reference is None else Path(reference),
            None if inception is None else Path(inception),
            watch or NoProgress(),
        )
    )
