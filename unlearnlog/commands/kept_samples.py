"""Cached pictures and answers: those that are bundled, and those of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import canonical_json
from unlearnlog.core.probe_case import Answer
from unlearnlog.policy import BATCH

if TYPE_CHECKING:
    from unlearnlog.atelier.base_latents import BaseLatents
    from unlearnlog.atelier.bundled_model import BaseAnswers
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.models.interface import Sampling


_N_KNOWN: Final = 4
_SCORES: Final = "scores"


@dataclass
class LedgerSampleCache:
    """Pictures and answers by the digest of their weights.

    Attributes:
        at: Where the model and the cache are.
        judge: The judge's identity: its name with a digest of all its inputs.
        shipped: Bundled answers to the base's pictures.
        painted: Bundled latents of the base's pictures.
    """

    at: Session
    judge: str
    shipped: BaseAnswers
    painted: BaseLatents | None = None
    _known: list[tuple[Weights | None, Digest]] = field(
        default_factory=list, repr=False
    )

    @property
    def keeps(self) -> bool:
        """Whether answers that were stored are returned."""
        return not self.at.fresh

    def answers(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[Answer | None]:
        """Return the judge's answer to each picture; None where there is none."""
        known = self.at.notebook.read(self._key("seen", sampling, weights))
        found = [known.get((cell.prompt, cell.seed)) for cell in cells]
        if self._digest(weights) != state_digest({}, self.at.manifest.root):
            return found
        painting = (sampling.steps, sampling.guidance)
        shipped = self.shipped.of(cells, self.at.manifest.root, painting)
        return [one or other for one, other in zip(shipped, found, strict=True)]

    def keep_answers(
        self,
        cells: Sequence[ProbeCase],
        answers: Sequence[Answer],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Cache the judge's answers."""
        pictures = [(cell.prompt, cell.seed) for cell in cells]
        key = self._key("seen", sampling, weights)
        self.at.notebook.write(key, dict(zip(pictures, answers, strict=True)))

    def scores(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[float | None]:
        """Return how well each picture fits its prompt; None where it is not known."""
        known = self.at.notebook.read(self._key(_SCORES, sampling, weights))
        found = (known.get((cell.prompt, cell.seed)) for cell in cells)
        return [None if said is None else float(said.subject) for said in found]

    def keep_scores(
        self,
        cells: Sequence[ProbeCase],
        scores: Sequence[float],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Cache how well pictures fit their prompts, as answers, which are texts."""
        key = self._key(_SCORES, sampling, weights)
        said = {
            (cell.prompt, cell.seed): Answer(repr(score), "")
            for cell, score in zip(cells, scores, strict=True)
        }
        self.at.notebook.write(key, said)

    def latents(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> torch.Tensor | None:
        """Return the cached latents of these pictures, ``[n, c, h, w]``, or None."""
        root = self.at.manifest.root
        if self.painted and self._digest(weights) == state_digest({}, root):
            painting = (sampling.steps, sampling.guidance)
            shipped = self.painted.of(cells, root, painting)
            if shipped is not None:
                return shipped
        found = self.at.shelf.get(self._of(cells, sampling, weights))
        fits = found is not None and found.shape[1:] == self.at.model.latent_shape
        return (
            found if fits and found is not None and len(found) == len(cells) else None
        )

    def keep_latents(
        self,
        cells: Sequence[ProbeCase],
        latents: torch.Tensor,
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Cache the pictures' latents."""
        self.at.shelf.put(self._of(cells, sampling, weights), latents)

    def _of(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> str:
        pictures = [[cell.prompt, cell.seed] for cell in cells]
        inputs = canonical_json(pictures).decode()
        return f"{self._key('latents', sampling, weights)} {inputs}"

    def _key(self, what: str, sampling: Sampling, weights: Weights | None) -> str:
        """Return all inputs of a picture beside its prompt and its seed."""
        inputs = {
            "what": what,
            "state": self._digest(weights),
            "steps": sampling.steps,
            "guidance": sampling.guidance,
            "computed": self.at.model.computes,
            "judge": self.judge if what in {"seen", _SCORES} else "",
            **({} if sampling.batch == BATCH else {"batch": sampling.batch}),
        }
        return canonical_json(inputs).decode()

    def _digest(self, weights: Weights | None) -> Digest:
        """Return the digest of the state; those of the last few are remembered."""
        for known, digest in self._known:
            if known is weights:
                return digest
        base = self.at.model.base
        changed = {
            name: tensor
            for name, tensor in (weights or {}).items()
            if name not in base or not torch.equal(tensor, base[name])
        }
        digest = state_digest(changed, self.at.manifest.root)
        self._known = [(weights, digest), *self._known][:_N_KNOWN]
        return digest
