"""The concepts of a world, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearnlog.graph.world import World


def concept_rows(seen: World) -> list[dict[str, Any]]:
    """Return each concept's kind, family, look-alike and other names."""
    return [
        {
            "name": name,
            "kind": "style" if name in seen.styles else "subject",
            "parent": seen.parent(name),
            "look_alike": seen.look_alike(name),
            "aliases": list(seen.concepts[name].aliases),
        }
        for name in (*seen.styles, *seen.subjects)
    ]
