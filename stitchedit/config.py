"""Settings: frozen dataclasses with defaults and units, checked where they are made, handed to stages in parts.

Every default is here and nowhere else; the help texts of the command line are written from these. A setting that is
not allowed raises ConfigError at construction, from Python as from the command line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from stitchedit.errors import ConfigError
from stitchedit.registry import BLENDERS, LANDMARKS

if TYPE_CHECKING:
    from stitchedit.strength import Strength
    from stitchedit.types import NamedDirection

NO_LIMIT = 10**9  # steps
FEWEST = 0.4  # of the steps of tuning that any clip gets; half as many frames take 1 / sqrt 2 of them
SPACES = ("W", "W+")
DEFAULT_LANDMARKS = "dlib"  # one of LANDMARKS
OLD_LANDMARKS = {"mediapipe": "dlib"}  # what earlier versions called them
BETA = 0.2  # of an edit by texts: channels of less relevance stay; 0.05 to 0.3 in the field
DEFAULT_CLIP = "openai/clip-vit-base-patch32"  # ViT-B/32, StyleCLIP's, as transformers' cache names it
# Of an edit, which `editing.edit_parts` tells apart; together they are the whole of it.
PARTS = SHAPE, FOLDS, SKIN, HAIR, NECK = "shape", "folds", "skin", "hair", "neck"
REGIONS = ("head", "face", "mouth", "eyes")  # each of the first two holds those after it
DEVICES = ("auto", "cpu", "cuda")
PRESETS = ("fast", "balanced", "quality", "stit")
NORMS = ("l2", "l1")
AUDIO = ("copy", "aac", "none")  # what becomes of a clip's sound
CODECS = ("h264", "prores", "dnxhr")  # of a video that is not lossless; WebM is VP9
MOST_STEADY = 10  # frames
DEFAULT_FPS = Fraction(25)  # of numbered pictures
LARGEST = "largest"
EVERYBODY = "all"  # the largest and all others
FACE_PLACE = re.compile(r"(\d{1,6}(?:\.\d+)?),(\d{1,6}(?:\.\d+)?)@(\d{1,6}(?:\.\d+)?)s?")  # x, y, seconds
FACE_NUMBER = re.compile(r"\d{1,4}")
FACE_LIKE = "like "  # before the path of a picture
FACE_FORMS = f"{LARGEST}, a number (1 is the largest), X,Y@SECONDS, or 'like IMAGE'"


EXPAND_STEPS = 8  # a crop's side in what `AlignConfig.expand` counts
MOST_EXPAND = 4  # of them on each side: a generator has learned nothing of what lies there
REFERENCE_PX = 1024  # crops at which widths in pixels, such as border_px, are given
BORDER_PX = 50  # STIT's width of the ring in which an edit meets the source, at that size


@dataclass(frozen=True, slots=True)
class TrackConfig:
    gap_s: float = 0.25  # gaps up to this long are interpolated, longer ones pass through untouched
    min_face_px: int = 40  # faces narrower than this are not edited
    upsample_below_px: int = 80  # faces under this width are searched in an enlarged picture
    face: str = LARGEST  # whose: see `tracklets.find_pick`

    def __post_init__(self) -> None:
        _in_range(self, gap_s=(0, 60), min_face_px=(1, 10_000), upsample_below_px=(0, 10_000))
        if not is_face_choice(self.face):
            raise ConfigError(f"unknown face '{self.face}'", f"give {FACE_FORMS}")


@dataclass(frozen=True, slots=True)
class AlignConfig:
    scale: float = 1.0  # crop side relative to the FFHQ crop
    center_sigma: float = 1.0  # frames, Gaussian on the quad's centre (STIT's default)
    xy_sigma: float = 3.0  # frames, Gaussian on the quad's axes (STIT's default)
    # Eighths of the crop's side more at the left, top, right and bottom; the crop stays square. Only for generators
    # that draw there. On record only where there are any, so that records of before it hold.
    expand: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), metadata={"recorded": "changed"})

    def __post_init__(self) -> None:
        _in_range(self, scale=(0.1, 10), center_sigma=(0, 1000), xy_sigma=(0, 1000))
        left, top, right, bottom = self.expand
        if not all(0 <= n <= MOST_EXPAND for n in self.expand) or left + right != top + bottom:
            raise ConfigError(f"expand is {self.expand}", f"give 0 to {MOST_EXPAND} eighths a side, square together")

    @property
    def inner(self) -> tuple[float, float, float]:
        """Left, top and side of the crop as it is without `expand`, in sides of the one with it."""
        left, top, right, _ = self.expand
        whole = EXPAND_STEPS + left + right
        return left / whole, top / whole, EXPAND_STEPS / whole


@dataclass(frozen=True, slots=True)
class EncodeConfig:
    steps: int = 160  # optimiser steps at least
    steps_per_frame: float = 1.0  # more of them where the clip has many frames
    most_steps: int = 400
    # Where a trained network gave the start: this share of the steps, a frame a step, and frames set apart gently, for
    # their codes have no time to come back from too far a step.
    started_share: float = 0.325
    started_lr_clip: float = 0.08
    started_lr_frame: float = 0.0015
    frames_per_step: int = 2
    lr_clip: float = 0.05  # Adam, the clip's common code, in units of W's spread
    lr_frame: float = 0.02  # Adam, what sets frames apart
    perceptual_weight: float = 1.0
    pixel_weight: float = 1.0  # L2 in [-1, 1]
    space: str = "W+"  # "W" or "W+": whether the rows of a frame's code may differ
    prior_weight: float = 4e-3  # pull toward the W distribution, in squared Mahalanobis units a dimension
    offset_pull: float = 2.0  # the same for a frame's distance from the clip's code, times this
    size: int = 256  # pixels at which the losses look

    def __post_init__(self) -> None:
        _one_of("space", self.space, SPACES)
        _in_range(self, steps=(0, NO_LIMIT), most_steps=(0, NO_LIMIT), frames_per_step=(1, 1000), size=(4, 4096))
        _in_range(self, steps_per_frame=(0, NO_LIMIT), started_share=(0, 1), lr_clip=(0, 1), lr_frame=(0, 1))


@dataclass(frozen=True, slots=True)
class TuneConfig:
    # Budget in optimiser steps of a frame each, at least; clips of fewer frames than `full_frames` take less. Steps of
    # two frames learn less from as many passes.
    steps: int = 680
    full_frames: int = 50
    steps_per_frame: float = 8.0  # more of them where the clip has many frames
    most_steps: int = 3000
    shuffle: bool = True  # random order; False is the fixed order of the reference
    lr: float = 3e-4  # Adam
    lr_codes: float = 0.01  # Adam, the pivots; 0 keeps them where they were, as in the reference
    anchor: float = 0.005  # part of the way back to the untuned weights taken at each step; 0 in the reference
    ramp_down: float = 0.4  # last part of the budget in which the rate falls to zero
    coarse_part: float = 0.6  # first part of the budget, worked at the coarse exit
    coarse_size: int = 256  # pixels of that exit
    l2_weight: float = 10.0  # STIT's
    perceptual_weight: float = 1.0
    perceptual_size: int = 256  # pixels at which the perceptual loss looks, at most
    weighted: bool = True  # look at the face, eyes and lips most; the reference looks everywhere alike
    locality: bool = False  # hold faces beside the pivots where they were (STIT: off)
    plateau: float = 0.01  # the ramp starts early when the mean loss of 100 steps fell by less than this part
    checkpoint_every: int = 100  # steps

    def __post_init__(self) -> None:
        _in_range(self, steps=(0, NO_LIMIT), most_steps=(0, NO_LIMIT), full_frames=(1, NO_LIMIT), lr=(0, 1))
        _in_range(self, steps_per_frame=(0, NO_LIMIT), lr_codes=(0, 1), anchor=(0, 1), ramp_down=(0, 1))
        _in_range(self, coarse_part=(0, 1), plateau=(0, 1), checkpoint_every=(1, NO_LIMIT))


@dataclass(frozen=True, slots=True)
class StitchConfig:
    steps: int = 2  # at most, a frame
    first_steps: int = 20  # at most, for the first frame of a chain
    lr: float = 3e-4  # Adam (STIT's)
    norm: str = "l2"  # or "l1", of both losses
    content_weight: float = 0.3  # STIT has 0.01, which in a chain lets the face blur from frame to frame
    border_threshold: float = 0.006  # border loss at which a frame is done
    pull_back: float = 0.1  # part of the way back to the tuned weights taken after each frame
    fresh: bool = False  # each frame starts from the tuned generator with a new optimiser, as in the reference
    # Well inside of the face the edited picture itself is taken, and where the edited face is smaller than the old one
    # the border reaches in; the reference does neither.
    interior: bool = True
    detail: bool = True  # give the edited face what tuning missed (`editing.residual_transfer`); STIT: off
    steady: float = 6.0  # frames, sigma by which the change is averaged along the source's motion; 0 is off, as in STIT
    membrane: bool = True  # take what is left of a step in light and colour at the border away; STIT: off
    border_px: int = BORDER_PX  # width of the border ring in pixels of a REFERENCE_PX crop
    size: int = 256  # pixels of the exit at which the border is tuned, where there is one; STIT: all of the crop's
    # Pixels up to which layers stay as tuned; STIT: 0. They move the whole face at once: held, the border is met better
    # in fewer steps, each of which is cheaper.
    held_px: int = 16

    def __post_init__(self) -> None:
        _one_of("norm", self.norm, NORMS)
        _in_range(self, steps=(0, NO_LIMIT), first_steps=(0, NO_LIMIT), lr=(0, 1), border_px=(1, 512), size=(4, 4096))
        _in_range(self, content_weight=(0, NO_LIMIT), border_threshold=(0, NO_LIMIT), pull_back=(0, 1))
        _in_range(self, held_px=(0, 4096))
        if not 0 <= self.steady <= MOST_STEADY:
            raise ConfigError(f"steady is {self.steady}", f"give frames from 0 (off) to {MOST_STEADY}")


@dataclass(frozen=True, slots=True)
class InvertConfig:
    preset: str = "balanced"
    generator: str = "default"  # a name of `stitchedit weights list` or a file
    encoder: str = "default"
    landmarks: str = DEFAULT_LANDMARKS  # whose landmarks place the crops, or whose mesh: one of LANDMARKS
    device: str = "auto"  # auto, cpu or cuda
    seed: int = 0
    max_size: int = 1024  # no crop is worked on above this many pixels
    fps: Fraction | None = None  # of numbered pictures, which have no times of their own; None: DEFAULT_FPS
    colourspace: str | None = None  # of the clip's samples, see `video.colourspaces`; None: as its own tags say
    others: tuple[str, ...] = ()  # whose faces beside `track.face`, in the same words; "all": everybody else's
    track: TrackConfig = field(default_factory=TrackConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)
    tune: TuneConfig = field(default_factory=TuneConfig)

    def __post_init__(self) -> None:
        _one_of("preset", self.preset, PRESETS)
        _one_of("device", self.device, DEVICES)
        object.__setattr__(self, "landmarks", OLD_LANDMARKS.get(self.landmarks, self.landmarks))
        _one_of("landmark model", self.landmarks, LANDMARKS)
        _in_range(self, max_size=(4, 4096), seed=(0, 2**63 - 1))
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise ConfigError(f"fps is {self.fps}", "give frames a second, at most 1000")
        for face in self.others:
            if face != EVERYBODY and not is_face_choice(face):
                raise ConfigError(f"unknown face '{face}'", f"give {FACE_FORMS}, or {EVERYBODY}")
        if len({self.track.face, *self.others}) < 1 + len(self.others):
            raise ConfigError("a face is given twice", "leave one of them out")


@dataclass(frozen=True, slots=True)
class EditConfig:
    preset: str = "balanced"
    # (direction, its name or its file; strength: a number or keyframes)
    edits: tuple[tuple[str | NamedDirection, Strength], ...] = ()
    only: tuple[tuple[int, ...], ...] = ()  # for each edit the numbers of the faces that it is for; (): for all
    device: str = "auto"
    seed: int = 0
    regions: tuple[str, ...] = ("face",)  # of REGIONS, as `united` gives them: what may change
    blender: str = "feather"  # one of BLENDERS
    match_colours: bool = False  # bring the edited crop's colours to those of its surroundings
    lossless: bool = False
    codec: str = "h264"  # one of CODECS
    audio: str = "copy"  # one of AUDIO; what the container does not take is rewritten as PCM, where no sample is lost
    # 0..1, how much of the tuning the coarse layers keep; None: what the direction asks for. Tuning holds on to the
    # person of the clip: an edit that is to lead away from that person wants less of it.
    fidelity: float | None = None
    force: bool = False  # take directions that were made for another generator, and strengths far out of range
    calibrated: bool = True  # solve for the strength that gives on this clip what was asked; STIT: off
    stitch: StitchConfig = field(default_factory=StitchConfig)
    every_frame: bool = False  # edit frames too that hardly come out well, see `faces.visibility`
    metadata_only: bool = False  # no C2PA manifest; the notice in the metadata is always there
    overwrite: bool = False  # replace what lies in the output's place, another's or this edit's with other settings
    retouch: tuple[tuple[int, str], ...] = ()  # (frame, file): the edited frame, painted over by an artist

    def __post_init__(self) -> None:
        _one_of("preset", self.preset, PRESETS)
        _one_of("device", self.device, DEVICES)
        _one_of("blender", self.blender, BLENDERS)
        _one_of("audio", self.audio, AUDIO)
        _one_of("codec", self.codec, CODECS)
        if self.lossless and self.codec != CODECS[0]:
            raise ConfigError(f"codec {self.codec} is given beside lossless, which is FFV1", "leave one of them out")
        _in_range(self, seed=(0, 2**63 - 1))
        object.__setattr__(self, "regions", united(self.regions))
        if self.fidelity is not None and not 0 <= self.fidelity <= 1:
            raise ConfigError(
                f"fidelity is {self.fidelity}", "give a number from 0 (the person may change) to 1 (as tuned)"
            )
        frames = [frame for frame, _ in self.retouch]
        if len(set(frames)) < len(frames):
            raise ConfigError("a frame is retouched twice", "give one --retouch for each frame")
        if self.only and len(self.only) != len(self.edits):
            raise ConfigError(
                f"{len(self.edits)} edits, but {len(self.only)} choices of faces", "give one for each edit, or none"
            )


Steps = TypeVar("Steps", EncodeConfig, TuneConfig)


def united(regions: Sequence[str] | None) -> tuple[str, ...]:
    """Regions that unite, without those that another one holds; none given is the face.

    Raises: ConfigError for an unknown one.
    """
    for region in regions or ():
        if region not in REGIONS:
            raise ConfigError(f"unknown region '{region}'", f"choose one of {', '.join(REGIONS)}; several unite")
    chosen = tuple(region for region in REGIONS if region in (regions or ("face",)))
    return chosen[:1] if chosen[0] in ("head", "face") else chosen


def for_frames(config: Steps, count: int) -> Steps:
    """The settings of a stage with its step budget for a clip of `count` edited frames."""
    wanted = round(config.steps_per_frame * count)
    least = config.steps
    if isinstance(config, TuneConfig):
        least = round(least * min(1.0, max(FEWEST, math.sqrt(count / config.full_frames))))
    return replace(config, steps=max(least, min(wanted, config.most_steps)))


def is_face_choice(text: str) -> bool:
    """Whether a text has one of the forms of FACE_FORMS; who is meant, the clip alone can tell."""
    text = text.strip()
    forms = text == LARGEST or FACE_NUMBER.fullmatch(text) or FACE_PLACE.fullmatch(text)
    return bool(forms) or (text.startswith(FACE_LIKE) and len(text) > len(FACE_LIKE))


def _one_of(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ConfigError(f"unknown {name} '{value}'", f"choose one of {', '.join(known)}")


def _in_range(config: object, **limits: tuple[float, float]) -> None:
    """Raises ConfigError for a number outside of its limits, NaN included."""
    for name, (least, most) in limits.items():
        value = getattr(config, name)
        if not least <= value <= most:
            end = "" if most >= NO_LIMIT else f" to {most:g}"
            raise ConfigError(f"{name} is {value}", f"give a number from {least:g}{end}")
