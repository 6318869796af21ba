"""The metadata of a model card, in the hub's own form.

Source: https://huggingface.co/docs/hub/model-cards. The hub's own classes write and
read it; nothing is asked of a network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import ModelCard, ModelCardData

from unlearnlog.errors import UsageError

_HUB_ID: Final = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(@[0-9a-f]+)?")
_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_CARD: Final = "README.md"


@dataclass(frozen=True)
class BaseTerms:
    """What a base's own card says of it.

    Attributes:
        licence: The licence's name on the hub; empty where the card names none.
        licence_name: The name of a licence that the hub has no word for.
        licence_link: Where its text is.
    """

    licence: str = ""
    licence_name: str = ""
    licence_link: str = ""


def terms_of(folder: Path) -> BaseTerms:
    """Return the licence that the card in a model's folder names."""
    try:
        data = ModelCard.load(folder / _CARD, ignore_metadata_errors=True).data
    except (OSError, ValueError):
        return BaseTerms()
    found = (data.license, data.license_name, data.license_link)
    texts = (each if isinstance(each, str) else "" for each in found)
    return BaseTerms(*texts)


def hub_id(source: str) -> str:
    """Return the hub id of a base's source; empty where it is none.

    Example:
        >>> hub_id("owner/name@0123abc"), hub_id("atelier")
        ('owner/name', '')
    """
    found = _HUB_ID.fullmatch(source)
    return found["id"] if found else ""


def check_licence(name: str) -> None:
    """Refuse a text that is no licence's name on the hub.

    Raises:
        UsageError: It is none.
    """
    if name and not _LICENCE.fullmatch(name):
        raise UsageError(
            f"'{name[:60]}' is no licence as the hub names it",
            fix="such as apache-2.0, openrail++, creativeml-openrail-m, or other",
        )


def with_metadata(text: str, *, base: str, terms: BaseTerms) -> str:
    """Return a model card with its metadata, as the hub reads it.

    Args:
        text: The card's Markdown.
        base: The base's hub id; empty where it has none.
        terms: The licence.

    Raises:
        ValueError: The hub's classes read something else than was written.
    """
    data = ModelCardData(
        base_model=base or None,
        library_name="diffusers",
        license=terms.licence or None,
        license_name=terms.licence_name or None,
        license_link=terms.licence_link or None,
        pipeline_tag="text-to-image",
        tags=["text-to-image", "concept-erasure", "machine-unlearning", "unlearnlog"],
    )
    card = f"---\n{data.to_yaml()}\n---\n\n{text}"
    if (found := ModelCard(card).data.to_yaml()) != data.to_yaml():
        message = f"the card's metadata is read as {found}"
        raise ValueError(message)
    return card
