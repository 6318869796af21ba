"""The check that the networks of a pipeline fit each other, by their configurations.

A folder may hold a model for another task under the name of a text-to-image pipeline,
or one without its second text encoder. It is refused when a ledger is made, not with
the first picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.models.model_family import ModelFamily

Config = Mapping[str, Any]

_USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "unet": {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 1280},
    "vae": {"latent_channels": 4},
    "text_encoder": {"hidden_size": 512},
    "text_encoder_2": {"hidden_size": 512, "projection_dim": 512},
}
"""Of a UNet's pipeline: defaults of diffusers and transformers."""

_TASKS: Final = {
    5: "pictures of a known depth",
    7: "enlarging pictures",
    8: "editing a picture (pix2pix)",
    9: "inpainting",
}
"""Tasks of UNets with more input channels than a latent has."""

_N_SIZES: Final = 6  # numbers of an SDXL's conditioning on a picture's size
_WITH_SIZES: Final = "text_time"
_EXTRA: Final = ("class_embed_type", "num_class_embeds", "encoder_hid_dim")
_OF_TEXT: Final = (None, "text")
"""Kinds of added conditioning that need no more than the prompt's tokens."""


def check_fit(path: Path, family: ModelFamily, configs: Mapping[str, Config]) -> None:
    """Refuse a pipeline whose networks cannot paint together.

    Args:
        path: Its folder, for the message.
        family: The family of its index.
        configs: Configuration of each component that has weights.

    Raises:
        ModelError: The networks do not fit each other.
    """
    try:
        if family.network == "unet":
            full = {name: {**_USUAL[name], **own} for name, own in configs.items()}
            misfit = next(_misfits(family, full), None)
        else:
            misfit = next(_unequal(family, configs), None)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"the configurations of '{path}' have a size that is not valid: {error}",
            fix="they are damaged or made up: copy or download the model again",
        ) from None
    if misfit:
        what, fix = misfit
        raise ModelError(f"'{path}' cannot paint from text: {what}", fix=fix)


def _unequal(
    family: ModelFamily, configs: Mapping[str, Config]
) -> Iterator[tuple[str, str]]:
    """Yield each size of a transformer that another component does not have."""
    network = configs[family.network]
    for fit in family.fits:
        read = network.get(fit.key)
        given = configs.get(fit.component, {}).get(fit.other)
        if read is None or given is None or read == given * fit.times:
            continue
        times = f"{fit.times} x " if fit.times > 1 else ""
        task = ""
        if fit.component == "vae" and read > given * fit.times:
            task = "; with more channels it is made for editing or inpainting"
        yield (
            f"its {family.network} reads {read} ({fit.key}), and its {fit.component} "
            f"gives {times}{given} ({fit.other}){task}",
            f"give the {family.network} and the {fit.component} of one and the same "
            "text-to-image model",
        )


def _misfits(
    family: ModelFamily, configs: Mapping[str, Config]
) -> Iterator[tuple[str, str]]:
    """Yield each fault with its fix, the most informative first."""
    unet = configs["unet"]
    yield from _channels(unet, configs["vae"]["latent_channels"])
    yield from _encoders(family, unet)
    yield from _extra(unet)
    yield from _widths(unet, configs)
    if unet.get("sample_size") is None:
        yield (
            "its UNet has no size of its pictures (sample_size)",
            "write its sample_size into unet/config.json: 64 for latents of 64 x 64",
        )
    if "text_encoder_2" in configs:
        yield from _sizes(unet, configs["text_encoder_2"]["projection_dim"])
        if configs["vae"].get("latents_mean") is not None:
            yield (
                "its autoencoder shifts its latents (latents_mean)",
                "use a model with the autoencoder of Stable Diffusion XL",
            )


def _channels(unet: Config, n_latent: int) -> Iterator[tuple[str, str]]:
    n_in, n_out = unet["in_channels"], unet["out_channels"]
    if n_in != n_latent:
        task = f": it is made for {_TASKS[n_in]}" if n_in in _TASKS else ""
        yield (
            f"its UNet reads {n_in} channels, and a latent of its autoencoder has "
            f"{n_latent}{task}",
            "give the text-to-image model that it was made from",
        )
    if n_out != n_latent:
        yield (
            f"its UNet predicts {n_out} channels, and a latent of its autoencoder has "
            f"{n_latent}",
            "give the UNet and the autoencoder of one and the same model",
        )


def _encoders(family: ModelFamily, unet: Config) -> Iterator[tuple[str, str]]:
    """Yield a UNet and a pipeline of which only one is an SDXL's."""
    wants_two = unet.get("addition_embed_type") == _WITH_SIZES
    has_two = "text_encoder_2" in family.components
    if wants_two and not has_two:
        yield (
            "its UNet is an SDXL's, which reads two text encoders, and its "
            f"model_index.json names {family.pipeline}, which has one",
            "give the folder that it was saved from; save that again with "
            "StableDiffusionXLPipeline",
        )
    if has_two and not wants_two:
        yield (
            f"its model_index.json names {family.pipeline}, and its UNet takes neither "
            "a pooled text nor a picture's size (addition_embed_type)",
            "give the UNet of a Stable Diffusion XL, or save the folder again with "
            "StableDiffusionPipeline",
        )


def _extra(unet: Config) -> Iterator[tuple[str, str]]:
    wanted = {name: unet[name] for name in _EXTRA if unet.get(name) is not None}
    added = unet.get("addition_embed_type")
    if added not in (*_OF_TEXT, _WITH_SIZES):
        wanted["addition_embed_type"] = added
    if wanted:
        values = ", ".join(f"{name} is {value!r}" for name, value in wanted.items())
        yield (
            f"its UNet needs more conditioning than time and text: {values}",
            "give a text-to-image model of Stable Diffusion 1, 2 or XL",
        )


def _widths(unet: Config, configs: Mapping[str, Config]) -> Iterator[tuple[str, str]]:
    """Yield text encoders whose widths together are not what the UNet reads."""
    names = [name for name in configs if name.startswith("text_encoder")]
    widths = [configs[name]["hidden_size"] for name in names]
    read = unet["cross_attention_dim"]
    if read != sum(widths):
        sides = " + ".join(map(str, widths))
        yield (
            f"its UNet reads tokens of {read} numbers (cross_attention_dim), and its "
            f"text encoder{'s return' if len(widths) > 1 else ' returns'} {sides}",
            "give the UNet and the text encoders of one and the same model",
        )


def _sizes(unet: Config, pooled: int) -> Iterator[tuple[str, str]]:
    """Yield a pooled text and sizes that are not what an SDXL's UNet reads."""
    each = unet.get("addition_time_embed_dim") or 0
    read = unet.get("projection_class_embeddings_input_dim")
    if read != pooled + _N_SIZES * each:
        yield (
            f"its UNet reads {read} numbers beside time "
            "(projection_class_embeddings_input_dim), and gets a pooled text of "
            f"{pooled} and {_N_SIZES} sizes of {each}",
            "give the UNet and the text encoders of one and the same model; a refiner "
            "paints from pictures",
        )
