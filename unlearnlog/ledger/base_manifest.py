"""The manifest of a ledger's base model: the digests of its tensors and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
    """The identity of the base model.

    Attributes:
        source: Its source: a hub id with its revision, or a path; one that begins with
            ``./`` or ``../`` is relative to the ledger's folder.
        family: The model family's name, such as ``sd1``.
        tensors: Dtype, shape and SHA-256 by full parameter name.
        root: One digest over all tensors.
        configs: Each configuration with its defaults, by its path in the model's
            folder. Empty, and not written, in an older ledger.
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
        """Return the manifest of a model's tensors, in any order."""
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
        """Return the manifest of a model from the records of its parts."""
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
        """Whether configurations and files are recorded beside the tensors."""
        return bool(self.configs or self.files)

    @property
    def is_path(self) -> bool:
        """Whether the source is a path, and neither a hub id nor the bundled model."""
        return PurePath(self.source).is_absolute() or self.source[:1] == "."

    @property
    def name(self) -> str:
        """The name to show to others: of a path its last part only.

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
            tensors: All tensors of the model.

        Raises:
            WrongBase: Tensors differ, are missing, or are new; lists the first ones.
        """
        names = sorted(self.tensors.keys() | tensors.keys())
        wrong = [n for n in names if self.tensors.get(n) != tensors.get(n)]
        if wrong:
            fix = f"use the model the ledger was made for: {self.source}"
            raise _wrong_base(wrong, fix)

    def check_same(self, other: BaseManifest) -> None:
        """Refuse a model that does not compute the same as this one.

        Of configurations only keys in both count: another version of a library may add
        keys. Where only the tensors are recorded, they alone count.

        Raises:
            WrongBase: Something differs; lists the first differences with both values.
        """
        self.check(other.tensors)
        if not (self.is_complete and other.is_complete):
            return
        wrong = [*_unlike(self.configs, other.configs)]
        wrong += _changed(self.files, other.files)
        if wrong:
            fix = "put that back as it was, or use the model the ledger was made for: "
            raise _wrong_base(wrong, f"{fix}{self.source}")

    def check_fits(self, delta: Delta) -> None:
        """Refuse a delta with tensors that the base lacks or has in another shape.

        Raises:
            ValueError: A tensor does not fit; gives its name.
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
        """Return the manifest as canonical JSON with a checksum over all of it."""
        content: dict[str, Any] = self.model_dump(mode="json")
        content = {k: v for k, v in content.items() if v or k not in _OPTIONAL}
        checksum = digest_of(canonical_json(content))
        return canonical_json({**content, "checksum": checksum})

    @classmethod
    def from_json(cls, data: bytes) -> BaseManifest:
        """Return the manifest of bytes that `to_json` returned; refuse any others.

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


def _wrong_base(differences: Sequence[str], fix: str) -> WrongBase:
    """Return the error for a model that differs; it names the first differences."""
    n_more = len(differences) - _NAMED
    more = f" and {n_more} more" if n_more > 0 else ""
    return WrongBase(
        "the model is not the ledger's base; not the same: "
        f"{', '.join(differences[:_NAMED])}{more}",
        fix=fix,
    )


def _unlike(
    known: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the values of configurations that differ."""
    for file in sorted(known.keys() | found.keys()):
        ours, theirs = known.get(file, {}), found.get(file, {})
        for key in sorted(ours.keys() & theirs.keys()):
            if canonical_json(ours[key]) != canonical_json(theirs[key]):
                new, old = _short(theirs[key]), _short(ours[key])
                yield f"{file}: {key} is {new}, was {old}"


def _changed(known: Mapping[str, Digest], found: Mapping[str, Digest]) -> Iterator[str]:
    for file in sorted(known.keys() | found.keys()):
        if file not in found:
            yield f"{file}, which is missing"
        elif known.get(file) != found[file]:
            yield file if file in known else f"{file}, which is new"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
