"""Presets of the closed forms."""

from __future__ import annotations

from typing import Final

from unlearnlog.erasers.presets.preset import Preset, Presets, PresetSetting

_UCE_2023: Final = "rohitgandikota/unified-concept-editing@35e91e2"
_UCE_2025: Final = "rohitgandikota/unified-concept-editing@28c81ed"

_OF_UCE_2023: Final = (
    PresetSetting(
        "target", "anchor", "train_erase.py: guided_concepts is what one gives"
    ),
    PresetSetting(
        "texts", "names", "train_erase.py: old_texts are the concepts as given"
    ),
    PresetSetting(
        "span",
        "tail",
        "train_erase.py: both texts' tokens from attention_mask.sum() - 2 to the end, "
        "as many as the longer text leaves",
    ),
    PresetSetting(
        "weigh", "sums", "train_erase.py: for_mat1 and for_mat2 sum over tokens"
    ),
    PresetSetting("erase_scale", 1.0, "train_erase.py: erase_scale is 1 by default"),
    PresetSetting("ridge", 0.5, "train_erase.py: edit_model is called with lamb=0.5"),
)

_UCE: Final = {
    "official": Preset(
        "The program of 2023 with the concept's names, its anchor and the names of all "
        "that stays.",
        _UCE_2023,
        (
            *_OF_UCE_2023,
            PresetSetting(
                "keeps",
                "names and empty",
                "train_erase.py: retain_texts are '' and the preserve_concepts, all "
                "tokens of each",
            ),
            PresetSetting(
                "keep_scale",
                0.1,
                "train_erase.py: max(0.1, 1 / the number of retain_texts)",
            ),
        ),
    ),
    "official-nothing-kept": Preset(
        "The program of 2023 without preserve_concepts: it keeps the empty prompt.",
        _UCE_2023,
        (
            *_OF_UCE_2023,
            PresetSetting(
                "keeps", "empty", "train_erase.py: retain_texts begin with ''"
            ),
            PresetSetting(
                "keep_scale",
                1.0,
                "train_erase.py: max(0.1, 1 / the number of retain_texts), one here",
            ),
        ),
    ),
    "official-2025": Preset(
        "The program as it was written again in 2025: the last token of each name.",
        _UCE_2025,
        (
            PresetSetting(
                "target", "anchor", "uce_sd_erase.py: guide_concepts is what one gives"
            ),
            PresetSetting(
                "texts", "names", "uce_sd_erase.py: expand_prompts is false by default"
            ),
            PresetSetting("span", "last", "uce_sd_erase.py: attention_mask.sum() - 2"),
            PresetSetting(
                "weigh", "sums", "uce_sd_erase.py: mat1 and mat2 sum over concepts"
            ),
            PresetSetting(
                "keeps", "names", "uce_sd_erase.py: the last token of preserve_concepts"
            ),
            PresetSetting(
                "erase_scale", 1.0, "uce_sd_erase.py: erase_scale is 1 by default"
            ),
            PresetSetting(
                "keep_scale", 1.0, "uce_sd_erase.py: preserve_scale is 1 by default"
            ),
            PresetSetting("ridge", 0.5, "uce_sd_erase.py: lamb is 0.5 by default"),
        ),
    ),
}

_RECE_CODE: Final = "CharlesGong12/RECE@403a67f"

_OF_RECE: Final = (
    PresetSetting(
        "target", "anchor", "train_object.py: guided_concepts is what one gives"
    ),
    PresetSetting(
        "texts", "names", "train_object.py: old_texts are the concepts as given"
    ),
    PresetSetting("span", "whole", "erase_methods/uce.py: every token of both texts"),
    PresetSetting("weigh", "sums", "erase_methods/uce.py: sums over tokens"),
    PresetSetting(
        "begins", "uce", "train_object.py: target_ckpt is a model edited by UCE"
    ),
    PresetSetting("erase_scale", 1.0, "train_object.py: erase_scale is 1 by default"),
    PresetSetting(
        "keep_scale", 0.1, "train_object.py: preserve_scale is 0.1 by default"
    ),
    PresetSetting("ridge", 0.1, "train_object.py: lamb is 0.1 by default"),
    PresetSetting(
        "recall_ridge",
        1e-3,
        "train_object.py: regular_scale is 1e-3 by default; README.md: 1e-3 for styles "
        "and for objects that are hard for UCE",
    ),
    PresetSetting("rounds", 1, "train_object.py: epochs is 1 by default"),
)

