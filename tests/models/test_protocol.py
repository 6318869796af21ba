import math
import subprocess
import sys

import pytest

from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Model, Sampling


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": 0},
        {"guidance": -1.0},
        {"guidance": math.nan},
        {"guidance": math.inf},
    ],
)
def test_sampling_refuses_numbers_that_mean_nothing(wrong):
    right = {"steps": 12, "guidance": 3.0, "batch": 64}

    with pytest.raises(ValueError, match="must be"):
        Sampling(**right | wrong)


def test_a_diffusers_checkpoint_is_a_model(tiny: DiffusersModel):
    offered: Model = tiny  # mypy compares the signatures

    members = {name for name in dir(Model) if not name.startswith("_")}
    assert members <= set(dir(offered))


def test_the_protocol_loads_no_heavy_library():
    program = (
        "import sys, unlearnlog.models\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == 0
