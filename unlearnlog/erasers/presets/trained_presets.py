"""Presets of the methods that are trained."""

from __future__ import annotations

from typing import Final

from unlearnlog.erasers.presets.preset import Preset, Presets, PresetSetting

_ESD: Final = Preset(
    "The name alone, 200 steps away from what the base paints for it half-way.",
    "rohitgandikota/erasing@25613d2",
    (
        PresetSetting("prompts", "{}", "esd_sd.py: erase_concept is the whole prompt"),
        PresetSetting(
            "states", "sampled", "esd_sd.py: the pipeline runs to a random step"
        ),
        PresetSetting("sampler_steps", 50, "esd_sd.py: num_inference_steps is 50"),
        PresetSetting("sampler_guidance", 3.0, "esd_sd.py: guidance_scale is 3"),
        PresetSetting(
            "target", "unconditional", "esd_sd.py: null_embeds are of the prompt ''"
        ),
        PresetSetting("eta", 2.0, "esd_sd.py: negative_guidance is 2"),
        PresetSetting("batch", 1, "esd_sd.py: batchsize is 1"),
        PresetSetting("steps", 200, "esd_sd.py: iterations is 200"),
        PresetSetting("rate", 5e-5, "esd_sd.py: lr is 5e-5"),
        PresetSetting("project", False, "esd_sd.py: no gradient is projected"),
    ),
    "Its train_method is 'esd-x-strict', the one of four that moves keys and values "
    "alone. The program computes in bfloat16 and samples with the pipeline's own "
    "scheduler; this is float32 and DDIM.",
)

_SDD: Final = Preset(
    "The name alone, 1,500 steps towards what the model itself paints for no prompt.",
    "nannullna/safe-diffusion@a2e820c",
    (
        PresetSetting(
            "prompts", "{}", "train_sdd.py: removing_concepts are whole prompts"
        ),
        PresetSetting(
            "states", "sampled", "train_sdd.py: sample_until runs unet_teacher"
        ),
        PresetSetting("sampler_steps", 50, "train_sdd.py: num_ddim_steps is 50"),
        PresetSetting("sampler_guidance", 3.0, "train_sdd.py: guidance_scale is 3"),
        PresetSetting("target", "unconditional", "train_sdd.py: e_0 is of uncond_emb"),
        PresetSetting("batch", 1, "train_sdd.py: train_batch_size is 1"),
        PresetSetting("steps", 1500, "train_sdd.py: num_train_steps is 1500"),
        PresetSetting("rate", 1e-5, "train_sdd.py: learning_rate is 1e-5, constant"),
        PresetSetting("average", 0.999, "train_sdd.py: ema_decay is 0.999"),
        PresetSetting("clip", 1.0, "train_sdd.py: max_grad_norm is 1"),
        PresetSetting("project", False, "train_sdd.py: no gradient is projected"),
    ),
    "Its finetuning_method is 'xattn', which moves queries and outputs of these layers "
    "as well; its weight decay of 1e-4 is left out. Where it draws step 0 its sampler "
    "runs to the end, a slip that is not repeated.",
)

_CONCEPT_ABLATION: Final = Preset(
    "100 steps of 8 pictures of the anchor, without the loss that keeps it.",
    "nupurkmr9/concept-ablation@c11fb1b",
    (
        PresetSetting(
            "target", "anchor", "diffusers/train.py: the anchor's noise is the goal"
        ),
        PresetSetting(
            "n_pictures", 216, "compvis/README.md: train_size 200; 16 are held out"
        ),
        PresetSetting("batch", 8, "diffusers/README.md: train_batch_size 4 on 2 GPUs"),
        PresetSetting("steps", 100, "diffusers/README.md: max_train_steps 100"),
        PresetSetting(
            "rate", 1.6e-5, "diffusers/README.md: 2e-6 with scale_lr, times 4 and 2"
        ),
        PresetSetting(
            "prior", 0.0, "diffusers/train.py: with_prior_preservation is off"
        ),
        PresetSetting("clip", 1.0, "diffusers/train.py: max_grad_norm is 1"),
        PresetSetting("project", False, "diffusers/train.py: no gradient is projected"),
    ),
    "Prompts are the model's own captions, not 'PROMPT, in the style of NAME', and the "
    "anchor's pictures are painted as the model paints them (its guidance is 6). "
    "Pictures are neither mirrored nor scaled; the weight decay of .01 is left out.",
)

_FORGET_ME_NOT: Final = Preset(
    "35 steps of one picture each, on one prompt.",
    "SHI-Labs/Forget-Me-Not@a4a81e8",
    (
        PresetSetting(
            "prompts",
            "a photo in the style of {}",
            "src/train_attn.py: instance_prompt of the type style",
            "style",
        ),
        PresetSetting(
            "prompts",
            "a photo of {}",
            "src/train_attn.py: instance_prompt of the type object",
            "subject",
        ),
        PresetSetting(
            "marks", "name to padding", "configs/attn.yaml: use_pooler is true"
        ),
        PresetSetting("project", False, "src/train_attn.py: no gradient is projected"),
        PresetSetting("batch", 1, "configs/attn.yaml: train_batch_size is 1"),
        PresetSetting("steps", 35, "configs/attn.yaml: max_train_steps is 35"),
        PresetSetting("rate", 2e-6, "configs/attn.yaml: learning_rate is 2e-6"),
        PresetSetting("clip", 1.0, "configs/attn.yaml: max_grad_norm is 1"),
    ),
    "It moves the whole UNet (only_optimize_ca is false) and marks four tokens that it "
    "has learnt from photographs before (use_ti is true); this moves keys and values "
    "and marks the name, its other branch. The weight decay of .01 is left out.",
)

