"""Folders of pictures with captions, as trainers and strangers make them."""

import io
import json
import random
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes import LinearModel
from unlearnlog.audits.image_folder import read_folder
from unlearnlog.errors import UsageError


class Reader(LinearModel):
    """Reads captions of up to six words, and pictures of 4 x 6."""

    def __init__(self):
        super().__init__()
        self.picture_shape = (4, 6, 3)


@pytest.fixture
def model():
    return Reader()


def save(path, colour=(10, 20, 30), size=(6, 4), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def listed(folder, *rows):
    lines = "\n".join(json.dumps(row) for row in rows)
    (folder / "metadata.jsonl").write_text(lines)


def test_metadata_as_lines_of_json_names_pictures_and_captions(tmp_path, model):
    save(tmp_path / "b.png", (1, 2, 3))
    save(tmp_path / "sub" / "a.webp", (200, 0, 0), lossless=True)
    listed(
        tmp_path,
        {"file_name": "sub/a.webp", "text": " a cat "},
        {"file_name": "b.png", "caption": "a dog"},
    )

    found = read_folder(tmp_path, model)

    assert found.captions == ("a dog", "a cat")
    assert found.pictures.dtype == torch.uint8
    assert found.pictures.shape == (2, 4, 6, 3)
    assert found.pictures[:, 0, 0].tolist() == [[1, 2, 3], [200, 0, 0]]


def test_metadata_as_a_table_is_read_as_well(tmp_path, model):
    save(tmp_path / "1.png")
    (tmp_path / "metadata.csv").write_text('file_name,text\n1.png,"a cat, sitting"\n')

    assert read_folder(tmp_path, model).captions == ("a cat, sitting",)


def test_the_training_part_of_a_data_set_is_read(tmp_path, model):
    save(tmp_path / "train" / "1.png")
    save(tmp_path / "test" / "1.png")
    listed(tmp_path / "train", {"file_name": "1.png", "text": "a cat"})

    assert read_folder(tmp_path, model).captions == ("a cat",)


def test_without_metadata_a_text_file_beside_each_picture_is_its_caption(
    tmp_path, model
):
    save(tmp_path / "1.png")
    save(tmp_path / "2.JPG")
    (tmp_path / "1.txt").write_text("a cat\nby Picasso\n")
    (tmp_path / "2.txt").write_text("a dog")
    (tmp_path / "notes.md").write_text("no picture")

    assert read_folder(tmp_path, model).captions == ("a cat by Picasso", "a dog")


def test_a_picture_is_turned_upright_scaled_and_cut_at_its_middle(tmp_path, model):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 60:90] = 255  # of 120 columns, 4 x 6 keeps 30 to 90
    wide[:, 90:] = 128
    image = Image.fromarray(wide)
    image.save(tmp_path / "wide.png")
    turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    for name in ("wide", "turned"):
        (tmp_path / f"{name}.txt").write_text("a bar")

    found = read_folder(tmp_path, model)

    columns = found.pictures.float().mean((1, 3))
    assert (columns[:, :2] < 20).all()
    assert (columns[:, 4:] > 235).all()


def test_transparent_and_grey_pictures_have_three_colours(tmp_path, model):
    Image.new("LA", (6, 4), (9, 0)).save(tmp_path / "1.png")
    (tmp_path / "1.txt").write_text("a cat")

    assert read_folder(tmp_path, model).pictures.shape == (1, 4, 6, 3)


def test_a_caption_that_is_longer_than_the_model_reads_is_cut_and_counted(
    tmp_path, model
):
    save(tmp_path / "1.png")
    save(tmp_path / "2.png")
    long = {"file_name": "1.png", "text": "a cat that sits on a mat"}
    listed(tmp_path, long, {"file_name": "2.png", "text": "a dog"})

    found = read_folder(tmp_path, model)

    assert found.captions == ("a cat that sits on a", "a dog")
    assert found.n_cut == 1


def test_what_is_learned_has_a_digest_of_pictures_and_captions(tmp_path, model):
    save(tmp_path / "1.png")
    listed(tmp_path, {"file_name": "1.png", "text": "a cat"})
    first = read_folder(tmp_path, model).digest

    listed(tmp_path, {"file_name": "1.png", "text": "a dog"})
    second = read_folder(tmp_path, model).digest
    save(tmp_path / "1.png", (0, 0, 0))

    assert len({first, second, read_folder(tmp_path, model).digest}) == 3


def picture(folder):
    save(folder / "1.png")
    return folder


