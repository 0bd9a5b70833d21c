"""Versions of one clip for measuring: where its face is, and the pictures of the source, the edit, the inversion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Any

import av
import numpy as np

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.composite import Layer, pasted
from stitchedit.compositing.paste import crop_alpha, whole_alpha
from stitchedit.config import BORDER_PX, AlignConfig, TrackConfig
from stitchedit.faces.alignment import align
from stitchedit.faces.mesh import mesh_points
from stitchedit.faces.tracking import track
from stitchedit.faces.visibility import visibility_flags
from stitchedit.files.image_folder import FinePictures
from stitchedit.masks.region_shape import Shapes, face_shapes
from stitchedit.pipeline.head_map_cache import project_shapes
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.project.records import Records
from stitchedit.types import ByteArray, Crops, FacePoints, FineImages, FloatArray, Tracks
from stitchedit.video import Frame, VideoSource

Take = Callable[[], Iterator[ByteArray]]  # starts anew at each call; RGB [H, W, 3], every frame of the clip in turn

_TRACKED_PX = 256  # crops of clips that no project is behind


@dataclass(frozen=True, slots=True)
class Places:
    """Where the face of a clip is, and where its mask lies."""

    tracks: Tracks
    crops: Crops
    points: FacePoints
    shapes: Shapes  # what of each crop is edited
    border_px: float = BORDER_PX  # width of the fade in pixels of a 1024 px crop
    regions: tuple[str, ...] = ("face",)  # of which the shapes are

    def mask(self, row: int) -> FloatArray:
        """How much of the edit each pixel of the frame of crop `row` shows, float32 [H, W] in 0..1.

        Above 0.5 is inside, 0 is outside; the contour at 0.5 is the seam.
        """
        return whole_alpha(self.shapes[row], self.crops.quads[row], self.tracks.frame_size, self.border_px)

    def crop_mask(self, row: int) -> FloatArray:
        """The same of crop `row` itself, float32 [S, S]."""
        return crop_alpha(self.shapes[row], self.crops.size, self.border_px)


def places_of_project(
    project: Project, border_px: float = BORDER_PX, regions: tuple[str, ...] = ("face",), progress: Progress = silent
) -> Places:
    """Raises StageMissing, when `invert` did not come to its end; ProjectError, when its files are damaged."""
    for stage in INVERT_STAGES:
        project.records.fingerprint(stage)
    crops, points = artefacts.load_crops(project.crops)
    tracks = artefacts.load_tracks(project.tracks)
    shapes = project_shapes(project, regions, crops, points, tracks, progress)
    return Places(tracks, crops, points, shapes, border_px, regions)


def places_of_clip(source: VideoSource, progress: Progress) -> Places:
    """Found as `invert` would find them. Raises NoFace."""
    info = source.info
    total = round((info.duration or 0) * info.rate)
    tracks = track(
        ((frame.index, frame.rgb()) for frame in source),
        TrackConfig(),
        frame_size=(info.width, info.height),
        rate=info.rate,
        progress=progress,
        total=total,
        name=str(info.path),
    )
    frames = ((frame.index, frame.rgb()) for frame in source)
    crops = align(frames, tracks, AlignConfig(), exits=(_TRACKED_PX,), max_size=_TRACKED_PX, progress=progress)
    points = mesh_points(crops, tracks, progress)
    return Places(tracks, crops, points, face_shapes(points))


def decoded(frames: Iterable[Frame]) -> Take:
    """The pictures of a video."""
    return lambda: (frame.rgb() for frame in frames)


def composed(
    source: VideoSource,
    places: Places,
    images: FineImages,
    blender: str = "feather",
    *,
    changes: bool = False,
    match: bool = False,
    every_frame: bool = True,
) -> Take:
    """The clip with pictures put over its faces, as it is before it is encoded. For `changes` see `Layer`."""
    doubtful = None if every_frame else visibility_flags(places.tracks, places.crops, places.points) > 0
    put = partial(pasted, source, [Layer(places.crops, places.shapes, images, places.tracks, doubtful, changes)])
    blend = BLENDERS[blender]
    return lambda: (frame.rgb() for frame in put(border_px=places.border_px, blender=blend, match=match))


def stitched_crops(records: Records, crops: Crops) -> FinePictures:
    """What stitching left of an edit."""
    return FinePictures(records.path.parent / "stitched", len(crops.frames), crops.size)


def reencoded(take: Take, rate: Fraction, crf: int = 18) -> Take:
    """A clip after H.264 at a quality factor: what a fine curve can keep at best, once it has been encoded."""

    def packets(encoder: av.VideoCodecContext, first: ByteArray, rest: Iterator[ByteArray]) -> Iterator[av.Packet[Any]]:
        for rgb in chain([first], rest):
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=encoder.pix_fmt)
            picture.pts = None
            yield from encoder.encode(picture)
        yield from encoder.encode(None)

    def start() -> Iterator[ByteArray]:
        pictures = take()
        first = next(pictures, None)
        if first is None:
            return
        decoder = av.VideoCodecContext.create("h264", "r")
        for packet in chain(packets(_h264(first, rate, crf), first, pictures), [None]):
            for picture in decoder.decode(packet):
                yield np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)

    return start


def _h264(rgb: ByteArray, rate: Fraction, crf: int) -> av.VideoCodecContext:
    height, width = rgb.shape[:2]
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.options = {"crf": str(crf)}
    return encoder
