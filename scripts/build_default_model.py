"""Convert the generator of the package `random-face` into the one file that stitchedit ships.

    pip download --no-deps random-face==2021.7.21.1
    python scripts/build_default_model.py random_face-2021.7.21.1-py3-none-any.whl OUT.safetensors

Takes the wheel or a folder with its four files. Reads the OpenVINO IR (XML + flat binary) without OpenVINO.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.generator import save_generator

# sha256 of the four files in the wheel of 2021.7.21.1. They are checked before anything of them is parsed, so no
# other XML than this one reaches the parser.
FILES = {
    "MappingNetwork.xml": "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
    "MappingNetwork.bin": "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
    "SynthesisNetwork.xml": "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
    "SynthesisNetwork.bin": "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
}
LICENCE = "Apache-2.0 (random-face 2021.7.21.1); distilled from StyleGAN2-FFHQ, whose terms are non-commercial"
W_AVG_SAMPLES, W_AVG_SEED = 10_000, 0

Constant = tuple[str, NDArray[np.float32]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the wheel, or a folder that holds its four files")
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", action="store_true", help="store float32, not half floats")
    args = parser.parse_args()
    generator = convert(read_files(args.source))
    save_generator(generator, args.out, licence=LICENCE, half=not args.full)
    print(f"{args.out}: {args.out.stat().st_size} bytes, sha256 {hashlib.sha256(args.out.read_bytes()).hexdigest()}")


def read_files(source: Path) -> dict[str, bytes]:
    """The four files by name, each checked against its sha256."""
    if source.is_dir():
        found = {name: next(source.rglob(name)).read_bytes() for name in FILES}
    else:
        with zipfile.ZipFile(source) as wheel:
            found = {name: wheel.read(f"random_face/data/{name}") for name in FILES}
    for name, data in found.items():
        if hashlib.sha256(data).hexdigest() != FILES[name]:
            sys.exit(f"{source}: {name} is not the file of random-face 2021.7.21.1")
    return found


def convert(files: dict[str, bytes]) -> MobileStyleGAN:
    """The generator with float32 weights and its full-size exit only (scripts/distill_exits.py makes the others)."""
    generator = MobileStyleGAN(heads={1024: "styled"})
    state = {"w_avg": generator.w_avg}
    state |= {f"mapping_network.{key}": value for key, value in mapping_state(files).items()}
    state |= {f"synthesis_network.{key}": value for key, value in synthesis_state(files).items()}
    generator.load_state_dict(state)
    random = torch.Generator().manual_seed(W_AVG_SEED)
    with torch.no_grad():
        z = torch.randn(W_AVG_SAMPLES, generator.z_dim, generator=random)
        generator.w_avg.copy_(generator.mapping(z)[:, 0].double().mean(dim=0))
    return generator


def constants(xml: bytes, binary: bytes) -> list[Constant]:
    """(name, values) of every float32 constant of an IR file, in the file's order."""
    result: list[Constant] = []
    for layer in ElementTree.fromstring(xml).iter("layer"):
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            continue
        shape = [int(size) for size in data.get("shape", "").split(",") if size.strip()]
        start, size = int(data.get("offset", "-1")), int(data.get("size", "-1"))
        if start < 0 or size != 4 * int(np.prod(shape)) or start + size > len(binary):
            sys.exit(f"constant {layer.get('name')} lies outside of the binary file")
        values = np.frombuffer(binary, "<f4", size // 4, start).reshape(shape)
        result.append((layer.get("name", ""), values))
    return result


def mapping_state(files: dict[str, bytes]) -> dict[str, Tensor]:
    """The eight linear layers: weights and biases come in turn, in the order of execution."""
    found = [v for _, v in constants(files["MappingNetwork.xml"], files["MappingNetwork.bin"]) if v.size >= 512]
    names = [f"layers.{index}.{kind}" for index in range(8) for kind in ("weight", "bias")]
    return {name: torch.tensor(values) for name, values in zip(names, found, strict=True)}


def synthesis_state(files: dict[str, bytes]) -> dict[str, Tensor]:
    """Named constants are renamed; folded weights and noise have no name and come in the order of execution."""
    named: dict[str, Tensor] = {}
    folded: list[Tensor] = []  # first convolution, then the pointwise ones
    noises: list[Tensor] = []
    for name, values in constants(files["SynthesisNetwork.xml"], files["SynthesisNetwork.bin"]):
        tensor = torch.tensor(values)
        if name.startswith("m."):
            named[name.removeprefix("m.")] = tensor
        elif re.fullmatch(r"Mul_\d+_copy", name):
            folded.append(tensor)
        elif tensor.ndim == 4 and tensor.shape[:2] == (1, 1) and tensor.numel() > 1:
            noises.append(tensor)

    state = {"const": named.pop("input.input"), "first.weight": folded.pop(0), "first.noise": noises.pop(0)}
    for block in range(7):
        for conv in ("conv1", "conv2"):
            state[f"blocks.{block}.{conv}.pointwise"] = folded.pop(0)
            state[f"blocks.{block}.{conv}.noise"] = noises.pop(0)
    assert not folded
    assert not noises
    for name, tensor in named.items():
        state[our_name(name)] = tensor.flatten() if name.endswith("bias") else tensor
    for name in [name for name in state if name.endswith("depthwise")]:
        state[name] = state[name].squeeze(1)  # [C, 1, 1, 3, 3] in the file
    for name in [name for name in state if feeds_wavelet(name)]:
        state[name] = bands_together(state[name])
    return state


def feeds_wavelet(name: str) -> bool:
    """Whether the first axis of this tensor counts channels that go into an inverse wavelet."""
    if name.startswith("first."):
        return name in ("first.weight", "first.bias")
    if name.startswith("blocks.6.conv"):
        return False  # its features go into the head
    return bool(re.search(r"up\.affine\.|conv2\.(pointwise|bias)$|^heads\.1024\.(weight|bias)$", name))


def bands_together(tensor: Tensor) -> Tensor:
    """Low band, then for each channel its three high bands, as in the file -> the four bands one after the other."""
    low, high = tensor.split([len(tensor) // 4, 3 * len(tensor) // 4])
    return torch.cat((low, high.unflatten(0, (-1, 3)).transpose(0, 1).flatten(0, 1)))


def our_name(name: str) -> str:
    """The key in our state dict of a named constant."""
    for pattern, ours in (
        (r"^layers\.6\.to_img\.", "heads.1024."),
        (r"^layers\.", "blocks."),
        (r"^conv1\.", "first."),
        (r"(\.conv)?\.modulation\.", ".affine."),
        (r"\.conv\.weight_dw$", ".depthwise"),
        (r"\.conv\.weight$", ".weight"),
    ):
        name = re.sub(pattern, ours, name)
    return name


if __name__ == "__main__":
    main()
