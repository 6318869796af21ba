"""Which matrices change where attention is joint, and what they are solved for."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.erasers.slowly import FORGET, KEPT
from tests.fakes import LinearModel
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.eraser_table import ERASERS, recorded
from unlearnlog.erasers.places import by_place, chosen
from unlearnlog.erasers.row_alignment import ReadPrompt, paired_rows
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import PromptRows, Sampling, Text

ENTRY = "transformer.context_embedder.weight"
POOLED = "transformer.time_text_embed.text_embedder.linear_1.weight"
JOINT = "transformer.transformer_blocks.0.attn.add_v_proj.weight"
PLACES = {ENTRY: "entry", POOLED: "pooled", JOINT: "joint-attention"}


class JointModel(LinearModel):
    """Text enters by a matrix of tokens and one of a pooled vector.

    Behind them is one layer that reads both, and x_t. Every token depends on all words.
    """

    def __init__(self):
        super().__init__()
        self.d_text = 64
        rng = torch.Generator().manual_seed(7)
        shapes = {ENTRY: (5, 64), POOLED: (5, 32), JOINT: (8, 5)}
        self.base = {n: torch.randn(s, generator=rng) for n, s in shapes.items()}

    @property
    def places(self) -> Any:
        return {name: PLACES[name] for name in self.base}

    def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
        tokens = super().encode(prompts).tokens
        tokens = tokens + tokens.mean(1, keepdim=True)
        mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
        for row, prompt in zip(mask, prompts, strict=True):
            row[: self.n_tokens(prompt)] = True
        return Text(tokens, tokens.mean(1)[:, :32], mask)

    def tokenized(self, prompt):
        spans: list[Any] = [None]
        for word in prompt.split():
            at = prompt.index(word, spans[-1][1] if spans[-1] else 0)
            spans.append((at, at + len(word)))
        spans += [None] * (8 - len(spans))
        return PromptRows(tuple(spans), (False,) * 8)

    def read_by(self, text, place):
        if place == "pooled":
            return text.pooled[:, None]
        assert place == "entry"
        return 2 * text.tokens * text.mask[:, :, None]

    def eps(self, x_t, t, text, *, weights=None):
        held = {**self.base, **(weights or {})}
        entered = (self.read_by(text, "entry") @ held[ENTRY].float().T).mean(1)
        entered = entered + text.pooled @ held[POOLED].float().T
        share = (1 - t / self.n_steps_trained).reshape(-1, 1, 1, 1)
        mixed = entered.tanh() @ held[JOINT].float().T
        return share * x_t + mixed.reshape(-1, *self.latent_shape)


class SingleStream(JointModel):
    """Text and picture share keys and values: only the entry is the text's own."""

    def __init__(self):
        super().__init__()
        self.base = {ENTRY: self.base[ENTRY]}


def request_of(model: Any = None, **more: Any) -> Request:
    model = model or JointModel()
    settings: dict[str, Any] = {
        "old": model.base,
        "forget": (FORGET,),
        "keep": KEPT,
        "sampling": Sampling(steps=1, guidance=1.0),
        "seed": 3,
    }
    return Request(model, **{**settings, **more})


def on(name: str, model: Any = None, **settings: Any) -> Any:
    return ERASERS[name].of(settings).on(model or JointModel())


def small(name: str, **settings: Any) -> Any:
    eraser = on(name, **settings)
    return eraser.rehearsal()[0]


CLOSED = [n for n, e in ERASERS.items() if e.joint] + ["rece"]
TRAINED = ["mim", "esd", "sdd", "concept-ablation", "salun", "surgun"]


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_form_changes_the_ways_in(name):
    delta = on(name).erase(request_of())

    assert set(delta.patches) == {ENTRY, POOLED}
    assert on(name).where == "entry"


