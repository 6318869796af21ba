"""The zero-shot judge: a CLIP model from a local folder.

Every style and every subject is a sentence, and so is "none of them". Only local
folders with safetensors are read; there are no network requests.

Source:
    CLIP, https://arxiv.org/abs/2103.00020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, final

import torch
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.errors import ModelError
from unlearnlog.judges.judge_folder import plain_copy
from unlearnlog.judges.label_sentences import of_styles, of_subjects
from unlearnlog.models.network_building import told
from unlearnlog.models.tokenizer_files import tokenizer_in

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.models.interface import Painted

_AT_ONCE: Final = 64
_NOTHING: Final = ("random noise", "a blurred blob of colour")
"""Sentences of the answer `REJECT`: a picture that shows no known concept."""


@final
@dataclass(frozen=True)
class ClipJudge:
    """A zero-shot classifier over the concepts of a world.

    Attributes:
        net: The network.
        tokenizer: Turns sentences into tokens.
        processor: Scales pictures as the network expects them.
        world: The styles and subjects to choose from.
        name: The name that an entry records.
    """

    net: CLIPModel
    tokenizer: CLIPTokenizer
    processor: CLIPImageProcessor
    world: ConceptSet
    name: str

    @classmethod
    def load(cls, folder: Path, world: ConceptSet) -> Self:
        """Load a folder that ``CLIPModel.save_pretrained`` and its processor wrote.

        Raises:
            ModelError: The folder holds no such model, or its weights are a pickle.
        """
        if not list(folder.glob("*.safetensors")):
            raise ModelError(
                f"the judge '{folder}' is no folder with a CLIP model in safetensors",
                fix="give auto, base, none, or a folder that save_pretrained wrote",
            )
        save = "save the model and its processor there with save_pretrained"
        what = f"the judge '{folder}' cannot be loaded"
        with plain_copy(folder) as plain, told(what, save):
            read: Any = CLIPModel.from_pretrained
            net, found = read(
                plain,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
            processor = CLIPImageProcessor.from_pretrained(plain, local_files_only=True)
            tokenizer = tokenizer_in(folder)
        if missing := sorted(found["missing_keys"]):
            raise ModelError(
                f"the judge '{folder}' lacks {len(missing)} of its weights, the first "
                f"is {missing[0]}",
                fix=save,
            )
        frozen = net.eval().requires_grad_(requires_grad=False)
        return cls(frozen, tokenizer, processor, world, f"clip {folder.name}")

    @property
    def identity(self) -> str:
        """The name and the digest of the weights and of every sentence."""
        labels = canonical_json([of_subjects(self.world), of_styles(self.world)])
        return f"{self.name} {state_digest(self.net.state_dict(), digest_of(labels))}"

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the subject and the style whose sentence fits each picture best."""
        pictures = self.features(painted)
        subjects = self._best(pictures, of_subjects(self.world))
        styles = self._best(pictures, of_styles(self.world))
        return [Answer(*pair) for pair in zip(subjects, styles, strict=True)]

    @torch.inference_mode()
    def features(self, painted: Painted) -> Tensor:
        """Return CLIP's embedding of each picture, unit length, ``[n, d]``."""
        parts = [torch.empty(0, int(self.net.config.projection_dim or 0))]
        for part in painted.pictures.split(_AT_ONCE):
            ready = self.processor(images=list(part.numpy()), return_tensors="pt")
            found = self.net.get_image_features(**ready)
            embedded: Tensor = getattr(found, "pooler_output", found)
            parts.append(torch.nn.functional.normalize(embedded, dim=-1))
        return torch.cat(parts)

    def scores(self, painted: Painted, prompts: Sequence[str]) -> list[float]:
        """Return the CLIP score of each picture with its prompt, in [0, 100].

        Source:
            CLIPScore, https://arxiv.org/abs/2104.08718, with the factor 100 and no
            other, as torchmetrics has it.
        """
        pictures, texts = self.features(painted), self._embedded([*prompts])
        found: list[float] = (100 * (pictures * texts).sum(-1)).clamp(min=0).tolist()
        return found

    def _best(self, pictures: Tensor, sentences: Mapping[str, str]) -> list[str]:
        labels = {**sentences, **dict.fromkeys(_NOTHING, REJECT)}
        fit = pictures @ self._embedded(list(labels)).T
        names = list(labels.values())
        return [names[i] for i in fit.argmax(1).tolist()]

    @torch.inference_mode()
    def _embedded(self, texts: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, return_tensors="pt"
        )
        found = self.net.get_text_features(**tokens)
        embedded: Tensor = getattr(found, "pooler_output", found)
        return torch.nn.functional.normalize(embedded, dim=-1)
