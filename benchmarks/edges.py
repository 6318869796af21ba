"""Edges between styles on the base, and the split of a style's nats by the chain rule.

Every style's pictures are painted without guidance. An edge is 1 - JS / log 2, the
base's uncertainty which of two styles a picture is of; `apart` is the nats by which the
pictures of both are better explained by their own prompts, which also separates distant
styles. Chains split a style's nats into its movement's and its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.suite import Suite
from benchmarks.witnesses import Row, Witness, lines_of, sketch
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.concepts.templates import PROBING, Template, spoken
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Model, Sampling
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.probes.estimators import doubt, information
from unlearnlog.probes.information import (
    N_LEVELS,
    PromptedPictures,
    noised,
    over_cells,
    under,
)
from unlearnlog.probes.information_decomposition import (
    InformationParts,
    decomposition,
    losses_under,
    near,
)
from unlearnlog.probes.statistics import Estimate

CENTRE: Final = "Picasso"
PER_CELL: Final = 3
"""Pictures of each subject in each style: 48 a style."""

STEPS: Final = 20
FEW: Final = 4
"""Pictures and steps of the witness."""


def main() -> None:
    """Measure, unless the result of these weights is there."""
    suite = Suite.called("edges")
    make_missing([Measured(suite, "edges", made_of, measured)], __doc__)


def made_of() -> MadeOf:
    """Return the inputs of the result."""
    plain = {
        "weights": bundled_weights(),
        "centre": CENTRE,
        "pictures of a cell": PER_CELL,
        "steps": STEPS,
        "noise levels": N_LEVELS,
    }
    return MadeOf(plain, {"edges": witness()})


def witness() -> Witness:
    """Return the witness of losses and of their decomposition."""
    return Witness("edges", in_small)


def in_small() -> Row:
    """Return the measurements of a few pictures of two styles."""
    model, other = DiffusersModel.load(FOLDER), "Braque"
    one, two = (painted(model, name, FEW, steps=FEW) for name in (CENTRE, other))
    here = losses_of(model, one, CENTRE, [other])
    there = losses_of(model, two, other, [CENTRE])
    mine, theirs = here[_OWN:], there[_OWN:]
    estimates = {
        "edge": asdict(near(doubt(*mine), doubt(*theirs), (one, two))),
        "apart": asdict(near(mine[1] - mine[0], theirs[1] - theirs[0], (one, two))),
        "chain": [*chain_rows(CENTRE, here, one)],
        "whole": asdict(whole(model, one)),
        "atoms": asdict(atoms(model, one)),
    }
    pictures = {"latents": sketch(one.latents), "losses": sketch(here)}
    return dict(lines_of(estimates)) | pictures


def measured(console: Console) -> dict[str, Any]:
    """Measure the edges of one style, and every style's chain."""
    model, names = DiffusersModel.load(FOLDER), world().styles
    others = [name for name in names if name != CENTRE]
    central = painted(model, CENTRE)
    at_centre = losses_of(model, central, CENTRE, others)
    edges, chains = [], [*chain_rows(CENTRE, at_centre, central)]
    for i, name in enumerate(others):
        console.print(name)
        pictures = painted(model, name)
        nats = losses_of(model, pictures, name, [CENTRE])
        here = at_centre[_OWN], at_centre[_OTHERS + i]
        there = nats[_OWN], nats[_OTHERS]
        both = (central, pictures)
        edges.append(
            {
                "style": name,
                "family": world().parent(name),
                "edge": asdict(near(doubt(*here), doubt(*there), both)),
                "apart": asdict(near(here[1] - here[0], there[1] - there[0], both)),
            }
        )
        chains += chain_rows(name, nats, pictures)
    return {
        "centre": CENTRE,
        "n_levels": N_LEVELS,
        "edges": sorted(edges, key=lambda row: -row["edge"]["value"]),
        "chains": chains,
        "whole": {"style": CENTRE, "difference": asdict(whole(model, central))},
        "atoms": {"style": CENTRE, **asdict(atoms(model, central))},
    }


_CONTEXT, _FAMILY, _OWN, _OTHERS = range(4)


def painted(
    model: Model, style: str, most: int | None = None, *, steps: int = STEPS
) -> PromptedPictures:
    """Paint a style's pictures without guidance, the first few or all of them."""
    cells = book().erased(world().concepts[style], PER_CELL)[:most]
    sampling = Sampling(steps, 1.0)
    made = model.paint(
        [c.prompt for c in cells], [c.seed for c in cells], sampling=sampling
    )
    return PromptedPictures(cells, made.latents)


def losses_of(
    model: Model,
    pictures: PromptedPictures,
    style: str,
    others: Sequence[str],
    weights: Weights | None = None,
) -> torch.Tensor:
    """Return losses under the context, the family, the own prompt and the others'."""
    texts = [
        [
            context_of(cell),
            book().parent_phrase(style, other=cell.subject),
            cell.prompt,
            *(named(cell, other) for other in others),
        ]
        for cell in pictures.cells
    ]
    return losses_under(model, pictures, texts, weights=weights)


def chain_rows(
    name: str, nats: torch.Tensor, pictures: PromptedPictures
) -> Iterator[dict[str, Any]]:
    """Yield a style's chain; nothing for the only style of a movement.

    The word for such a movement is in no caption, so it carries no information.
    """
    family = world().parent(name) or ""
    if len(world().shown(family)) < 2:
        return
    context, shared, own = nats[:_OTHERS]
    parts = {
        "shared": context - shared,
        "unique": shared - own,
        "whole": context - own,
    }
    rows = {
        part: asdict(over_cells(values.tolist(), pictures.cells))
        for part, values in parts.items()
    }
    yield {"style": name, "family": family, **rows}


@torch.no_grad()
def whole(model: Model, pictures: PromptedPictures) -> Estimate:
    """Return the total by the other estimate, the difference of predictions."""
    found = information(
        under(model, [cell.prompt for cell in pictures.cells]),
        under(model, [context_of(cell) for cell in pictures.cells]),
        noised(model, pictures),
        NoiseLevels.of(model, N_LEVELS),
    )
    return over_cells(found.difference.tolist(), pictures.cells)


def atoms(model: Model, pictures: PromptedPictures) -> InformationParts:
    """Return the decomposition of pictures' information on style and subject."""
    texts = []
    for cell in pictures.cells:
        form = template(cell)
        alone = spoken(form.no_subject, style=cell.style)
        texts.append((cell.prompt, alone, context_of(cell), form.neither))
    return decomposition(model, texts, pictures)


def template(cell: ProbeCase) -> Template:
    """Return the template of a cell's prompt."""
    return PROBING[cell.seed % len(PROBING)]


def named(cell: ProbeCase, style: str) -> str:
    """Return a cell's prompt with another style in it."""
    return spoken(template(cell).text, subject=cell.subject, style=style)


def context_of(cell: ProbeCase) -> str:
    """Return a cell's prompt without its style."""
    return spoken(template(cell).no_style, subject=cell.subject)


if __name__ == "__main__":
    main()
