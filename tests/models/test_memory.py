"""Memory that runs out while a picture is painted."""

import pytest
import torch

from tests.tiny import build_pipeline
from unlearnlog.core.memory import is_out_of_memory
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """A model with no memory for more than two pictures, unless one by one."""
    model = DiffusersModel.load(build_pipeline(tmp_path_factory.mktemp("tight") / "m"))
    network, attention = model._parts.network, model._parts.attention
    assert attention is not None

    def room(_, given):
        if len(given[0]) > 2 and not attention.one_by_one:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        if len(given[0]) > 4:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    network.register_forward_pre_hook(room)
    return model


def painted(model, batch):
    return model.paint(["a cat"] * 6, range(6), sampling=Sampling(1, 1.0, batch))


def test_memory_that_runs_short_is_saved_first(tight):
    made = painted(tight, 3)

    assert len(made.pictures) == 6
    assert tight._parts.attention.one_by_one


def test_memory_that_runs_out_is_answered_by_what_to_set(tight):
    with pytest.raises(UnlearnlogError, match="to paint 6 pictures at once") as caught:
        painted(tight, 6)

    assert "lower the batch in the policy, in [sampling]" in caught.value.fix
    assert "--dtype bfloat16" in caught.value.fix


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"), True),
        (RuntimeError("shapes"), False),
    ],
)
def test_memory_is_told_from_other_errors(error, is_memory):
    assert is_out_of_memory(error) == is_memory
