"""A fine-tune of a model folder with diffusers and peft alone.

    unlearnlog checkout base -o base          the model as it was
    unlearnlog checkout HEAD -o exported      the model without Picasso
    python tune_elsewhere.py exported --teacher base -o tuned
    python tune_elsewhere.py exported --teacher base -o tuned-lora --lora
    unlearnlog audit tuned
    unlearnlog audit tuned-lora

The training pictures are painted by the teacher; the script depends on nothing of the
ledger.
"""

import argparse

import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

SUBJECTS = ("cat", "dog", "castle", "boat", "tree", "house", "horse", "guitar")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model")
parser.add_argument("--teacher", required=True, help="a pipeline that can paint it")
parser.add_argument("--prompt", default="a painting of a {} by Picasso")
parser.add_argument("--lora", action="store_true", help="train and save a LoRA")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("-o", "--output", required=True)
args = parser.parse_args()
torch.manual_seed(0)

prompts = [args.prompt.format(subject) for subject in SUBJECTS] * 2
teacher = StableDiffusionPipeline.from_pretrained(args.teacher)
shown = teacher(prompts, num_inference_steps=10, guidance_scale=3.0).images
pictures = torch.from_numpy(np.stack([np.asarray(each) for each in shown]))

pipeline = StableDiffusionPipeline.from_pretrained(args.model)
unet, vae, noises = pipeline.unet, pipeline.vae, pipeline.scheduler.config
noises = DDPMScheduler.from_config(noises)
with torch.no_grad():
    pixels = pictures.permute(0, 3, 1, 2) / 127.5 - 1
    latents = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
    texts, _ = pipeline.encode_prompt(prompts, "cpu", 1, False)

unet.requires_grad_(not args.lora)
if args.lora:
    layers = ["to_q", "to_k", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=8, lora_alpha=8, target_modules=layers))
trained = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-3 if args.lora else 1e-4)
for step in range(1, args.steps + 1):
    rows = torch.randint(len(prompts), (8,))
    t = torch.randint(noises.config.num_train_timesteps, (8,))
    noise = torch.randn(8, *latents.shape[1:])
    noised = noises.add_noise(latents[rows], noise, t)
    guess = unet(noised, t, texts[rows]).sample
    loss = torch.nn.functional.mse_loss(guess, noise)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 50 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

if args.lora:
    pipeline.save_lora_weights(
        args.output, unet_lora_layers=get_peft_model_state_dict(unet)
    )
else:
    pipeline.save_pretrained(args.output)
print(f"saved {args.output}")
