"""Encoding of prompts by a family's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import torch

from unlearnlog.models.encoding import Encoders
from unlearnlog.models.overrides import Overrides, computed

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.family_rules.protocol import FamilyRules, Span
    from unlearnlog.models.interface import Text


@final
class PromptEncoders(Encoders):
    """The text encoders of a pipeline with a transformer."""

    def __init__(self, parts: Components, rules: FamilyRules) -> None:
        """Keep the components and the rules; nothing of several vectors is read."""
        super().__init__(parts, empty_is_zero=False)
        self._rules = rules

    @property
    def n_positions(self) -> int:
        """Number of tokens that the text encoders read."""
        return self._rules.length(self._parts, "")[1]

    @property
    def knows_several(self) -> bool:
        """Whether a token of its tokenizers has several vectors: not read here."""
        return False

    def n_tokens(self, prompt: str) -> int:
        """Return a prompt's number of tokens, including begin and end tokens."""
        self.check_whole(prompt)
        return self._rules.length(self._parts, prompt)[0]

    def spans(self, prompt: str) -> list[Span | None]:
        """Return the characters that each row of an encoded prompt stands for."""
        return self._rules.tokenized(self._parts, prompt)

    def encoded(self, prompts: Sequence[str], held: Overrides) -> Text:
        """Return encoded prompts; those of the model's own weights are cached."""
        if held.speaks_differently or not self.knows(prompts):
            self._parts.speakers.before_encoding(self._parts.network)
        return super().encoded(prompts, held)

    def rows_at(self, prompts: Sequence[str], places: Sequence[int]) -> torch.Tensor:
        """Return one row of each encoded prompt, float32 ``[n, d_text]``."""
        rows = torch.arange(len(prompts))
        return self.encoded(prompts, Overrides()).tokens[rows, torch.tensor(places)]

    @torch.no_grad()
    def _encoded(self, prompt: str, held: Overrides) -> Text:
        self.fitting(prompt)

        def run(component: str, *given: Untyped, **named: Untyped) -> Untyped:
            own = held.encoders.get(component, {})
            cast = {name: weight.to(self._parts.dtype) for name, weight in own.items()}
            return computed(self._parts.encoder(component), cast, given, named)

        return self.finite(self._rules.text(self._parts, prompt, run))
