import hashlib

import numpy as np
import pytest

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.renderer import rendered
from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.concepts.templates import EMPTY, PLAIN


@pytest.mark.parametrize("style", STYLES)
def test_the_same_values_give_the_same_picture_and_another_seed_another(style):
    first = rendered("cat", style, seed=1)
    rendered("dog", style, seed=9)

    again, other = rendered("cat", style, seed=1), rendered("cat", style, seed=2)

    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.abs(first.astype(float) - other).mean() > 4


@pytest.mark.parametrize("subject", [*SUBJECTS, EMPTY])
def test_every_subject_and_the_empty_scene_are_drawn(subject):
    picture = rendered(subject, seed=5)

    assert picture.std() > 20


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_stands_in_the_middle_of_the_empty_scene(subject):
    with_subject = np.mean([rendered(subject, seed=s) for s in range(6)], 0)
    without = np.mean([rendered(EMPTY, seed=s) for s in range(6)], 0)

    difference = np.abs(with_subject - without).mean(-1)

    assert difference[16:60, 16:48].mean() > 2 * difference[:, [0, 1, 62, 63]].mean()


@pytest.mark.parametrize("pair", world().look_alikes, ids=" and ".join)
def test_look_alikes_are_told_apart_by_the_nearest_mean_picture(pair):
    centres = [_coarse(name, range(20, 32)).mean(0) for name in pair]

    right = [
        np.linalg.norm(picture - centres[i]) < np.linalg.norm(picture - centres[1 - i])
        for i, name in enumerate(pair)
        for picture in _coarse(name, range(8))
    ]

    assert np.mean(right) >= 0.75


def _coarse(name, seeds):
    """Return mean colour and grain of each eighth of a look-alike's pictures."""
    cell = ("cat", name) if name in STYLES else (name, PLAIN)
    pictures = [rendered(*cell, seed=seed) / 255 for seed in seeds]
    blocks = [p.reshape(8, 8, 8, 8, 3) for p in pictures]
    return np.stack([np.concatenate([b.mean((1, 3)), b.std((1, 3))]) for b in blocks])


# Pictures of flat fills, whose arithmetic has one answer on every processor.
KNOWN = [
    (
        "cat",
        "photo",
        "56ce93315e3c0908fb77f56260bab9b2a7cd673b41f5341d10f65812e406cfe8",
    ),
    (
        "castle",
        "Mondrian",
        "979fb88ac68cbfa523312f063fd9daaa74239a4e35bfc6c5c235b0d71feb94bf",
    ),
    (
        "boat",
        "Warhol",
        "b3a2e2544bf7043076c9cee01754d13b9d429365252a50822597c036dd1c7169",
    ),
    (
        "car",
        "Lichtenstein",
        "7e3d2a29c90463001f3337562a2018fe6c078a87f9a653bcfcb9119cccf29e9e",
    ),
]


@pytest.mark.parametrize(("subject", "style", "sha256"), KNOWN)
def test_the_world_that_the_weights_learnt_is_still_the_world(subject, style, sha256):
    picture = rendered(subject, style, seed=7)

    assert hashlib.sha256(picture.tobytes()).hexdigest() == sha256


def test_picasso_s_cat_is_still_picasso_s_cat():
    """Its shards are cut by sines, so the last bit may differ between processors."""
    picture = rendered("cat", "Picasso", seed=7)

    rows = picture.reshape(4, 16, 64, 3).mean((1, 2))

    known = [[62.1, 104.8, 169.4], [87.9, 107.3, 125.7], [90.8, 91.4, 96.5]]
    assert rows[:3] == pytest.approx(np.asarray(known), abs=1.0)


@pytest.mark.parametrize(("subject", "style"), [("unicorn", PLAIN), ("cat", "Dali")])
def test_what_the_world_does_not_have_cannot_be_drawn(subject, style):
    with pytest.raises(KeyError, match=r"unicorn|Dali"):
        rendered(subject, style, seed=0)