_SALUN: Final = Preset(
    "500 steps of 8 and 8 pictures towards another class, under a mask.",
    "OPTML-Group/Unlearn-Saliency@a6e89fd",
    (
        PresetSetting(
            "prompts", "bare", "SD/train-scripts/dataset.py: 'an image of a LABEL'"
        ),
        PresetSetting(
            "target", "sibling", "SD/train-scripts/random_label.py: the next class"
        ),
        PresetSetting("n_pictures", 816, "SD/README.md: 800 pictures; 16 are held out"),
        PresetSetting("n_kept", 800, "SD/README.md: 800 pictures"),
        PresetSetting("batch", 8, "SD/train-scripts/random_label.py: batch_size is 8"),
        PresetSetting("steps", 500, "SD/README.md: epochs 5, of 100 batches"),
        PresetSetting("rate", 1e-5, "SD/README.md: lr 1e-5"),
        PresetSetting("alpha", 0.5, "SD/README.md: alpha 0.5"),
        PresetSetting("salient", 0.5, "SD/README.md: mask_path with_0.5.pt"),
        PresetSetting(
            "guidance", 7.5, "SD/train-scripts/generate_mask.py: c_guidance is 7.5"
        ),
    ),
    "It moves the whole UNet (train_method full) and puts its mask on all of it; this "
    "moves keys and values. Its pictures of classes are photographs.",
)

_DYNAMIC_MASK: Final = Preset(
    "500 steps of two pictures each, the first 50 for the mask.",
    "coulsonlee/Sculpting-Memory-ICCV-2025@e139012",
    (
        PresetSetting("prompts", "bare", "preprocess.py: 'a photo of CLASS'"),
        PresetSetting("target", "parent", "preprocess.py: superclass_mapping"),
        PresetSetting("n_pictures", 116, "preprocess.py: 100 a class; 16 are held out"),
        PresetSetting("n_kept", 100, "preprocess.py: 100 a superclass"),
        PresetSetting("batch", 2, "multi_configs: batch_size 2"),
        PresetSetting("warm_up", 50, "multi_configs: warmup_steps 50"),
        PresetSetting(
            "steps", 450, "multi_configs: num_epochs 10, of 50 batches, less those"
        ),
        PresetSetting("every", 100, "multi_configs: mask_update_interval 100"),
        PresetSetting("share", 0.5, "multi_configs: update_percent_dict, 0.5 each"),
        PresetSetting("turnover", 0.2, "multi_configs: initial_turnover_fraction 0.2"),
        PresetSetting(
            "until", 0.8, "multi_dst_train.py: epoch < int(num_epochs * 0.8)"
        ),
        PresetSetting("rate", 3e-6, "multi_configs: lr 3e-6"),
        PresetSetting("keep", 0.25, "multi_configs: scale 0.25"),
        PresetSetting("distil", 0.0, "multi_dst_train.py: align_loss is written over"),
    ),
    "It moves queries and outputs of these layers as well; its rate rises and "
    "falls once (OneCycleLR), and it takes the epoch with the lowest loss.",
)

_RESTRICTED_GRADIENT: Final = Preset(
    "100 steps of 8 pictures of the concept and 8 of the same prompts without it.",
    "reds-lab/Restricted_gradient_diversity_unlearning@0075ecb",
    (
        PresetSetting("forget", "ascent", "SD/train-scripts/nsfw_RGD.py: -param.grad"),
        PresetSetting(
            "stays", "target", "SD/data/y_train.json: y_c_train.json without it"
        ),
        PresetSetting(
            "target", "context", "SD/data/y_train.json: the word is left out"
        ),
        PresetSetting(
            "n_pictures", 816, "SD/data/y_c_train.json: 800; 16 are held out"
        ),
        PresetSetting("n_kept", 800, "SD/data/y_train.json: 800"),
        PresetSetting("batch", 8, "SD/train-scripts/nsfw_RGD.py: batch_size is 8"),
        PresetSetting("steps", 100, "SD/train-scripts/nsfw_RGD.py: 1 epoch"),
        PresetSetting("rate", 1e-5, "SD/train-scripts/nsfw_RGD.py: lr is 1e-5"),
        PresetSetting("alpha", 1.6, "SD/run-surgery.sh: ALPHA=1.6"),
        PresetSetting("limit", 1.1, "SD/run-surgery.sh: M=1.1"),
        PresetSetting("strength", 1.0, "SD/train-scripts/nsfw_RGD.py: used as trained"),
    ),
    "It moves the whole UNet (train_method full); this moves keys and values.",
)

TRAINED: Final[Presets] = {
    "esd": {"official": _ESD},
    "sdd": {"official": _SDD},
    "concept-ablation": {"official": _CONCEPT_ABLATION},
    "forget-me-not": {"official": _FORGET_ME_NOT},
    "salun": {"official": _SALUN},
    "dynamic-mask": {"official": _DYNAMIC_MASK},
    "restricted-gradient": {"official": _RESTRICTED_GRADIENT},
}
