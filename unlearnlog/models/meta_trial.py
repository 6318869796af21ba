"""A trial run of a pipeline's networks on torch's meta device, without weights.

Some settings are only read when a network computes; a wrong one would otherwise fail
with the first picture, long after the ledger was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from unlearnlog.models.network_building import told_in, without_numbers

if TYPE_CHECKING:
    from unlearnlog.models.loaded_model import LoadedModel
    from unlearnlog.models.network_building import Untyped
    from unlearnlog.models.pipeline_folder import PipelineFolder

_NOWHERE = "meta"
"""Torch's device with shapes and without numbers."""


def check_computes(model: LoadedModel) -> None:
    """Run the networks of a pipeline once, with shapes only.

    Of a transformer's pipeline the text encoders run for real, on the empty prompt.

    Raises:
        ModelError: A network fails with its configuration.
    """
    folder = model.folder
    if folder.family.rules is None:
        _try_each(folder)
        return
    name = folder.family.network
    network = without_numbers(folder, name, len(folder.stored(name))).eval()
    # torch's own: diffusers' warns of modules to be kept in float32, of none too
    torch.nn.Module.to(network, getattr(torch, model.dtype))
    with told_in(folder, name), torch.no_grad():
        model.try_shapes(network)


def _try_each(folder: PipelineFolder) -> None:
    for name in folder.weighed:
        n_tensors = len(folder.stored(name))
        network = without_numbers(folder, name, n_tensors).eval()
        with told_in(folder, name), torch.no_grad():
            if name == "unet":
                _try_unet(network)
            elif name == "vae":
                pictures = _nothing(1, network.config.in_channels, 64, 64)
                network.decode(network.encode(pictures).latent_dist.mean)
            else:
                n_tokens = network.config.max_position_embeddings
                words = torch.zeros(1, n_tokens, dtype=torch.int64, device=_NOWHERE)
                network(words)


def _try_unet(network: Untyped) -> None:
    config = network.config
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    more: dict[str, Any] = {}
    if config.addition_embed_type == "text_time":
        n_sizes = 6
        n_pooled = config.projection_class_embeddings_input_dim
        n_pooled -= n_sizes * config.addition_time_embed_dim
        more["added_cond_kwargs"] = {
            "text_embeds": _nothing(1, n_pooled),
            "time_ids": _nothing(1, n_sizes),
        }
    if config.time_cond_proj_dim is not None:
        more["timestep_cond"] = _nothing(1, config.time_cond_proj_dim)
    network(
        _nothing(1, config.in_channels, height, width),
        torch.zeros(1, dtype=torch.int64, device=_NOWHERE),
        _nothing(1, 7, config.cross_attention_dim),
        **more,
    )


def _nothing(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device=_NOWHERE)
