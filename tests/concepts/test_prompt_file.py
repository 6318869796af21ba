"""Files of prompts as other programs write them, each built here from nothing.

The columns are those of public repositories, read on 2026-11-30: rohitgandikota/erasing
and unified-concept-editing, ml-research/i2p, Shilin-LU/MACE, chiayi-hsu/Ring-A-Bell,
CharlesGong12/RECE, OPTML-Group/Diffusion-MU-Attack, joycenerd/P4D, ml-postech/HUB.
"""

from __future__ import annotations

import json

import pytest

from unlearnlog.concepts.prompt_file import PromptFile, PromptLine
from unlearnlog.errors import PromptError

I2P = (
    "prompt,categories,hard,inappropriate_percentage,nudity_percentage,q16_percentage,"
    "sd_safety_percentage,prompt_toxicity,lexica_url,{}"
)
LATER = (
    "evaluation_seed,evaluation_guidance,sd_image_width,sd_image_height,sd_model,"
    "case_number"
)
FIRST = "sd_seed,sd_guidance_scale,sd_image_width,sd_image_height,sd_model"


@pytest.fixture
def read(tmp_path):
    def write(text, name="some.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return PromptFile.read(path)

    return write


def first(file):
    row = file.rows[0]
    return row.prompt, row.seed, row.guidance, row.concept, row.group, row.case


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "," + I2P.format(LATER),
            '0,"a, b",hate,1,2,3,4,5,6,u,2219444434,7.5,512,512,m,9',
            ("a, b", 2219444434, 7.5, "", "hate", "9"),
        ),
        (
            "Unnamed: 0," + I2P.format(LATER),
            "0,a b,hate,1,2,3,4,5,6,u,2219444434.0,7,512,512,m,9",
            ("a b", 2219444434, 7, "", "hate", "9"),
        ),
        (
            I2P.format(FIRST),
            'a b,"sexual, hate",1,2,3,4,5,6,u,11,8,512,512,m',
            ("a b", 11, 8, "", "sexual, hate", ""),
        ),
        (
            ",case_number,prompt,evaluation_seed,artist",
            "0,7,a boat,3,Kelly",
            ("a boat", 3, None, "Kelly", "", "7"),
        ),
        (
            "case_number,data,prompt,artist,evaluation_seed",
            "7,x,a boat,Kelly,3",
            ("a boat", 3, None, "Kelly", "", "7"),
        ),
        (
            ",case_number,evaluation_seed,prompt,label_idx,label_str",
            "0,7,3,a tench,0,tench",
            ("a tench", 3, None, "tench", "", "7"),
        ),
        (
            "case_number,prompt,class,evaluation_seed",
            "7,a tench,tench,3",
            ("a tench", 3, None, "tench", "", "7"),
        ),
        (
            ",case_number,prompt,evaluation_seed,classes,evaluation_guidance",
            "0,7,a tench,3,tench,7.5",
            ("a tench", 3, 7.5, "tench", "", "7"),
        ),
        (
            "image_id,source,prompt,evaluation_seed",
            "139,coco,a room,3",
            ("a room", 3, None, "", "", "139"),
        ),
        (
            "case_number,source,prompt,evaluation_seed,coco_id",
            "7,coco,a room,3,139",
            ("a room", 3, None, "", "", "7"),
        ),
        (
            ",type,artist,prompt,evaluation_seed",
            "0,erased,Kelly,a boat,3",
            ("a boat", 3, None, "Kelly", "erased", ""),
        ),
        (
            "prompt,case_number,evaluation_seed,prompt1",
            "a boat,7,3,a b",
            ("a boat", 3, None, "", "", "7"),
        ),
        ("sensitive prompt,normal prompt", "a b,a", ("a b", 0, None, "", "", "")),
        (
            "case_number,prompt,evaluation_seed,evaluation_guidance",
            "7,a boat,3,7.5",
            ("a boat", 3, 7.5, "", "", "7"),
        ),
        ("image_id,text", "139,A room.", ("A room.", 0, None, "", "", "139")),
        (
            "Original,Spanish,French,German,Italian,Portuguese,Index",
            "a boat,b,c,d,e,f,4",
            ("a boat", 0, None, "", "", "4"),
        ),
        ("noun,similarity", "violin,0.7", ("a photo of violin", 0, None, "", "", "")),
    ],
)
def test_the_columns_of_the_field_are_understood(read, header, row, expected):
    assert first(read(f"{header}\n{row}\n")) == expected


def test_hubs_files_of_lines_have_no_header_whatever_they_are_called(read):
    file = read("A bull, its body broken into shapes, in a city.\nA cat\n")

    assert [row.prompt for row in file.rows] == [
        "A bull, its body broken into shapes, in a city.",
        "A cat",
    ]


def test_hubs_lists_are_read(read):
    data = [{"prompt": "a boat", "nouns": ["boat"], "index": 18}, {"prompt": "a cat"}]

    file = read(json.dumps(data), "Picasso.json")

    assert [(row.prompt, row.case) for row in file.rows] == [
        ("a boat", "18"),
        ("a cat", ""),
    ]
    assert file.unused == ("nouns",)


def test_json_lines_and_plain_lines_are_read(read):
    lines = read('{"text": "a"}\n\n{"text": ""}\n', "some.jsonl")
    plain = read("prompt\na cat\n", "some.txt")

    assert [row.prompt for row in lines.rows] == ["a"]
    assert lines.empty == 1
    assert [row.prompt for row in plain.rows] == ["prompt", "a cat"]


def test_without_seeds_repetitions_count_up(read):
    rows = read("prompt\na\nb\na\na\n").rows

    assert [(row.prompt, row.seed) for row in rows] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("a", 2),
    ]


def test_what_is_not_used_and_what_is_empty_is_told(read):
    file = read(",prompt,hard\n0,a,1\n1,,0\n")

    assert file.used == {"prompt": "prompt"}
    assert file.unused == ("hard",)
    assert file.empty == 1


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("case_number,nudity,people\n1,a,b\n", "a.csv", "only: case_number, nudity"),
        ("words\na\n", "a.csv", "understood are prompt: prompt, sensitive prompt"),
        ("prompt\n", "a.csv", "has no prompt"),
        ("prompt,seed\na,x1\n", "a.csv", "row 2 of .* has the seed 'x1'"),
        ("prompt,seed\na,-1\n", "a.csv", "has the seed '-1'"),
        ("prompt,seed\na,1.5\n", "a.csv", "has the seed '1.5'"),
        ("prompt,guidance\na,nan\n", "a.csv", "has the guidance 'nan'"),
        ("prompt,guidance\na,900\n", "a.csv", "has the guidance '900'"),
        ('{"cat": ["kitty"]}', "a.json", "holds no list of prompts"),
        ("[3]", "a.json", "number 1 of its list is neither"),
        ("[", "a.json", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_with_what_is_understood(
    read, text, name, said
):
    with pytest.raises(PromptError, match=f"(?s){said}"):
        read(text, name)


def test_a_draw_is_spread_over_the_file(read):
    file = read("prompt\n" + "\n".join(f"p{i}" for i in range(10)))

    assert [row.prompt for row in file.drawn(3).rows] == ["p0", "p3", "p6"]
    assert file.drawn(0) is file
    assert file.rows[0] == PromptLine(2, "p0")
