"""Files that are met where a StyleGAN2 checkpoint was expected: each gets a line that says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from stitchedit.errors import Refused

# First bytes -> what such a file is
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", "it is a numpy array; an edit direction goes to --direction"),
    (b"<!DOCTYPE", "it is a web page: the download has failed"),
    (b"<!doctype", "it is a web page: the download has failed"),
    (b"<html", "it is a web page: the download has failed"),
    (b"version https://git-lfs", "it is a pointer of Git LFS, not the file itself"),
    (b"BZh", "it is packed with bzip2: unpack it first"),
    (b"\x1f\x8b", "it is packed with gzip: unpack it first"),
    (b"\xfd7zXZ", "it is packed with xz: unpack it first"),
    (b"7z\xbc\xaf", "it is packed with 7-Zip: unpack it first"),
    (b"Rar!", "it is a RAR archive: unpack it first"),
    (b"PK", "it is a damaged or empty zip archive"),
)

# A name, or its beginning, among tensors and keys -> what such a file is
_NAMES: tuple[tuple[str, str], ...] = (
    ("cp.resnet.", "it is the face parser BiSeNet, which stitchedit does not need: its masks come from a face mesh"),
    ("hypernet.", "it is a HyperStyle network, which is not known here"),
    ("inverter.", "it is an encoder of StyleFeatureEditor, which is not known here"),
    ("editing_w", "it is a StyleGANEX model, of which --direction takes the edit alone"),
    ("mapper.", "it is a StyleCLIP mapper, an edit: give it to --direction"),
)


def refuse_start(head: bytes) -> NoReturn:
    """Raises Refused: the file begins like no checkpoint."""
    for start, what in _STARTS:
        if head.startswith(start):
            raise Refused(what)
    raise Refused("it is no checkpoint (no torch file, no pickle, no safetensors)")


def refuse_other(names: Mapping[str, object]) -> None:
    """Raises Refused for the tensors or keys of networks that are known, but of no use here."""
    for start, what in _NAMES:
        if any(name.startswith(start) for name in names):
            raise Refused(what)
    if "input_layer.0.weight" in names and "body.0.res_layer.1.weight" in names:
        raise Refused("it is the face recogniser IR-SE50, which only training needs")
    if {"mean", "comp", "std"} <= set(names):
        raise Refused("it holds GANSpace components (mean, comp, std), no generator")
    if {"x_mean", "lat_comp"} & set(names):
        raise Refused("it holds GANSpace components, no generator")
