"""Diffusers pipeline folders on disk, checked before they are loaded.

Only safetensors are read. A folder with weights as pickles is refused, because loading
a pickle can run code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError
from unlearnlog.models.compatibility import check_fit
from unlearnlog.models.families import FAMILIES, family_of
from unlearnlog.models.model_family import ModelFamily
from unlearnlog.models.plain_configs import check_asks_for_nothing
from unlearnlog.models.small_files import (
    config_name,
    files_of_component,
    json_in,
    json_of,
    read_small,
)
from unlearnlog.models.stored_weights import LoadedTensors, StoredWeights
from unlearnlog.models.tensor_file import TensorFile
from unlearnlog.models.unexpected_files import check_no_intruders
from unlearnlog.models.weight_files import PICKLES, no_weights, weights_in

__all__ = ["PipelineFolder", "json_of", "no_weights", "weights_in"]

_ZEROS: Final = "force_zeros_for_empty_prompt"
_PIPELINE: Final = "model_index.json"
_GGUF: Final = ".gguf"
_LIBRARIES: Final = ("diffusers", "transformers")


@dataclass(frozen=True)
class PipelineFolder:
    """A checked folder with a pipeline of a known family.

    Attributes:
        path: The folder, absolute.
        family: The family of its index.
        index: Class name by component, from ``model_index.json``.
        small: Bytes of every configuration and tokenizer file that is used, by path
            below the folder: read once, so that the checked bytes are loaded.
        seen: Records of its tensors when they were loaded; None before that.
    """

    path: Path
    family: ModelFamily
    index: Mapping[str, str]
    small: Mapping[str, bytes] = field(repr=False, compare=False)
    seen: LoadedTensors | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return a folder's description after all checks.

        Raises:
            ModelError: The folder does not exist, it is no pipeline of a known family,
                a component is missing or its weights are not safetensors.

        """
        path = expanded(path).absolute()
        _check_is_pipeline(path)
        small = {_PIPELINE: read_small(path / _PIPELINE)}
        index = json_in(small[_PIPELINE], path / _PIPELINE)
        try:
            family = family_of(str(index.get("_class_name", "nothing")))
        except ModelError as error:
            raise ModelError(f"'{path}': {error.message}", fix=error.fix) from None
        classes = {
            name: str(entry[-1])
            for name, entry in index.items()
            if isinstance(entry, list) and entry and entry[-1] is not None
        }
        every = {**family.components, **family.optional, "scheduler": ()}
        used = [n for n in every if n in classes or n not in family.optional]
        for name in used:
            small |= files_of_component(path, name)
        folder = cls(path, family, classes, MappingProxyType(small))
        for name in used:
            folder._check_component(name, every[name])
        for name in used:
            _check_library(path, name, index.get(name))
        for name in folder.weighed:
            folder.weight_files(name)
            folder._check_is_described(name)
            check_asks_for_nothing(
                folder.config(name), file=path / name / "config.json"
            )
        check_no_intruders(path, used)
        check_fit(path, family, folder.configs)
        return folder

    @property
    def is_folder(self) -> bool:
        """Whether its files can be copied as they are."""
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on what was read; there are none on a folder."""
        return ()

    @property
    def tokenizer(self) -> Path | None:
        """The folder that was given for its tokenizers; None for its own."""
        return None

    @property
    def empty_is_zero(self) -> bool:
        """Whether the empty prompt is encoded as zeros."""
        content = json_in(self.small[_PIPELINE], self.path / _PIPELINE)
        usual = "text_encoder_2" in self.family.components
        value = content.get(_ZEROS, usual)
        if not isinstance(value, bool):
            raise ModelError(
                f"{_ZEROS} is neither true nor false in '{self.path / _PIPELINE}'",
                fix="copy or download the model again",
            )
        return value

    @property
    def is_large(self) -> bool:
        """Whether its text encoders may be as large as its network."""
        return self.family.network != "unet"

    @property
    def settings(self) -> dict[str, Any]:
        """The pipeline's own settings in its index that change a result."""
        content = json_in(self.small[_PIPELINE], self.path / _PIPELINE)
        if self.family.network == "unet":
            return {_ZEROS: self.empty_is_zero}
        own = {key: value for key, value in content.items() if not key.startswith("_")}
        return {
            key: value
            for key, value in own.items()
            if isinstance(value, bool | int | float)
        }

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the components that are there, without the scheduler."""
        optional = (name for name in self.family.optional if name in self.index)
        return (*self.family.components, *optional)

    @property
    def weighed(self) -> tuple[str, ...]:
        """Names of the components that have weights, in the order of the manifest."""
        return tuple(name for name in self.family.weighed if name in self.used)

    @property
    def configs(self) -> dict[str, dict[str, Any]]:
        """Configuration of each component that has weights."""
        return {name: self.config(name) for name in self.weighed}

    def config(self, component: str) -> dict[str, Any]:
        """Return a component's configuration; empty where there is no file.

        Raises:
            ModelError: The file is no JSON object.
        """
        return self.said(f"{component}/{config_name(component)}")

    def said(self, name: str) -> dict[str, Any]:
        """Return the content of a configuration file; empty where there is none.

        Args:
            name: Its path below the folder.

        Raises:
            ModelError: The file is no JSON object.
        """
        data = self.small.get(name)
        return {} if data is None else json_in(data, self.path / name)

    @property
    def text_widths(self) -> list[int]:
        """Width of the vectors of each text encoder."""
        tables = (
            (record, name)
            for encoder in self.weighed
            if encoder.startswith("text_encoder")
            for record in [self.stored(encoder)]
            for name in record
            if name.endswith("token_embedding.weight")
        )
        return [record[name].shape[1] for record, name in tables]

    @property
    def scheduler(self) -> dict[str, Any]:
        """The scheduler's configuration; empty where there is none."""
        return self.config("scheduler")

    def weight_files(self, component: str) -> tuple[Path, ...]:
        """Return the safetensors files of a component: one, or its shards.

        Raises:
            ModelError: There is no such file, or the index of shards is damaged.
        """
        folder = self.path / component
        if files := weights_in(folder):
            return files
        raise no_weights(self.path, folder)

    def stored(self, *components: str) -> "StoredWeights":
        """Return the tensors of some components, with the component's prefix.

        After the folder was loaded, they are checked to be those that were loaded.

        Raises:
            ModelError: A file is damaged, or holds tensors that another one has.
        """
        files = {name: self.weight_files(name) for name in components}
        return StoredWeights.open(files, self.seen)

    def _check_component(self, name: str, allowed: tuple[str, ...]) -> None:
        found = self.index.get(name)
        if found is None or not (self.path / name).is_dir():
            raise ModelError(
                f"'{self.path}' has no {name}",
                fix=f"save the whole pipeline again; it needs a folder '{name}'",
            )
        if allowed and found not in allowed:
            raise ModelError(
                f"the {name} of '{self.path}' is a {found}, not a {allowed[0]}",
                fix=f"use a {self.family.pipeline} with a {allowed[0]}",
            )

    def _check_is_described(self, name: str) -> None:
        if f"{name}/config.json" not in self.small:
            raise ModelError(
                f"the {name} of '{self.path}' has no config.json",
                fix=f"copy '{name}' there again, with all its files",
            )


