"""An erasure from Python: erase a style, print its readings, and take it back.

It needs no download: the ledger is made for the bundled model, in a new folder.
"""

from diffusers import StableDiffusionPipeline

from unlearnlog import Ledger

ledger = Ledger.init("picasso")
done = ledger.add("Picasso", policy="fast")
for reading in done.entry.readings[:3]:
    print(f"{reading.probe} of {reading.concept}: {reading.value:.3f}, n {reading.n}")

ledger.checkout("HEAD", "without-picasso")  # a plain diffusers folder
pipeline = StableDiffusionPipeline.from_pretrained("without-picasso")
ledger.revert("HEAD", policy=None)  # the bits of never having erased him
ledger.apply(pipeline, "HEAD")  # into a pipeline that is loaded already
picture = pipeline("a painting of a cat by Picasso", num_inference_steps=10).images[0]
picture.save("picasso-is-back.png")