_RECE: Final = {
    "official": Preset(
        "The program with the concept's names, its anchor and the names of all that "
        "stays.",
        _RECE_CODE,
        (
            *_OF_RECE,
            PresetSetting(
                "keeps",
                "names and empty",
                "train_object.py: retain_texts are '' and the preserve_concepts",
            ),
        ),
    ),
    "official-nothing-kept": Preset(
        "The program without preserve_concepts: it keeps the empty prompt.",
        _RECE_CODE,
        (
            *_OF_RECE,
            PresetSetting(
                "keeps", "empty", "train_object.py: retain_texts begin with ''"
            ),
        ),
    ),
}

_SPEED_CODE: Final = "Ouxiang-Li/SPEED@6d3df0c"
_MEANS: Final = (
    "Several concepts at once count by their mean there and by their sum here. The "
    "copies' noise and the centres' beginnings are random there."
)

_OF_SPEED: Final = (
    PresetSetting(
        "target", "anchor", "train_erase_null.py: anchor_concepts is required"
    ),
    PresetSetting("texts", "names", "train_erase_null.py: target_concepts as given"),
    PresetSetting("span", "last", "train_erase_null.py: the last subject token"),
    PresetSetting(
        "weigh", "shares", "train_erase_null.py: the mean over target_concepts"
    ),
    PresetSetting("touch", "values", "train_erase_null.py: params is V by default"),
    PresetSetting("copies", 10, "train_erase_null.py: aug_num is 10 by default"),
    PresetSetting("slack", 0.0, "train_erase_null.py: lamb is 0 by default"),
)

_SPEED: Final = {
    "official": Preset(
        "The program as for few concepts, with the filter.",
        _SPEED_CODE,
        (
            *_OF_SPEED,
            PresetSetting("keeps", "names", "train_erase_null.py: retain_path, a list"),
            PresetSetting(
                "threshold", 0.1, "train_erase_null.py: threshold is 1e-1 by default"
            ),
            PresetSetting("erase_scale", 1.0, "train_erase_null.py: retain_scale is 1"),
            PresetSetting(
                "filter", 1.0, "train_erase_null.py: above the mean, by default"
            ),
        ),
        _MEANS,
    ),
    "official-many": Preset(
        "The program as for many concepts, without the filter.",
        _SPEED_CODE,
        (
            *_OF_SPEED,
            PresetSetting("keeps", "names", "train_erase_null.py: retain_path, a list"),
            PresetSetting("threshold", 1e-4, "scripts/eval_multi.sh: V 10 1e-4"),
            PresetSetting(
                "erase_scale", 20.0, "scripts/eval_multi.sh: retain_scale 0.05"
            ),
            PresetSetting("filter", 0.0, "scripts/eval_multi.sh: disable_filter"),
        ),
        _MEANS,
    ),
    "official-nothing-kept": Preset(
        "The program without a list: it keeps the empty prompt.",
        _SPEED_CODE,
        (
            *_OF_SPEED,
            PresetSetting(
                "keeps", "empty", "train_erase_null.py: retain_texts are ['']"
            ),
            PresetSetting(
                "threshold", 0.1, "train_erase_null.py: threshold is 1e-1 by default"
            ),
            PresetSetting("erase_scale", 1.0, "train_erase_null.py: retain_scale is 1"),
            PresetSetting(
                "filter", 1.0, "train_erase_null.py: above the mean, by default"
            ),
        ),
        _MEANS,
    ),
}