def _check_is_pipeline(path: Path) -> None:
    if path.suffix.lower() in PICKLES and path.is_file():
        raise ModelError(
            f"'{path}' is a pickle, which can run code when it is loaded, so it was "
            "not opened",
            fix=f"give the model's .safetensors file; or if you trust this one, "
            f"{_conversion(path)}",
        )
    if path.is_file():
        raise ModelError(
            f"'{path}' is no single file of Stable Diffusion 1, 2 or XL; of other "
            "models unlearnlog reads diffusers folders",
            fix=_conversion(path),
        )
    if not path.is_dir():
        raise ModelError(
            f"there is no folder '{path}'",
            fix="give the folder that holds the model's model_index.json",
        )
    if (path / "model_index.json").is_file():
        return
    if (path.parent / "model_index.json").is_file():
        raise ModelError(
            f"'{path}' is only one component of a pipeline",
            fix=f"give the pipeline's folder: {path.parent}",
        )
    raise ModelError(
        f"'{path}' is no diffusers pipeline: it has no model_index.json",
        fix="give the folder that save_pretrained of a pipeline wrote",
    )


_TEXT_ENCODERS: Final = "text_encoders."
_T5_ENCODER: Final = "text_encoders.t5xxl."
"""Beginnings of the keys of text encoders in single files with a transformer."""


def _conversion(file: Path) -> str:
    """Return the fix for a single file: its conversion with the right class.

    A class with one text encoder silently drops the second one of an SDXL.
    """
    if file.suffix.lower() == _GGUF:
        return (
            "its weights are quantised: give the folder of the model in float32, "
            "bfloat16 or float16 that it was made from"
        )
    load = f".from_single_file('{file.name}').save_pretrained('NEW_FOLDER')"
    marked = [family for family in FAMILIES if family.mark]
    try:
        keys = [*TensorFile.open(file)]
    except (ValueError, OSError):
        others = ", ".join(f"{each.title} with {each.pipeline}" for each in marked[1:])
        return f"convert it with diffusers: {marked[0].pipeline}{load}; {others}"
    found = [each for each in marked if any(each.mark in key for key in keys)]
    family = [*marked[:1], *found][-1]  # the special ones come last
    if family.network == "unet":
        return f"convert it with diffusers: {family.pipeline}{load}"
    return _conversion_of_transformer(file, family, keys)


def _conversion_of_transformer(
    file: Path, family: ModelFamily, keys: Sequence[str]
) -> str:
    """Return the fix for a single file of a transformer, with or without encoders.

    Most of these files lack text encoders and the autoencoder, or the large one of the
    text encoders, which diffusers refuses unless it is left out by name.
    """
    begin = f"convert it with diffusers: {family.pipeline}"
    if not any(key.startswith(_TEXT_ENCODERS) for key in keys):
        kind = family.components[family.network][0]
        return (
            f"{begin}.from_pretrained('MODEL_FOLDER', {family.network}={kind}"
            f".from_single_file('{file.name}')).save_pretrained('NEW_FOLDER'); "
            f"MODEL_FOLDER is any {family.title} in diffusers' format, for what the "
            "file lacks: text encoders and autoencoder"
        )
    left_out = ""
    if family.optional and not any(key.startswith(_T5_ENCODER) for key in keys):
        left_out = "".join(f", {name}=None" for name in sorted(family.optional))
    return (
        f"{begin}.from_single_file('{file.name}'{left_out})"
        ".save_pretrained('NEW_FOLDER')"
    )


def _check_library(path: Path, component: str, entry: object) -> None:
    """Refuse a component whose class comes with the model, as code."""
    library = entry[0] if isinstance(entry, list) and entry else None
    if library is not None and library not in _LIBRARIES:
        raise ModelError(
            f"the {component} of '{path}' is a class of {str(library)!r}, which is "
            "code that comes with the model",
            fix=f"use a model whose {component} is of diffusers or transformers",
        )
