"""The identity of a model beside its tensors: configurations and tokenizers.

A configuration is compared with its class's defaults filled in and unknown keys left
out. So a folder that another version saved again is the same model if it computes the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import diffusers

from unlearnlog.core.digest import Digest, digest_of, is_exact
from unlearnlog.errors import ModelError
from unlearnlog.models.network_kinds import kind_of, whole
from unlearnlog.models.plain_configs import cleaned, taken_by
from unlearnlog.models.tokenizer_files import decisive, plain_config

if TYPE_CHECKING:
    from unlearnlog.models.pipeline_folder import PipelineFolder

_OF_TRAINING: Final = frozenset(
    {"dropout", "attention_dropout", "initializer_factor", "initializer_range"}
)
_INDEX: Final = "model_index.json"
_TOKENIZER_CONFIG: Final = "tokenizer_config.json"


def configs_of(folder: PipelineFolder) -> dict[str, dict[str, Any]]:
    """Return each configuration with its defaults, by its path below the folder.

    Raises:
        ModelError: A configuration needs code or other files, or is not valid.
    """
    index = folder.said(_INDEX)
    found = {
        _INDEX: {
            "_class_name": index["_class_name"],
            **folder.settings,
            "scheduler": folder.index["scheduler"],
        }
    }
    for name in (*folder.used, "scheduler"):
        if name.startswith("tokenizer"):
            file = f"{name}/{_TOKENIZER_CONFIG}"
            found[file] = plain_config(
                folder.said(file), folder.path / file, folder.index[name]
            )
        elif name == "scheduler":
            file = f"{name}/scheduler_config.json"
            usual = taken_by(scheduler_kind(folder))
            own = cleaned(folder.said(file), usual, file=folder.path / file)
            found[file] = _counted({**usual, **own})
        else:
            file = f"{name}/config.json"
            kind, place = kind_of(folder.index[name]), folder.path / file
            found[file] = _counted(whole(kind, folder.said(file), file=place))
    return {file: _as_json(content) for file, content in found.items()}


def files_of(folder: PipelineFolder) -> dict[str, Digest]:
    """Return the digest of each file that a tokenizer is read from, by its path."""
    found: dict[str, Digest] = {}
    for name in folder.used:
        if name.startswith("tokenizer"):
            prefix = f"{name}/"
            files = {
                file.removeprefix(prefix): data
                for file, data in folder.small.items()
                if file.startswith(prefix) and not file.endswith(_TOKENIZER_CONFIG)
            }
            used = decisive(files, folder.index[name])
            found |= {f"{prefix}{f}": digest_of(data) for f, data in used.items()}
    return found


def scheduler_kind(folder: PipelineFolder) -> Any:  # noqa: ANN401 - a class of diffusers
    """Return the class of a pipeline's scheduler.

    Raises:
        ModelError: diffusers has none of that name, or needs a missing package for it.
    """
    name = folder.index["scheduler"]
    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if kind is None or not isinstance(kind, type):
        raise ModelError(
            f"the scheduler of '{folder.path}' is a {name}, which diffusers "
            f"{diffusers.__version__} does not have",
            fix="save the pipeline with a DPMSolverMultistepScheduler",
        )
    if not issubclass(kind, diffusers.SchedulerMixin):
        raise ModelError(
            f"the scheduler of '{folder.path}' is a {name}, which diffusers has only "
            "with a package that is not installed",
            fix="save the pipeline with a DPMSolverMultistepScheduler",
        )
    return kind


def _counted(full: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values of a configuration that decide a result."""
    return {key: value for key, value in full.items() if key not in _OF_TRAINING}


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any plain value
    """Return a value as JSON can hold it: numbers too large for it as strings."""
    if isinstance(value, Mapping):
        return {key: _as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    if isinstance(value, int | float) and not is_exact(value):
        return str(value)
    if isinstance(value, str | int | float) or value is None:
        return value
    return str(value)
