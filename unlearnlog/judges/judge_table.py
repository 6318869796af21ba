"""The judges that need no model of the ledger, by the name that a user gives.

Another package registers its own under the ``unlearnlog.judges`` entry-point group: a
function that takes the known concepts, a `ConceptSet`, and returns a `Judge`.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.judges.judge import Judge

GROUP: Final = "unlearnlog.judges"
"""The entry-point group of other packages' judges."""

NUDENET: Final = "nudenet"
CLASSIFIERS: Final = "hf:"
"""What begins the name of a judge that is a classifier, or several with commas."""

_MEMBERS: Final = ("name", "identity", "judged", "features")


def plugins() -> dict[str, EntryPoint]:
    """Return the judges of other packages, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def folders_of(name: str) -> list[Path]:
    """Return the folders of ``hf:FOLDER`` or ``hf:FOLDER,FOLDER``."""
    return [Path(each) for each in name.removeprefix(CLASSIFIERS).split(",")]


def loaded_judge(name: str, world: ConceptSet) -> Judge:
    """Return the judge of a name: NudeNet, a classifier, a plug-in, or a CLIP folder.

    Raises:
        ModelError: The folder holds no such model.
        UsageError: A package is missing, or what it registers is no judge.
    """
    if name == NUDENET:
        from unlearnlog.judges.nudenet_judge import NudenetJudge

        return NudenetJudge.load()
    if name.startswith(CLASSIFIERS):
        from unlearnlog.judges.classifier_judge import ClassifierJudge

        return ClassifierJudge.load(folders_of(name), world)
    if (point := plugins().get(name)) is not None:
        return _checked(point, world)
    from unlearnlog.judges.clip_judge import ClipJudge

    return ClipJudge.load(Path(name), world)


def _checked(point: EntryPoint, world: ConceptSet) -> Judge:
    """Return a plug-in's judge.

    Raises:
        UsageError: It cannot be made, or has not what a judge has.
    """
    try:
        found: Judge = point.load()(world)
    except Exception as error:
        raise UsageError(
            f"the judge '{point.name}' of {point.value} cannot be made: "
            f"{type(error).__name__}: {error}",
            fix="ask the package that registers it, or leave --judge out",
        ) from error
    if missing := [each for each in _MEMBERS if not hasattr(found, each)]:
        raise UsageError(
            f"the judge '{point.name}' of {point.value} has no {missing[0]}",
            fix="a judge has name, identity, judged and features; see "
            "unlearnlog.judges.judge.Judge",
        )
    return found