_OCE: Final = {
    "official": Preset(
        "The program with the weights that its scripts have for styles and objects.",
        "HansSunY/OCE@2609f3e",
        (
            PresetSetting(
                "target", "anchor", "oce.py: guide_concepts is what one gives"
            ),
            PresetSetting("span", "last", "oce.py: attention_mask.sum() - 2"),
            PresetSetting(
                "touch", "values", "oce.py: modules whose name ends with to_v"
            ),
            PresetSetting(
                "keeps", "names", "oce.py: preserve_concepts, their last tokens"
            ),
            PresetSetting("distinct", 1e-9, "oce.py: all columns of torch.linalg.qr"),
            PresetSetting(
                "caption_scale", 10.0, "trainscripts: PRESERVE_GLOBAL_SCALE=10"
            ),
            PresetSetting("ridge", 10.0, "trainscripts: LAMB=10"),
            PresetSetting(
                "texts", "art", "trainscripts/style.sh: expand_prompts", "style"
            ),
            PresetSetting("erase_scale", 500.0, "trainscripts/style.sh: 500", "style"),
            PresetSetting("keep_scale", 1.0, "trainscripts/style.sh: 1", "style"),
            PresetSetting(
                "texts", "objects", "trainscripts/object.sh: expand_prompts", "subject"
            ),
            PresetSetting(
                "erase_scale", 2000.0, "trainscripts/object.sh: 2000", "subject"
            ),
            PresetSetting("keep_scale", 0.0, "trainscripts/object.sh: 0", "subject"),
        ),
        "Its caption moment is of 30,000 captions of COCO, here it is of kept prompts. "
        "Texts that say nearly the same add directions that rounding chooses, not the "
        "same ones there and here. A turn that is a reflection has its last column "
        "turned round there.",
    ),
}

_MACE: Final = {
    "official": Preset(
        "The refinement of the program, without the LoRA that it trains under masks.",
        "Shilin-LU/MACE@057e7a6",
        (
            PresetSetting(
                "target", "anchor", "configs: mapping_concept is what one gives"
            ),
            PresetSetting(
                "texts", "prompts", "src/dataset.py: 30 prompts that name it"
            ),
            PresetSetting(
                "span",
                "around",
                "src/cfr_utils.py: find_matching_indices, all words but the name and "
                "the padding",
            ),
            PresetSetting(
                "weigh", "sums", "src/cfr_utils.py: sums over tokens and prompts"
            ),
            PresetSetting(
                "erase_scale", 1.0, "src/cfr_utils.py: no weight on the sums"
            ),
            PresetSetting(
                "fuse", value=False, why="src/fuse_lora_close_form.py: no LoRA here"
            ),
            PresetSetting(
                "keeps", "prompts", "configs/art: caches of what is kept", "style"
            ),
            PresetSetting(
                "keep_scale",
                8.0,
                "configs/art: 1e-4 times preserve_weight 8e4",
                "style",
            ),
            PresetSetting("ridge", 1e-3, "configs/art: lamb is 0", "style"),
            PresetSetting("keeps", "nothing", "configs/object: no caches", "subject"),
            PresetSetting("ridge", 1000.0, "configs/object: lamb is 1e3", "subject"),
        ),
        "The LoRA is what erases the name itself; its prompts are other ones.",
    ),
}

_SCAPRE: Final = {
    "official": Preset(
        "The program for many concepts, with the settings it has for artists.",
        "kaiyuan02415/ScaPre@fb8bd1f",
        (
            PresetSetting("target", "anchor", "edit/erase_scale.py: guided_concepts"),
            PresetSetting("texts", "names", "edit/erase_scale.py: old_texts as given"),
            PresetSetting(
                "span", "tail", "edit/erase_scale.py: from the last subject token"
            ),
            PresetSetting("weigh", "sums", "edit/erase_scale.py: sums over tokens"),
            PresetSetting(
                "apart", value=True, why="edit/erase_scale.py: one vector a text"
            ),
            PresetSetting(
                "keeps", "nothing", "edit/erase_scale.py: retain_texts are unused"
            ),
            PresetSetting("erase_scale", 2.0, "script/erase.sh: erase_scale 2"),
            PresetSetting("ridge", 0.5, "edit/erase_scale.py: lamb=0.5"),
            PresetSetting("sharpness", 8.0, "script/erase.sh: p 8"),
            PresetSetting("shrink", 1.0, "script/erase.sh: enable_ased"),
            PresetSetting("n_samples", 30, "script/erase.sh: entropy_samples 30"),
            PresetSetting("n_bins", 20, "script/erase.sh: entropy_bins 20"),
            PresetSetting("n_near", 1, "script/erase.sh: bures_iters 1"),
        ),
        "Its noise is random. Its other program, edit/erase.py, is not what is here.",
    ),
}

CLOSED: Final[Presets] = {
    "uce": _UCE,
    "rece": _RECE,
    "speed": _SPEED,
    "oce": _OCE,
    "mace": _MACE,
    "scapre": _SCAPRE,
}
