"""Files of the field that users have or look for: what each is for here, where it comes from, whose terms it has.

Sizes are about; nothing here is ever fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Known:
    """A file that others publish."""

    file: str
    what: str
    where: str
    licence: str
    size: int  # bytes, about
    use: str  # what to do with it here


KNOWN: tuple[Known, ...] = (
    Known(
        file="ffhq.pkl",
        what="StyleGAN2 generator, FFHQ faces, 1024 px",
        where="nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl",
        licence="NVIDIA Source Code License, non-commercial",
        size=382_000_000,
        use="stitchedit weights import ffhq.pkl, then --generator ffhq",
    ),
    Known(
        file="stylegan2-ffhq-config-f.pt",
        what="the same generator as rosinality/stylegan2-pytorch converts it",
        where="github.com/rosinality/stylegan2-pytorch, README",
        licence="NVIDIA Source Code License, non-commercial",
        size=133_000_000,
        use="stitchedit weights import stylegan2-ffhq-config-f.pt",
    ),
    Known(
        file="stylegan3-t-ffhq-1024x1024.pkl",
        what="StyleGAN3 generator, configuration T, FFHQ faces, 1024 px",
        where="api.ngc.nvidia.com/v2/models/nvidia/research/stylegan3, stylegan3-t-ffhq-1024x1024.pkl",
        licence="NVIDIA Source Code License, non-commercial",
        size=300_000_000,
        use="stitchedit weights import stylegan3-t-ffhq-1024x1024.pkl; not tried here with NVIDIA's own file",
    ),
    Known(
        file="sg3-r-ffhq-1024.pt",
        what="StyleGAN3 generator, configuration R, FFHQ faces, 1024 px, as stylegan3-editing keeps it",
        where="github.com/yuval-alaluf/stylegan3-editing, README",
        licence="NVIDIA Source Code License, non-commercial",
        size=60_000_000,
        use="stitchedit weights import sg3-r-ffhq-1024.pt; not tried here with the file itself",
    ),
    Known(
        file="e4e_ffhq_encode.pt",
        what="e4e encoder for that generator",
        where="github.com/omertov/encoder4editing, README",
        licence="MIT; trained on FFHQ and with NVIDIA's generator, whose terms are non-commercial",
        size=1_200_000_000,
        use="stitchedit weights import e4e_ffhq_encode.pt, then --encoder e4e_ffhq_encode",
    ),
    Known(
        file="alexnet-owt-7be5be79.pth",
        what="AlexNet, the trunk of LPIPS",
        where="download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        licence="BSD-3-Clause",
        size=244_000_000,
        use="for `stitchedit.models.perceptual.load_lpips` in programs; no command takes it",
    ),
    Known(
        file="alex.pth",
        what="the heads of LPIPS 0.1 for that trunk",
        where="PyPI lpips, lpips/weights/v0.1/alex.pth",
        licence="BSD-2-Clause",
        size=6_000,
        use="for `stitchedit.models.perceptual.load_lpips` in programs; no command takes it",
    ),
    Known(
        file="79999_iter.pth",
        what="BiSeNet face parser",
        where="github.com/zllrunning/face-parsing.PyTorch, README",
        licence="MIT; trained on CelebAMask-HQ, non-commercial",
        size=53_000_000,
        use="not needed: masks come from the face mesh",
    ),
    Known(
        file="model_ir_se50.pth",
        what="IR-SE50 face recogniser",
        where="github.com/TreB1eN/InsightFace_Pytorch, README",
        licence="MIT",
        size=175_000_000,
        use="not needed: only training an encoder takes it",
    ),
    Known(
        file="shape_predictor_68_face_landmarks.dat",
        what="dlib's 68 landmarks",
        where="PyPI face-recognition-models, which stitchedit installs",
        licence="CC0; trained on iBUG 300-W, which excludes commercial use",
        size=99_700_000,
        use="nothing to do: it comes with stitchedit's dependencies",
    ),
)


def comes_with_dependencies(file: str) -> bool:
    """Whether a package that stitchedit depends on has brought this file."""
    spec = find_spec("face_recognition_models")  # found, not imported: its __init__ needs pkg_resources
    if spec is None or not spec.origin:
        return False
    return (Path(spec.origin).parent / "models" / file).is_file()