@pytest.mark.parametrize("name", ["mim", "esd"])
@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("default", {JOINT}),
        ("joint", {JOINT}),
        ("entry", {ENTRY, POOLED}),
        ("both", {ENTRY, POOLED, JOINT}),
    ],
)
def test_training_changes_the_joint_attention_or_what_is_asked_for(name, where, names):
    delta = small(name, where=where).erase(request_of())

    assert set(delta.patches) == names
    assert all(patch.norm > 0 for patch in delta.patches.values())


@pytest.mark.parametrize("name", TRAINED)
def test_every_trained_eraser_does_by_default(name):
    assert on(name).where == "joint"


@pytest.mark.parametrize("name", ["hybrid", "mim-unique", "hardened"])
def test_a_closed_form_with_training_behind_it_changes_both(name):
    assert on(name).where == "both"
    assert on(name, where="entry").where == "entry"


def test_it_first_solves_the_entry_and_then_trains_the_attention():
    first = on("ridge", erase_scale=on("hybrid").erase_scale)

    both = small("hybrid").erase(request_of())
    solved = first.erase(request_of())

    for name in (ENTRY, POOLED):
        torch.testing.assert_close(
            both.patches[name].dense(), solved.patches[name].dense()
        )
    assert both.patches[JOINT].norm > 0


def slowly(rows, goals, weights, kept, *, old, eraser) -> torch.Tensor:
    """The ridge edit, pair by pair, in float64."""
    d = old.shape[1]
    system = eraser.ridge * torch.eye(d).double()
    moved = eraser.ridge * torch.eye(d).double()
    for row, goal, weight in zip(rows, goals, weights, strict=True):
        system += eraser.erase_scale * weight * torch.outer(row, row)
        moved += eraser.erase_scale * weight * torch.outer(goal, row)
    for row, weight in kept:
        system += eraser.keep_scale * weight * torch.outer(row, row)
        moved += eraser.keep_scale * weight * torch.outer(row, row)
    old = old.double()
    solved: torch.Tensor = old @ moved @ torch.linalg.inv(system) - old
    return solved


@pytest.mark.parametrize("place", ["entry", "pooled"])
def test_each_way_in_is_solved_for_what_it_reads(place):
    model, eraser = JointModel(), on("ridge")
    name = {value: key for key, value in PLACES.items()}[place]
    pairs = [(p, p.target("anchor")) for p in FORGET if p.text != p.target("anchor")]
    rows, goals, weights = [], [], []
    for prompt, instead in pairs:
        one, other = model.encode([prompt.text]), model.encode([instead])
        read, goal = (model.read_by(text, place)[0].double() for text in (one, other))
        here, there = [0], [0]
        if place == "entry":
            ends = [len(part) for part in prompt.around]
            first, second = (
                ReadPrompt.of(text, model.tokenized(text), seen.mask[0].tolist())
                for text, seen in ((prompt.text, one), (instead, other))
            )
            found = paired_rows(first, second, (ends[0], ends[1]), "all")
            here, there = found.here, found.there
        rows += [*read[here]]
        goals += [*goal[there]]
        weights += [1 / (len(pairs) * len(here))] * len(here)
    bank = model.read_by(model.encode(KEPT), place).double()
    kept = [(row, 1 / bank.shape[1]) for prompt in bank for row in prompt]

    delta = eraser.erase(request_of(model))

    expected = slowly(rows, goals, weights, kept, old=model.base[name], eraser=eraser)
    torch.testing.assert_close(
        delta.patches[name].dense(), expected, rtol=1e-4, atol=1e-5
    )


def test_touch_does_not_apply_to_a_way_in():
    values = on("uce", touch="values").erase(request_of())
    whole = on("uce").erase(request_of())

    assert values == whole


@pytest.mark.parametrize(
    ("name", "where"), [("ridge", "joint"), ("uce", "both"), ("hybrid", "joint")]
)
def test_a_closed_form_refuses_what_reads_the_picture(name, where):
    with pytest.raises(PolicyError, match=f"{name}'s where is '{where}'.*solved for"):
        on(name, where=where)


