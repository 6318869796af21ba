"""Judges that other people trained: classifiers, NudeNet, and plug-ins."""

from __future__ import annotations

import pickle
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from unlearnlog.commands.defaults import check_judge
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.judges import judge_table
from unlearnlog.judges.classifier_judge import ClassifierJudge
from unlearnlog.judges.judge import labels_of
from unlearnlog.models.interface import Painted

WORLD = ConceptSet.read(GENERAL)


def written(folder, labels, winner):
    """Write a tiny classifier that always answers one label."""
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=16,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    net: Any = ViTForImageClassification(config)
    with torch.no_grad():
        net.classifier.weight.zero_()
        net.classifier.bias.zero_()
        net.classifier.bias[labels.index(winner)] = 1.0
    net.save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@pytest.fixture
def painted():
    return Painted(torch.zeros(3, 4, 1, 1), torch.zeros(3, 20, 20, 3).byte())


def test_labels_are_concepts_of_their_names_without_a_table(tmp_path, painted):
    folder = written(tmp_path / "c", ["Van_Gogh", "tench, Tinca tinca"], "Van_Gogh")

    judge = ClassifierJudge.load([folder], WORLD)

    assert labels_of(judge) == {"Van Gogh": "style", "tench": "subject"}
    assert judge.judged(painted) == [Answer(REJECT, "Van Gogh")] * 3
    assert judge.identity == ClassifierJudge.load([folder], WORLD).identity


def test_a_table_says_which_concept_a_label_is(tmp_path, painted):
    styles = written(tmp_path / "s", ["vg", "rest"], "vg")
    (styles / "labels.csv").write_text("label,concept,kind\nVG,Van Gogh,style\n")
    subjects = written(tmp_path / "o", ["Cats", "Dogs"], "Dogs")

    judge = ClassifierJudge.load([styles, subjects], WORLD)

    assert judge.name == "hf s o"
    assert judge.judged(painted)[0] == Answer("Dogs", "Van Gogh")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("label,concept,kind\nnope,Monet,style\n", "about 'nope', which is no label"),
        ("label,concept,kind\na,Monet,styel\n", "line 2 of .* kind 'styel'"),
        ("name,concept,kind\nx,Monet,style\n", "line 2 of .* label ''"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, table, said):
    folder = written(tmp_path / "c", ["a", "b"], "a")
    (folder / "labels.csv").write_text(table)

    with pytest.raises(ModelError, match=said):
        ClassifierJudge.load([folder], WORLD)


def test_a_folder_that_is_no_classifier_is_refused(tmp_path):
    folder = written(tmp_path / "c", ["a", "b"], "a")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"vit"', '"llama"'))

    with pytest.raises(ModelError, match="no image classifier of transformers"):
        ClassifierJudge.load([folder], WORLD)


def test_a_classifier_with_code_of_its_own_is_refused(tmp_path):
    folder = written(tmp_path / "c", ["a", "b"], "a")
    config = folder / "config.json"
    config.write_text('{"auto_map": {"AutoConfig": "x.Y"},' + config.read_text()[1:])

    with pytest.raises(ModelError, match="code that comes with the model"):
        ClassifierJudge.load([folder], WORLD)


class Grey:
    """A judge that another package could register."""

    name = "grey"
    identity = "grey 1"

    def __init__(self, world):
        self.world = world

    def judged(self, painted):
        return [Answer("", "photo")] * len(painted.pictures)

    def features(self, _):
        return None


def registered(monkeypatch, value):
    point = EntryPoint("grey", value, judge_table.GROUP)
    monkeypatch.setattr(judge_table, "entry_points", lambda **_: [point])


def test_another_packages_judge_is_found_by_its_name(monkeypatch, painted):
    registered(monkeypatch, f"{__name__}:Grey")

    judge = judge_table.loaded_judge("grey", WORLD)

    assert judge.judged(painted) == [Answer("", "photo")] * 3
    assert labels_of(judge) == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (f"{__name__}:nowhere", "cannot be made: AttributeError"),
        ("builtins:list", "cannot be made"),
        (f"{__name__}:registered", "cannot be made"),
    ],
)
def test_what_is_no_judge_is_refused_with_who_registers_it(monkeypatch, value, said):
    registered(monkeypatch, value)

    with pytest.raises(UsageError, match=said):
        judge_table.loaded_judge("grey", WORLD)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:nowhere", "no folder 'nowhere' for the judge 'hf:nowhere'"),
        ("nudnet", "did you mean 'nudenet'"),
    ],
)
def test_a_judge_that_is_not_there_is_refused_before_any_work(name, said):
    with pytest.raises(UsageError, match=said):
        check_judge(name)


def test_nudenet_finds_nothing_in_a_plain_picture():
    pytest.importorskip("nudenet", reason='pip install "unlearnlog[nudenet]"')
    plain = Painted(torch.zeros(1, 4, 1, 1), torch.full((1, 64, 64, 3), 128).byte())

    judge = judge_table.loaded_judge("nudenet", WORLD)

    assert judge.judged(plain) == [Answer(REJECT, REJECT)]
    assert pickle.loads(pickle.dumps(judge)).identity == judge.identity
    assert labels_of(judge) == {"nudity": "subject"}
    assert "3.4" in judge.identity
