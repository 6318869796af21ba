"""The CLIP score and Frechet's distance of commands, beside a slow computation."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from tests.clip_folder import build_clip
from tests.policy_texts import policy_text
from tests.tiny import build_pipeline
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

RULES = policy_text("one", "uce", judge="clip")
PROMPTS = ("a cat", "a dog by Monet", "a boat", "a cat")
SEEDS = (3, 4, 5, 6)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return build_clip(tmp_path_factory.mktemp("judges") / "clip")


def embedded(folder, pictures, prompts):
    """Return CLIP's embeddings in float64, each picture and each text by itself."""
    net = CLIPModel.from_pretrained(folder).double().eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessor.from_pretrained(folder)
    seen, read = [], []
    for picture in pictures:
        pixels = processor(images=[picture], return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            state = net.vision_model(pixels.double()).pooler_output
            seen.append(net.visual_projection(state)[0])
    for prompt in prompts:
        ids = tokenizer([prompt], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            state = net.text_model(ids).pooler_output
            read.append(net.text_projection(state)[0])
    return seen, read


def slow_scores(folder, pictures, prompts):
    """Return 100 times the cosine of each picture and its prompt, at least 0."""
    found = []
    for one, other in zip(*embedded(folder, pictures, prompts), strict=True):
        product = sum(float(a) * float(b) for a, b in zip(one, other, strict=True))
        norms = [math.sqrt(sum(float(a) ** 2 for a in each)) for each in (one, other)]
        found.append(max(0.0, 100 * product / (norms[0] * norms[1])))
    return found


def slow_frechet(one, other):
    """Return Frechet's distance with a plain root of the product, in float64."""
    first, second = np.array(one), np.array(other)
    c1, c2 = np.cov(first.T), np.cov(second.T)
    roots = np.sqrt(np.linalg.eigvals(c1 @ c2).astype(complex)).real.sum()
    gap = first.mean(0) - second.mean(0)
    return float(gap @ gap + np.trace(c1) + np.trace(c2) - 2 * roots)


def unit(vectors):
    return [(each / each.norm()).tolist() for each in vectors]


@pytest.fixture
def here(tmp_path, clip):
    build_pipeline(tmp_path / "model")
    (tmp_path / "clip").symlink_to(clip)
    (tmp_path / "one.toml").write_text(RULES)
    rows = [f"{p},{s}" for p, s in zip(PROMPTS, SEEDS, strict=True)]
    (tmp_path / "p.csv").write_text("\n".join(["prompt,seed", *rows]) + "\n")
    return tmp_path


def test_a_file_s_prompts_have_the_clip_score_of_their_pictures(typed, here, clip):
    typed("init", "--model", "model")

    words = ("probe", "base", "--policy", "one.toml", "--prompts", "p.csv", "--json")
    done = typed(*words, "-o", "rows.csv")

    assert done.code == 0, done.err
    model = DiffusersModel.load(here / "model")
    painted = model.paint(PROMPTS, SEEDS, sampling=Sampling(1, 1.0))
    wanted = slow_scores(clip, painted.pictures.numpy(), PROMPTS)
    (found,) = [r for r in json.loads(done.out)["readings"] if r["probe"] == "clip"]
    assert found["value"] == pytest.approx(sum(wanted) / 4, abs=1e-3)
    assert found["base"] == pytest.approx(found["value"], abs=1e-9)
    assert (found["n"], found["unit"]) == (4, "score")
    assert found["low"] <= found["value"] <= found["high"]
    rows = [*csv.DictReader((here / "rows.csv").read_text().splitlines())]
    scores = [float(row["clip_score"]) for row in rows]
    assert scores == pytest.approx(wanted, abs=1e-3)
    assert len({*np.round(wanted, 3)}) > 1


@pytest.mark.usefixtures("here")
def test_scores_are_not_painted_twice(typed, monkeypatch):
    typed("init", "--model", "model")
    words = ("probe", "base", "--policy", "one.toml", "--prompts", "p.csv", "--json")
    first = typed(*words)
    monkeypatch.setattr(DiffusersModel, "_painted", None)

    again = typed(*words)

    assert again.code == 0, again.err
    assert json.loads(again.out) == json.loads(first.out)


@pytest.mark.usefixtures("here")
def test_a_judge_that_is_no_clip_gives_no_score(typed):
    typed("init", "--model", "model")

    done = typed(
        *("probe", "base", "--policy", "one.toml", "--prompts", "p.csv", "--json"),
        *("--judge", "base"),
    )

    assert {r["probe"] for r in json.loads(done.out)["readings"]} == {"prompts.same"}


def test_pictures_from_elsewhere_have_both_values(typed, tmp_path, clip):
    rng = np.random.default_rng(0)
    sets = {"out": rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)}
    sets["ref"] = (sets["out"] // 2 + rng.integers(0, 64, (40, 32, 32, 3))).astype("u1")
    for name, pictures in sets.items():
        (tmp_path / name).mkdir()
        for i, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    prompts = [f"a {word}" for word in ("cat", "dog", "boat", "tree") * 10]
    (tmp_path / "lines.txt").write_text("\n".join(prompts) + "\n")

    done = typed(
        *("probe", "--images", "out", "--prompts", "lines.txt"),
        *("--judge", str(clip), "--reference", "ref", "--json"),
    )

    assert done.code == 0, done.err
    found = {r["probe"]: r for r in json.loads(done.out)["readings"]}
    scores = slow_scores(clip, sets["out"], prompts)
    assert found["clip"]["value"] == pytest.approx(sum(scores) / 40, abs=1e-3)
    assert found["clip"]["base"] is None
    one, other = (unit(embedded(clip, each, ())[0]) for each in sets.values())
    assert found["fd"]["value"] == pytest.approx(slow_frechet(one, other), rel=1e-3)


@pytest.mark.slow
def test_a_policy_s_prompts_have_a_score_in_the_entry(typed, here):
    rules = RULES.replace("information = 0", 'information = 0\nprompts = "p.csv"')
    (here / "one.toml").write_text(rules + "[require]\nbase_presence = 0.0\n")
    typed("init", "--model", "model")

    done = typed("add", "Monet", "--policy", "one.toml", "--json")

    assert done.code == 0, done.err
    (found,) = [r for r in json.loads(done.out)["readings"] if r["probe"] == "clip"]
    assert found["n"] == 4
    assert found["base"] is not None