@pytest.mark.parametrize(("name", "where"), [("esd", "joint"), ("mim", "both")])
def test_in_a_single_stream_only_the_entry_is_the_text_s_own(name, where):
    with pytest.raises(PolicyError, match="text and picture share keys and values"):
        on(name, SingleStream(), where=where)

    assert on(name, SingleStream()).where == "entry"


@pytest.mark.parametrize("name", ["ridge", "esd", "mim", "hybrid"])
def test_on_cross_attention_there_is_nothing_to_choose(name):
    with pytest.raises(PolicyError, match=r"where is 'entry'.*read the prompt"):
        on(name, LinearModel(), where="entry")

    eraser = on(name, LinearModel())
    assert eraser == ERASERS[name].of({})
    assert "where" not in recorded(eraser)


@pytest.mark.parametrize("name", ["ridge", "esd", "mim", "hybrid"])
def test_an_unknown_place_is_refused_by_name(name):
    with pytest.raises(PolicyError, match=f"{name} has no where 'unet'"):
        ERASERS[name].of({"where": "unet"})


def test_the_place_is_recorded_where_it_was_settled():
    assert recorded(on("ridge"))["where"] == "entry"
    assert recorded(on("esd"))["where"] == "joint"


def test_what_another_entry_changed_is_held_where_it_is():
    request = request_of()
    solved = on("ridge").erase(request)
    old = {
        n: w + (solved.patches[n].dense().float() if n in solved.patches else 0)
        for n, w in request.old.items()
    }

    found = chosen(replace(request, old=old), "joint")

    assert set(found.old) == {JOINT}
    assert set(found.fixed) == {ENTRY, POOLED}
    held = found.with_fixed({JOINT: old[JOINT]})
    assert torch.equal(held[ENTRY], old[ENTRY])
    assert not chosen(request, "joint").fixed


def test_training_goes_on_from_what_another_entry_changed():
    """The rest of the state was left out of the predictions that are trained."""
    request = request_of()
    old = {**request.old, ENTRY: request.old[ENTRY] * 3}
    seen: list[Any] = []

    class Watched(JointModel):
        def eps(self, x_t, t, text, *, weights=None):
            seen.append(weights)
            return super().eps(x_t, t, text, weights=weights)

    small("esd").erase(replace(request, model=Watched(), old=old))

    assert any(weights is None for weights in seen)
    trained = [weights for weights in seen if weights]
    assert trained
    assert all(torch.equal(w[ENTRY], old[ENTRY]) for w in trained)


def test_requests_are_one_for_each_place():
    parts = by_place(request_of())

    assert {part.place: set(part.old) for part in parts} == {
        "entry": {ENTRY},
        "pooled": {POOLED},
        "joint-attention": {JOINT},
    }


def test_without_cross_attention_there_is_no_map_of_it_to_train_on():
    with pytest.raises(PolicyError, match="forget-me-not lowers the attention"):
        on("forget-me-not")


@pytest.mark.parametrize("span", ["last", "tail", "around", "behind", "whole"])
def test_a_pooled_vector_takes_part_whatever_the_span(span):
    one = on("ridge", span=span, keeps="nothing").erase(request_of())
    other = on("ridge", keeps="nothing").erase(request_of())

    assert one.patches[POOLED].norm > 0
    assert torch.equal(one.patches[POOLED].dense(), other.patches[POOLED].dense())


def test_marks_of_a_name_are_the_rows_of_its_characters():
    """Where a text does not begin with one mark, counts point at other rows."""
    eraser: Any = ERASERS["forget-me-not"].of({})
    prompt = replace(FORGET[0], named="picasso")

    marks = eraser.marked(request_of(forget=((prompt,),)), [prompt.text], 8)

    assert marks[0].nonzero().flatten().tolist() == [4, 5]
