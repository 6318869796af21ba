"""The ridge edit on every token that knows of the concept, not on the last one alone.

The name's tokens, the words behind it and the padding all carry the concept to the
cross-attention. Each becomes the token at its position in the target prompt.

Source:
    The equations of https://arxiv.org/abs/2308.14761; that all tokens take part, and
    the weights, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.erasers.tokens import Span
from unlearnlog.erasers.uce import RidgeEdit


@final
@dataclass(frozen=True)
class Ridge(RidgeEdit):
    """Every token from a concept's name on becomes its target's."""

    name: ClassVar[str] = "ridge"
    source: ClassVar[str] = "https://arxiv.org/abs/2308.14761"

    span: Span = "all"
    erase_scale: float = 100.0
