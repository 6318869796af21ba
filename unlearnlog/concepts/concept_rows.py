"""Rows of concepts and families for lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet


def concept_rows(seen: ConceptSet) -> list[dict[str, Any]]:
    """Return each concept's kind, family, look-alike and aliases."""
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


def family_rows(seen: ConceptSet) -> dict[str, tuple[str, ...]]:
    """Return the members of each family, and last the concepts without one by kind."""
    found = {name: seen.shown(name) for name in seen.families}
    alone = [name for name in seen.concepts if not seen.parent(name)]
    for title, kind in (
        ("other styles", seen.styles),
        ("other subjects", seen.subjects),
    ):
        found[title] = tuple(name for name in kind if name in alone)
    return {title: names for title, names in found.items() if names}
