"""Which writer makes an output: a file of video, or numbered pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from stitchedit.errors import CannotEncode, OutputError
from stitchedit.files.atomic import require_place
from stitchedit.video.base import Frame, VideoSource
from stitchedit.video.encoder_choice import CONTAINERS, PROFESSIONAL
from stitchedit.video.file_reader import FileSource
from stitchedit.video.file_writer import VideoWriter
from stitchedit.video.gif_writer import SUFFIX as GIF
from stitchedit.video.gif_writer import GifWriter
from stitchedit.video.sequence_names import means_pictures, plain_name
from stitchedit.video.sequence_reader import SequenceSource
from stitchedit.video.sequence_writer import SequenceWriter, Target, writes_pictures

Seal = Callable[[BinaryIO, BinaryIO], None]


class Writer(Protocol):
    """Takes a source's frames one by one; what it makes appears when the `with` block ends well."""

    path: Path
    frames: int
    notes: tuple[str, ...]

    def __enter__(self) -> Self: ...

    def write(self, frame: Frame) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_video` did."""

    path: Path
    frames: int
    notes: tuple[str, ...]  # what could not be kept as it was, one line each; empty as a rule


def writer_for(
    path: Path | str,
    source: VideoSource,
    *,
    lossless: bool = False,
    codec: str = "h264",
    audio: str = "copy",
    metadata: Mapping[str, str] | None = None,
    seal: Seal | None = None,
) -> Writer:
    """What writes `source` to `path`; arguments of `VideoWriter`. Raises CannotEncode, where nothing does."""
    path = Path(path)
    if writes_pictures(path, source):
        return SequenceWriter(path, source, metadata=metadata)
    if path.suffix.lower() == GIF and not lossless:
        return GifWriter(path, source, metadata=metadata)
    if not isinstance(source, FileSource):
        why = "a shot of pictures is written as pictures"
        raise CannotEncode(path, why, "name a folder, or a pattern such as 'out/frame.%04d.png'")
    return VideoWriter(path, source, lossless=lossless, codec=codec, audio=audio, metadata=metadata, seal=seal)


def write_video(
    path: Path | str,
    source: VideoSource,
    frames: Iterable[Frame],
    *,
    lossless: bool = False,
    codec: str = "h264",
    audio: str = "copy",
    metadata: Mapping[str, str] | None = None,
    seal: Seal | None = None,
) -> Written:
    """Writes frames of a source to a file, with everything else of the source; see `VideoWriter`."""
    done = writer_for(path, source, lossless=lossless, codec=codec, audio=audio, metadata=metadata, seal=seal)
    with done as writer:
        for frame in frames:
            writer.write(frame)
    return Written(writer.path, writer.frames, writer.notes)


class _Enough(Exception):
    """Nothing is wrong."""


def try_writing(
    path: Path, source: VideoSource, *, lossless: bool = False, codec: str = "h264", audio: str = "copy"
) -> tuple[str, ...]:
    """See that a clip can be written there, as far as its header tells; leaves nothing.

    Returns: what would not be kept as it is, one line each.
    Raises: CannotEncode, NotWritable, DiskFull, as `write_video` would after hours.
    """
    writer = writer_for(path, source, lossless=lossless, codec=codec, audio=audio)
    with suppress(_Enough), writer:
        raise _Enough
    return writer.notes


def try_output(
    path: Path, source: VideoSource, *, lossless: bool = False, codec: str = "h264", audio: str = "copy"
) -> tuple[str, ...]:
    """The same for an output whose folder may be missing yet, because it is made when the work begins."""
    if path.parent.is_dir():
        return try_writing(path, source, lossless=lossless, codec=codec, audio=audio)
    require_place(path)
    with TemporaryDirectory() as folder:
        try:
            return try_writing(Path(folder, path.name), source, lossless=lossless, codec=codec, audio=audio)
        except CannotEncode as exc:
            raise CannotEncode(path, exc.why, exc.hint) from exc


def foretold(source: VideoSource) -> list[str]:
    """What the usual output of an edit will not keep of a clip, or why there will be none, one line each."""
    if means_pictures(source.info.path):
        return []
    try:
        return list(try_writing(usual_output(source.info.path, "edit"), source))
    except CannotEncode as exc:
        return [f"this will be refused as it stands: {exc.why}; {exc.hint}"]
    except OutputError:  # the folder of the clip may take no files, and an output go elsewhere
        return []


def usual_output(source: Path, name: str, *, lossless: bool = False, codec: str = "h264") -> Path:
    """Where an edit of a clip goes unless it is told: `CLIP.NAME.mp4` beside the clip, or a folder for pictures.

    The clip's own file ending is kept, where videos like it are written; else it is one whose format holds everything.
    """
    place = beside(source, name)
    if means_pictures(source):
        return place
    suffix = ".mkv" if lossless else ".mov" if codec in PROFESSIONAL else usual_suffix(source)
    return place.with_name(place.name + suffix)


def beside(source: Path, name: str) -> Path:
    """`CLIP.NAME` beside a clip, for a folder or a file with the ending that `name` has."""
    return source.with_name(f"{plain_name(source) if means_pictures(source) else source.stem}.{name}")


def usual_suffix(path: Path) -> str:
    """The source's own file ending, or one whose format holds everything, where videos like it are not written."""
    return path.suffix if path.suffix.lower() in (*CONTAINERS, GIF) else ".mkv"


def written_files(path: Path, source: VideoSource) -> list[Path]:
    """The files that `write_video` leaves of all frames."""
    if not writes_pictures(path, source):
        return [path]
    target = Target(path, source.numbered if isinstance(source, SequenceSource) else None)
    return [target.file(index) for index in range(source.count())]
