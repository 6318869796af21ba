"""The bundled world: its concepts, read once, and their prompts."""

from __future__ import annotations

from functools import cache
from typing import Final

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.resources import PACKAGE

CONCEPTS: Final = PACKAGE / "atelier" / "concepts.toml"


@cache
def world() -> ConceptSet:
    """Return the bundled world."""
    return ConceptSet.read(CONCEPTS)


@cache
def book() -> PromptBook:
    """Return the prompts of the bundled world."""
    return PromptBook(world())
