"""What goes to another process, and what it has of its own there."""

from types import MappingProxyType

import torch

from tests.erasers.slowly import request_of
from tests.tiny import build_pipeline
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.ranks import OneProcess
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.ranks.parcel import Unpacker, packed


class Placed(OneProcess):
    device = torch.device("cpu")


def sent(value, kept=()):
    """Return what another process of the same machine gets."""
    there = Unpacker(Placed(), 0)
    there.kept = list(kept)
    return there.unpacked(packed(value, kept))


def test_a_request_arrives_with_the_progress_and_processes_of_the_receiver():
    watch = NoProgress()

    found = sent(request_of(watch=watch))

    assert isinstance(found.watch, NoProgress)
    assert found.watch is not watch
    assert isinstance(found.ranks, Placed)
    assert found.forget == request_of().forget


def test_a_read_only_mapping_arrives():
    assert sent(MappingProxyType({"a": 1})) == {"a": 1}


def test_a_kept_value_is_named():
    value = ["large"]

    assert sent((value, 1), [value])[0] is value
    assert b"large" not in packed((value, 1), [value])


def test_a_model_is_loaded_once_where_it_lies(tmp_path):
    model = DiffusersModel.load(build_pipeline(tmp_path / "tiny"))
    there = Unpacker(Placed(), 0)
    judge = BaseJudge(model, MappingProxyType({}))  # type: ignore[arg-type]

    one, two = (there.unpacked(packed([model, judge])) for _ in range(2))

    assert one[0] is two[0] is two[1].model
    assert one[0].manifest.root == model.manifest.root
    assert one[0] is not model
