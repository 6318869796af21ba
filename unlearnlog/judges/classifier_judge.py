"""Local image classifiers of transformers as a judge: ``hf:FOLDER``.

A file ``labels.csv`` in the folder says which concept each label is: columns ``label``,
``concept`` and ``kind``, ``style`` or ``subject``. Without it each label is a concept
of its own name. One folder answers for styles or for subjects or for both; of several,
each answers for what it knows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast, final

import torch
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.names import folded
from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.errors import ModelError
from unlearnlog.judges.judge_folder import classifier_copy
from unlearnlog.models.network_building import told

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.core.concept import Slot
    from unlearnlog.models.interface import Painted

TABLE: Final = "labels.csv"
_COLUMNS: Final = ("label", "concept", "kind")
_AT_ONCE: Final = 64
_SAVE: Final = "save the classifier and its image processor there with save_pretrained"


@final
@dataclass(frozen=True)
class Classifier:
    """One classifier.

    Attributes:
        net: The network.
        processor: Scales pictures as the network expects them.
        concepts: The concept of each output with its place, in the outputs' order;
            None where an output is no concept.
        name: The folder's name.
    """

    net: Any
    processor: Any
    concepts: tuple[tuple[str, Slot] | None, ...]
    name: str

    @classmethod
    def load(cls, folder: Path, world: ConceptSet) -> Self:
        """Load a folder that ``save_pretrained`` wrote.

        Raises:
            ModelError: The folder holds no such classifier, its weights are a pickle,
                or its table of labels is not valid.
        """
        read: Any = AutoModelForImageClassification.from_pretrained
        with classifier_copy(folder) as copy, told(f"'hf:{folder}' is no judge", _SAVE):
            net, found = read(
                copy.folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            processor = AutoImageProcessor.from_pretrained(
                copy.folder, local_files_only=True, trust_remote_code=False
            )
        if missing := sorted(found["missing_keys"]):
            raise ModelError(
                f"the judge 'hf:{folder}' lacks {len(missing)} of its weights, the "
                f"first is {missing[0]}",
                fix=_SAVE,
            )
        table = _table(folder / TABLE)
        if table:
            _check_labels(folder, copy.labels, table)
            concepts = tuple(table.get(folded(label)) for label in copy.labels)
        else:
            concepts = tuple(_own(label, world) for label in copy.labels)
        frozen = net.eval().requires_grad_(requires_grad=False)
        return cls(frozen, processor, concepts, folder.name)

    @torch.inference_mode()
    def best(self, pictures: Tensor) -> list[tuple[str, Slot] | None]:
        """Return the concept of each picture's largest output."""
        found: list[tuple[str, Slot] | None] = []
        for part in pictures.split(_AT_ONCE):
            ready = self.processor(images=list(part.numpy()), return_tensors="pt")
            outputs = self.net(**ready).logits.argmax(-1).tolist()
            found += [self.concepts[i] for i in outputs]
        return found


@final
@dataclass(frozen=True)
class ClassifierJudge:
    """One classifier, or several of which each answers for what it knows.

    Attributes:
        parts: The classifiers.
    """

    parts: tuple[Classifier, ...] = field(repr=False)

    @classmethod
    def load(cls, folders: Sequence[Path], world: ConceptSet) -> Self:
        """Load the classifiers of some folders.

        Raises:
            ModelError: A folder holds none.
        """
        return cls(tuple(Classifier.load(folder, world) for folder in folders))

    @property
    def name(self) -> str:
        """The name that an entry records."""
        return f"hf {' '.join(part.name for part in self.parts)}"

    @cached_property
    def identity(self) -> str:
        """The name and the digest of the weights and of every label."""
        labels = digest_of(canonical_json([part.concepts for part in self.parts]))
        for part in self.parts:
            labels = state_digest(part.net.state_dict(), labels)
        return f"{self.name} {labels}"

    @property
    def labels(self) -> Mapping[str, Slot]:
        """What it answers, each with its place."""
        return dict(each for part in self.parts for each in part.concepts if each)

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the subject and the style of each picture, where a part tells it."""
        told_of = [part.best(painted.pictures) for part in self.parts]
        answers = []
        for found in zip(*told_of, strict=True):
            of = {slot: name for each in found if each for name, slot in [each]}
            answers.append(Answer(of.get("subject", REJECT), of.get("style", REJECT)))
        return answers

    def features(self, painted: Painted) -> Tensor | None:
        """Return None: classes are no feature space."""
        del painted
        return None


def _table(path: Path) -> dict[str, tuple[str, Slot]]:
    """Return the concept of each label of a table; none without a table.

    Raises:
        ModelError: It cannot be read, lacks a column, or has a kind that is none.
    """
    if not path.exists():
        return {}
    try:
        rows = [*csv.DictReader(text_of(path, encoding="utf-8-sig").splitlines())]
    except (OSError, ValueError, csv.Error) as error:
        raise ModelError(
            f"the labels in '{path}' cannot be read: {error}",
            fix=fix_of(
                error, f"write a CSV file with the columns {','.join(_COLUMNS)}"
            ),
        ) from error
    found: dict[str, tuple[str, Slot]] = {}
    for line, row in enumerate(rows, 2):
        label, concept, kind = ((row.get(c) or "").strip() for c in _COLUMNS)
        if not label or not concept or kind not in ("style", "subject"):
            raise ModelError(
                f"line {line} of '{path}' says label '{label}', concept '{concept}', "
                f"kind '{kind}'",
                fix="give each label a concept, and the kind style or subject",
            )
        found[folded(label)] = (concept, cast("Slot", kind))
    return found


def _check_labels(
    folder: Path, labels: Sequence[str], table: Mapping[str, object]
) -> None:
    """Refuse a table about labels that the classifier does not have.

    Raises:
        ModelError: It has such a label.
    """
    known = {folded(label) for label in labels}
    if strange := sorted({*table} - known):
        raise ModelError(
            f"'{folder / TABLE}' is about '{strange[0]}', which is no label of it",
            fix=f"its labels are: {', '.join(labels[:20])}",
        )


def _own(label: str, world: ConceptSet) -> tuple[str, Slot]:
    """Return the concept of a label's own name; ImageNet's have several, by commas."""
    names = {
        folded(name): concept
        for concept in world.concepts.values()
        for name in (concept.name, *concept.aliases)
    }
    spelt = [label, *label.split(",")]
    for each in spelt:
        concept = names.get(folded(each.replace("_", " ")))
        if concept is not None:
            return concept.name, concept.slot
    return label.split(",")[0].strip() or label, "subject"
