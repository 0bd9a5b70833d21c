"""Files that the wheel carries: found, checked once a process, never taken on trust."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from stitchedit.errors import HashMismatch, NotFetched

SHA256 = {
    "mean_face.npy": "2b921a79d5b6ac0d8e49cbf08b793b0c2df01c371609e4b967012760858d08c2",
    "head_parser.safetensors": "80ad7a19734f1fc3c54d48222238b6a7255afa6a66259bc4a60b5bb42e86c8c4",
    "face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    "face_blendshapes_v2.tflite": "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082",
    "face_landmarks_detector_v2.tflite": "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
    "omi_ratings.safetensors": "3b869e83a5471f2977a7cd5355bd54fe2b3731f93aa2266b56043796d76f7665",
    "mobilenet_v2_features.safetensors": "e30b2599c93f340f2639f0d88ffb729aa40cc575d595ebc3f2dc8cd7fa9a20ef",
    "mobilestylegan_ffhq_1024.safetensors": "ec8726dd69aec2171e71c8e41127c7c7066bd998e131ca98c7840009c9b2c285",
    "mobilestylegan_ffhq_1024_exits.safetensors": "85eeab4b69194773962e77a3715550fa94100eb3509fb3d1981a094a71b4bf77",
    "picture_change_ffhq_1024.safetensors": "f10111902d07a933dc8503677232cb8134ab8c54828545a4c859a6a0b3f2332a",
    "selfie_segmentation.tflite": "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    "w_readings_ffhq_1024.safetensors": "9184c5c2bd5e17b4b46a69b2afbc268f545be4f3485e2de039f1b99225a9559e",
    "w_encoder_ffhq_1024.safetensors": "79019e9454789cb3d33198fb5062c0e871d484a72160981873fae410e1802375",
}


@cache
def packaged_file(name: str) -> Path:
    """The path of `stitchedit/assets/NAME`, its sha256 compared with the one in `SHA256`.

    Raises: NotFetched, when the installation lacks it; HashMismatch, when it is damaged.
    """
    path = Path(str(resources.files("stitchedit"))) / "assets" / name
    if not path.is_file():
        raise NotFetched(name, "the installation is incomplete: install stitchedit again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise HashMismatch(path, SHA256[name], found)
    return path


def cards() -> list[str]:
    """What the packaged files are made from, how measured, their licences and limits: Markdown, a card each."""
    folder = Path(str(resources.files("stitchedit"))) / "assets"
    return [path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.md"))]
