"""Edited shots put back into their clip.

What comes back of a shot are samples; times, side data and sound stay the clip's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from stitchedit.errors import ProjectError
from stitchedit.film.shots import Shot
from stitchedit.video import CodedFrame, Frame, open_video
from stitchedit.video.pixel_formats import clone, convert, samples


def put_back(frames: Iterable[Frame], edited: Mapping[int, Path], shots: Mapping[int, Shot]) -> Iterator[Frame]:
    """The frames of a clip with the samples of edited shots in their places.

    Args:
        edited: the clip of each shot that has one, by the shot's number.
    Raises: ProjectError, when a clip has not as many frames as its shot.
    """
    starts = {shots[number].first: number for number in edited}
    pictures: Iterator[Frame] | None = None
    shot: Shot | None = None
    for frame in frames:
        if frame.index in starts:
            shot = shots[starts[frame.index]]
            pictures = iter(open_video(edited[shot.number]))
        if shot is None or pictures is None:
            yield frame
            continue
        picture = next(pictures, None)
        if picture is None:
            raise ProjectError(
                f"{edited[shot.number]} ends before its shot", "remove it and give the same command again"
            )
        yield with_picture(frame, picture)
        if frame.index == shot.last:
            if next(pictures, None) is not None:
                raise ProjectError(f"{edited[shot.number]} is longer than its shot", "remove it, and run film again")
            shot, pictures = None, None


def with_picture(frame: Frame, picture: Frame) -> Frame:
    """A frame with the samples of another one of its size; time and side data stay its own."""
    assert isinstance(frame, CodedFrame)
    assert isinstance(picture, CodedFrame)
    donor = picture.video
    if picture.layout != frame.layout:
        donor = convert(donor, picture.layout, frame.layout)
    made = clone(frame.video)
    for component in frame.layout.components:
        samples(made, frame.layout, component)[:] = samples(donor, frame.layout, component)
    return replace(frame, video=made)
