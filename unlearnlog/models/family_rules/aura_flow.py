"""AuraFlow: a UMT5 in the sequence, its padding set to zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from unlearnlog.models.family_rules.flow_rules import FlowRules
from unlearnlog.models.family_rules.protocol import on
from unlearnlog.models.family_rules.token_rows import n_tokens, padded, spans
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    import torch

    from unlearnlog.models.family_rules.protocol import Parts, Run, Span, Untyped

N_T5: Final = 256
_T5: Final = "text_encoder"


@final
class AuraFlowRules(FlowRules):
    """The rules of ``AuraFlowPipeline``.

    The padding's rows are zeros, and the transformer reads them: they are the same for
    every prompt, so no prompt passes through them.
    """

    is_even = False

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU."""
        read = padded(parts.tokenizers[_T5], prompt, N_T5).to(parts.device)
        mask = read.attention_mask
        rows = run(_T5, input_ids=read.input_ids, attention_mask=mask)[0]
        return Text((rows * mask[..., None]).float().cpu())

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for."""
        return spans(parts.tokenizers[_T5], prompt, N_T5)

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read."""
        return n_tokens(parts.tokenizers[_T5], prompt), N_T5

    def predict(
        self,
        parts: Parts,
        network: Untyped,
        x: torch.Tensor,
        t: torch.Tensor,
        *,
        text: Text,
        guidance: float,
    ) -> torch.Tensor:
        """Return the velocity, float32 ``[b, c, h, w]``; differentiable."""
        del guidance
        velocity: torch.Tensor = network(
            on(x, parts),
            encoder_hidden_states=on(text.tokens, parts),
            timestep=on(t.expand(len(x)) / 1000, parts),
            return_dict=False,
        )[0]
        return velocity.float()
