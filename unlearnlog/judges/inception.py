"""The Inception network of FID, of torch-fidelity, with weights from a local file.

The network is that of TensorFlow's graph of 2015, which FID is defined by; published
values are comparable with no other. Its usual weights are a pickle, which is never
loaded: the file is the same tensors as safetensors.

Source:
    FID, https://arxiv.org/abs/1706.08500. The network,
    https://github.com/toshas/torch-fidelity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self, final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from unlearnlog.errors import ModelError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.models.interface import Painted

_LAYER: Final = "2048"
"""The pooled features that FID is taken in."""

_AT_ONCE: Final = 16
_CONVERT: Final = (
    "convert FID's weights once: docs/PROMPTS.md, Frechet Inception Distance"
)


@final
@dataclass(frozen=True)
class Inception:
    """FID's network.

    Attributes:
        net: The network; takes uint8 ``[n, 3, height, width]``.
    """

    net: Any = field(repr=False)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Load weights in safetensors.

        Raises:
            UsageError: torch-fidelity is not installed, or there is no such file.
            ModelError: The file holds other tensors than the network's.
        """
        try:
            from torch_fidelity import FeatureExtractorInceptionV3
        except (ImportError, RuntimeError) as error:  # or torchvision does not fit
            raise UsageError(
                f"--inception {file} needs torch-fidelity: {error}",
                fix='pip install "unlearnlog[fid]"',
            ) from error
        if not file.is_file():
            raise UsageError(f"there is no file '{file}'", fix=_CONVERT)
        try:
            tensors = load_file(file)
        except SafetensorError as error:
            raise ModelError(
                f"'{file}' is no safetensors file: {error}", fix=_CONVERT
            ) from error
        # The class reads its weights from a file of torch.save alone, so it is given
        # one of these tensors; nobody else's pickle is read.
        with TemporaryDirectory() as folder:
            own = Path(folder) / "inception.pth"
            torch.save(tensors, own)
            try:
                net = FeatureExtractorInceptionV3(
                    "inception-v3-compat",
                    [_LAYER],
                    feature_extractor_weights_path=str(own),
                )
            except RuntimeError as error:
                raise ModelError(
                    f"'{file}' does not hold FID's Inception network: "
                    f"{str(error).splitlines()[1].strip()[:200]}",
                    fix=_CONVERT,
                ) from error
        return cls(net)

    @torch.inference_mode()
    def features(self, painted: Painted) -> Tensor:
        """Return the pooled features of each picture, float32 ``[n, 2048]``."""
        ready = painted.pictures.permute(0, 3, 1, 2)
        return torch.cat([self.net(part)[0] for part in ready.split(_AT_ONCE)])