FAULTS = {
    "there is no folder": lambda f: f / "nowhere",
    "there are no pictures": lambda f: f,
    "'{}/1.png' has no caption": picture,
    "line 1 of '{}/metadata.jsonl' is not a JSON object": lambda f: (
        (picture(f) / "metadata.jsonl").write_text("[1]") and f
    ),
    "line 2 of '{}/metadata.jsonl' is not a JSON object": lambda f: (
        (picture(f) / "metadata.jsonl").write_text("\n{") and f
    ),
    "line 1 of '{}/metadata.jsonl' names no picture": lambda f: (
        listed(f, {"text": "a cat"}) or f
    ),
    "has no caption for '1.png'": lambda f: listed(f, {"file_name": "1.png"}) or f,
    "'{}/metadata.jsonl' cannot be read": lambda f: (
        (f / "metadata.jsonl").write_bytes(b"\xff\xfe") and f
    ),
    "names '../1.png', which is outside": lambda f: (
        listed(f, {"file_name": "../1.png", "text": "a cat"}) or f
    ),
    "names '/1.png', which is outside": lambda f: (
        listed(f, {"file_name": "/1.png", "text": "a cat"}) or f
    ),
    "names './', which is outside": lambda f: (
        listed(f, {"file_name": "./", "text": "a cat"}) or f
    ),
    "'{}/1.png' has two captions: 'a cat' and 'a dog'": lambda f: (
        listed(
            picture(f),
            {"file_name": "1.png", "text": "a dog"},
            {"file_name": "1.png", "text": "a cat"},
        )
        or f
    ),
    "xx' cannot be read": lambda f: (
        listed(f, {"file_name": "x" * 300, "text": "a cat"}) or f
    ),
    "names 'C:\\1.png', which is outside": lambda f: (
        listed(f, {"file_name": "C:\\1.png", "text": "a cat"}) or f
    ),
    "the picture '{}/2.png' cannot be read": lambda f: (
        listed(picture(f), {"file_name": "2.png", "text": "a cat"}) or f
    ),
    "'{}/1.gif' is no picture": lambda f: (
        listed(f, {"file_name": "1.gif", "text": "a cat"}) or f
    ),
}


@pytest.mark.parametrize("said", FAULTS)
def test_every_fault_names_the_file(tmp_path, model, said):
    folder = FAULTS[said](tmp_path)

    with pytest.raises(UsageError) as refusal:
        read_folder(folder, model)

    assert said.format(tmp_path) in refusal.value.message
    assert refusal.value.fix


def test_a_broken_picture_is_no_picture(tmp_path, model):
    whole = tmp_path / "whole.png"
    save(whole, size=(64, 64))
    (tmp_path / "1.png").write_bytes(whole.read_bytes()[:80])
    whole.unlink()
    (tmp_path / "1.txt").write_text("a cat")

    with pytest.raises(UsageError, match="cannot be read"):
        read_folder(tmp_path, model)


def test_a_picture_that_would_fill_the_memory_is_not_opened(
    tmp_path, model, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    save(tmp_path / "1.png", size=(12, 12))
    (tmp_path / "1.txt").write_text("a cat")

    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as outside of tests
        with pytest.raises(UsageError, match="cannot be read"):
            read_folder(tmp_path, model)


def test_the_folder_itself_may_be_a_link(tmp_path, model):
    save(tmp_path / "data" / "1.png")
    (tmp_path / "data" / "1.txt").write_text("of the file")
    listed(tmp_path / "data", {"file_name": "1.png", "text": "of the list"})
    (tmp_path / "link").symlink_to(tmp_path / "data")

    found = read_folder(tmp_path / "link", model)

    assert found.captions == ("of the list",)
    assert found.name == str(tmp_path / "link")


def test_a_caption_may_hold_what_unicode_calls_a_new_line(tmp_path, model):
    save(tmp_path / "1.png")
    row = {"file_name": "1.png", "text": "a cat\u2028by Picasso"}
    line = json.dumps(row, ensure_ascii=False)
    (tmp_path / "metadata.jsonl").write_text(f"{line}\r\n", encoding="utf-8")

    assert read_folder(tmp_path, model).captions == ("a cat\u2028by Picasso",)


@pytest.mark.parametrize("name", ["1.png", "1.txt", "metadata.jsonl", "sub"])
def test_no_link_is_followed(tmp_path, model, name):
    outside, folder = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    save(folder / "1.png")
    (folder / "1.txt").write_text("a cat")
    save(outside / "sub" / "1.png")
    (outside / "sub" / "1.txt").write_text("a secret")
    save(outside / "1.png")
    (outside / "1.txt").write_text("a secret")
    listed(outside, {"file_name": "1.png", "text": "a cat"})
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside / name)

    with pytest.raises(UsageError, match="is a link"):
        read_folder(folder, model)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"


def of_form(form):
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    "form", ["EPS", "BMP", "GIF", "TIFF", "PPM", "ICO", "PDF", "PCX", "TGA", "SGI"]
)
def test_only_three_forms_are_read_whatever_a_file_is_called(tmp_path, model, form):
    """Pillow told the form by the content: of an EPS it started Ghostscript."""
    data = EPS if form == "EPS" else of_form(form)
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "a.txt").write_text("a cat")

    with pytest.raises(UsageError, match=r"a\.png' cannot be read"):
        read_folder(tmp_path, model)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_each_of_the_three_is_read_under_the_name_of_another(tmp_path, model, form):
    (tmp_path / "a.png").write_bytes(of_form(form))
    (tmp_path / "a.txt").write_text("a cat")

    assert len(read_folder(tmp_path, model).pictures) == 1


def test_a_picture_is_refused_by_its_head_before_its_pixels_are_read(tmp_path, model):
    """A PNG of 57 bytes may say that it has four thousand million pixels."""
    whole = bytearray(of_form("PNG"))
    whole[16:24] = struct.pack(">II", 8193, 8193)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    (tmp_path / "a.png").write_bytes(whole)
    (tmp_path / "a.txt").write_text("a cat")

    with pytest.raises(UsageError, match="8193 x 8193 pixels"):
        read_folder(tmp_path, model)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_with_bytes_changed_is_read_or_refused(tmp_path, model, form):
    whole, rng = of_form(form), random.Random(0)
    (tmp_path / "a.txt").write_text("a cat")

    for _ in range(60):
        data = bytearray(whole)
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "a.png").write_bytes(data[: rng.randrange(8, len(data) + 1)])

        with suppress(UsageError), warnings.catch_warnings(action="ignore"):
            read_folder(tmp_path, model)
