"""The bundled world: its concepts, read once, and the prompts that speak of them."""

from __future__ import annotations

from functools import cache
from typing import Final

from unlearnlog.graph.book import Book
from unlearnlog.graph.world import World
from unlearnlog.resources import PACKAGE

CONCEPTS: Final = PACKAGE / "atelier" / "concepts.toml"


@cache
def world() -> World:
    """Return the bundled world."""
    return World.read(CONCEPTS)


@cache
def book() -> Book:
    """Return every prompt of the bundled world."""
    return Book(world())
