"""What a ledger stands on: a model, known by the digests of its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import model_validator

from unlearnlog.core.digest import (
    Digest,
    DigestField,
    Record,
    TensorRecord,
    canonical_json,
    digest_of,
    merkle_root,
)
from unlearnlog.errors import WrongBase

if TYPE_CHECKING:
    from unlearnlog.core.delta import Delta, Weights

_NAMED: Final = 5
_LONGEST: Final = 80  # characters of a value in a message
_OPTIONAL: Final = ("configs", "files")
_BROKEN: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class BaseManifest(Record):
    """The base model without its numbers.

    Attributes:
        source: Where it came from: a hub id with its revision, or a path; one that
            begins with ``./`` or ``../`` is seen from the ledger's folder.
        family: The model family's name, such as ``sd1``.
        tensors: Dtype, shape and SHA-256 by full parameter name.
        root: One digest over all tensors.
        configs: What each configuration comes to, by its path in the model's folder.
            Empty, and not written, in a ledger of before it was recorded.
        files: SHA-256 of every other file that decides a result, by its path.
    """

    source: str
    family: str
    tensors: Mapping[str, TensorRecord]
    root: DigestField
    configs: Mapping[str, Mapping[str, Any]] = {}
    files: Mapping[str, DigestField] = {}

    @model_validator(mode="after")
    def _has_the_root_of_its_tensors(self) -> Self:
        if self.root != merkle_root(self.tensors.items()):
            message = f"root {self.root} is not that of the tensors"
            raise ValueError(message)
        return self

    def __repr__(self) -> str:
        n, root = len(self.tensors), self.root[:12]
        return f"<BaseManifest of {self.source}, {self.family}, {n} tensors, {root}>"

    __str__ = __repr__

    @classmethod
    def of(cls, source: str, family: str, weights: Weights) -> BaseManifest:
        """Describe a model's tensors, whatever their order."""
        from unlearnlog.core.delta import tensor_record

        tensors = {name: tensor_record(weights[name]) for name in sorted(weights)}
        return cls.made_of(source, family, tensors)

    @classmethod
    def made_of(
        cls,
        source: str,
        family: str,
        tensors: Mapping[str, TensorRecord],
        *,
        configs: Mapping[str, Mapping[str, Any]] | None = None,
        files: Mapping[str, Digest] | None = None,
    ) -> BaseManifest:
        """Describe a model by what is known of its parts."""
        return cls(
            source=source,
            family=family,
            tensors={name: tensors[name] for name in sorted(tensors)},
            root=merkle_root(tensors.items()),
            configs=configs or {},
            files=files or {},
        )

    @property
    def is_complete(self) -> bool:
        """Whether more is known of the model than its tensors."""
        return bool(self.configs or self.files)

    @property
    def is_path(self) -> bool:
        """Whether the source is a path, and neither a hub id nor what ships."""
        return PurePath(self.source).is_absolute() or self.source[:1] == "."

    @property
    def name(self) -> str:
        """What it is called before others: of a path its last part only.

        Example:
            >>> base = BaseManifest.of("/srv/models/mine", "sd1", {})
            >>> base.name
            'mine'
        """
        if not self.is_path:
            return self.source
        last = PurePath(self.source).name
        return last if last.strip(".") else "a model"

    def check(self, tensors: Mapping[str, TensorRecord]) -> None:
        """Refuse a model with other tensors than these.

        Args:
            tensors: All of the model's.

        Raises:
            WrongBase: Names the first ones that differ, are missing, or are new.
        """
        names = sorted(self.tensors.keys() | tensors.keys())
        wrong = [n for n in names if self.tensors.get(n) != tensors.get(n)]
        if wrong:
            more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise WrongBase(
                "the model is not the ledger's base; not the same: "
                f"{', '.join(wrong[:_NAMED])}{more}",
                fix=f"use the model the ledger was made for: {self.source}",
            )

    def check_same(self, other: BaseManifest) -> None:
        """Refuse a model that computes otherwise than this one.

        Of configurations counts what both say: another version of a library knows keys
        that this one did not. Where only the tensors are known, they alone count.

        Raises:
            WrongBase: Names the first things that differ, with both values.
        """
        self.check(other.tensors)
        if not (self.is_complete and other.is_complete):
            return
        wrong = [*_unlike(self.configs, other.configs)]
        wrong += _changed(self.files, other.files)
        if wrong:
            more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise WrongBase(
                "the model is not the ledger's base; not the same: "
                f"{', '.join(wrong[:_NAMED])}{more}",
                fix="put that back as it was, or use the model the ledger was made "
                f"for: {self.source}",
            )

    def check_fits(self, delta: Delta) -> None:
        """Refuse a delta for tensors that the base has not, or not in that shape.

        Raises:
            ValueError: Names the first of them.
        """
        for name, patch in delta.patches.items():
            known = self.tensors.get(name)
            if known is None:
                n = len(self.tensors)
                message = f"the base has no tensor {name!r}, only {n} others"
                raise ValueError(message)
            if known.shape != patch.shape:
                shapes = f"{list(known.shape)}, its patch {list(patch.shape)}"
                message = f"{name} is {shapes}"
                raise ValueError(message)

    def to_json(self) -> bytes:
        """Write the manifest as canonical JSON with a checksum over all of it."""
        content: dict[str, Any] = self.model_dump(mode="json")
        content = {k: v for k, v in content.items() if v or k not in _OPTIONAL}
        checksum = digest_of(canonical_json(content))
        return canonical_json({**content, "checksum": checksum})

    @classmethod
    def from_json(cls, data: bytes) -> BaseManifest:
        """Read what `to_json` wrote, and accept nothing else.

        Raises:
            ValueError: The bytes are not exactly what was written.
        """
        try:
            content = json.loads(data)
            content.pop("checksum")
            manifest = cls.model_validate_json(json.dumps(content))
        except _BROKEN as error:
            message = f"not a base manifest: {error}"
            raise ValueError(message) from error
        if manifest.to_json() != data:
            message = "a base manifest, but not as it was written"
            raise ValueError(message)
        return manifest


def _unlike(
    known: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Say which values of configurations differ."""
    for file in sorted(known.keys() | found.keys()):
        ours, theirs = known.get(file, {}), found.get(file, {})
        for key in sorted(ours.keys() & theirs.keys()):
            if canonical_json(ours[key]) != canonical_json(theirs[key]):
                yield f"{file}: {key} is {_said(theirs[key])}, was {_said(ours[key])}"


def _changed(known: Mapping[str, Digest], found: Mapping[str, Digest]) -> Iterator[str]:
    for file in sorted(known.keys() | found.keys()):
        if file not in found:
            yield f"{file}, which is not there"
        elif known.get(file) != found[file]:
            yield file if file in known else f"{file}, which was not there"


def _said(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
