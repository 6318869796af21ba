"""One row of the table of model families."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from unlearnlog.errors import ModelError
from unlearnlog.models.distillation import Configs, never

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import FamilyRules

TextClass = Literal["prompt", "joint", "single"]
"""Which layers see the prompt alone: the attention's ``prompt``, else the entry only.

In ``joint`` attention text has matrices of its own, in a ``single`` stream it shares
those of the picture.
"""


@dataclass(frozen=True)
class Fit:
    """A size in the network's configuration that another component has to have.

    Attributes:
        key: Key in the network's configuration.
        component: The other component.
        other: Key in its configuration.
        times: How many of the other's make one of the network's.
    """

    key: str
    component: str
    other: str
    times: int = 1


@dataclass(frozen=True)
class ModelFamily:
    """Models whose weights have the same names and meaning.

    Attributes:
        name: The family's name in a ledger, lower kebab-case.
        title: The family's name in a sentence.
        pipeline: The class in a folder's ``model_index.json``.
        components: The allowed class names of each required component.
        attention: Matches the full name of each matrix that turns text into keys and
            values of the attention.
        network: The component that predicts noise or velocity.
        optional: The allowed class names of components that may be missing.
        text_class: Which layers see the prompt alone.
        entry: Matches the matrices that turn the text encoder's output into the
            network's width; empty for none.
        pooled: Matches the first projection of the pooled vector; empty for none.
        causal: Whether a token's vector depends on earlier tokens only, by encoder.
        predicts: What the network predicts; noise also stands for the velocity of
            schedulers with ``alphas_cumprod``, whose configuration says which.
        sign: 1 for a velocity of noise minus data, -1 for the opposite.
        time_runs_back: Whether the network's time is 1 for data and 0 for noise.
        fits: Sizes that have to agree.
        mark: Beginning or part of a key that only a single file of this family has.
        distilled: Returns why the network is no posterior mean; empty where it is.
        rules: What the pipeline does around its network; None for a UNet.
    """

    name: str
    title: str
    pipeline: str
    components: Mapping[str, tuple[str, ...]]
    attention: str
    network: str = "transformer"
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text_class: TextClass = "prompt"
    entry: str = ""
    pooled: str = ""
    causal: Mapping[str, bool] = field(default_factory=dict)
    predicts: Literal["noise", "velocity"] = "velocity"
    sign: Literal[1, -1] = 1
    time_runs_back: bool = False
    fits: tuple[Fit, ...] = ()
    mark: str = ""
    distilled: Callable[[Configs], str] = never
    rules: FamilyRules | None = None

    @property
    def weighed(self) -> tuple[str, ...]:
        """Names of the components that have weights, in the order of the manifest."""
        every = (*self.components, *self.optional)
        encoders = sorted(name for name in every if name.startswith("text_encoder"))
        return self.network, "vae", *encoders

    @property
    def pattern(self) -> str:
        """Matches the full name of each text projection: what an eraser changes.

        Where the attention's own matrices see the prompt alone it is these, else the
        matrices by which text enters.
        """
        if self.text_class == "prompt":
            return self.attention
        return "|".join(filter(None, (self.entry, self.pooled)))

    def projections_of(self, names: Iterable[str]) -> list[str]:
        """Return the text projections among parameter names, sorted.

        Args:
            names: Full names with component prefix, ``unet.mid_block...``.

        Raises:
            ModelError: None of the names is a text projection of this family.
        """
        found = sorted(name for name in names if re.fullmatch(self.pattern, name))
        if not found:
            raise ModelError(
                f"no text projection of family '{self.name}' among the weights of its "
                f"{self.network}",
                fix=f"check that the model's {self.network} reads text",
            )
        return found
