"""Opening video files safely and decoding what is in them. `stitchedit.video` builds on it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stitchedit.errors import CannotOpen
from stitchedit.video.container_patches import missing_bytes

# Formats that hold everything in one file. Playlists, concat lists and the like name other files or addresses.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,flv,live_flv,asf,asf_o,ogg,"
    "nut,yuv4mpegpipe,ivf,dv,mxf,h264,hevc,obu,apng,rm,wtv,swf,vob,nsv,roq,webp_anim"
)
_PICTURE_BRANDS = ("avif", "avis", "mif1", "msf1", "heic", "heix", "hevc", "hevx")  # of ISO 23008-12
MAX_PIXELS = 1 << 27  # refuse pictures above this before memory is asked for; 8K is a quarter of it


def open_container(path: Path) -> InputContainer:
    """The container of a regular file, with every door to other files and to the network shut.

    FFmpeg gets an open file in place of a name, and a refusal when a format asks for a further one.

    Raises: CannotOpen.
    """
    file = open_regular(path)
    try:
        return av.open(
            file,
            "r",
            metadata_errors="surrogateescape",  # tags in any encoding come through unchanged
            buffer_size=1 << 18,
            options={"format_whitelist": _FORMATS, "max_pixels": str(MAX_PIXELS)},
            io_open=_refuse,
        )
    except (av.FFmpegError, ValueError, OSError) as exc:
        file.close()
        if _lacks_index(path):
            why = "it is cut short, and the index of its frames, at its end, is lost"
            raise CannotOpen(path, why, "record or copy it again; tools that rebuild an MP4's index may help") from exc
        raise CannotOpen(path, "it is not a video that can be read") from exc
    except BaseException:
        file.close()
        raise


def close_container(container: InputContainer) -> None:
    """Closes what `open_container` opened, the file with it."""
    reader: Any = container.file
    container.close()
    reader.file.close()


def open_regular(path: Path) -> BinaryIO:
    """A file that is opened as a file whatever its name looks like. Raises CannotOpen, when it is no regular one."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise CannotOpen(path, "it is a folder")
        if not stat.S_ISREG(mode):
            raise CannotOpen(path, "it is not a regular file")
        # An open file without a name: FFmpeg would read meanings into one like "%03d.png".
        return os.fdopen(os.open(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        raise CannotOpen(path, "there is no such file") from None
    except (OSError, ValueError) as exc:  # ValueError: a name with a null byte
        raise CannotOpen(path, getattr(exc, "strerror", None) or "this is no file name") from exc


def is_still(container: InputContainer, stream: Stream) -> bool:
    """Whether a stream is the still picture of an AVIF or HEIF, beside which there may be an animation."""
    return container.metadata.get("major_brand") in _PICTURE_BRANDS and stream.frames == 1


def _lacks_index(path: Path) -> bool:
    """Whether it is the beginning of an MP4 or MOV whose index was to come."""
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp" and missing_bytes(path, "mp4") > 0


def _refuse(url: str, flags: int, options: object) -> NoReturn:
    raise PermissionError(f"a video may not open {url}")


class Decoder:
    """One pass over a file's video: frames as they come, and what was wrong since last asked."""

    def __init__(self, path: Path, stream: int | None = None) -> None:
        self._container = open_container(path)
        videos = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        videos = [s for s in videos if s.codec_context is not None and stream in (None, s.index)]
        videos = [s for s in videos if stream is not None or not is_still(self._container, s)] or videos
        if not videos:
            self.close()
            raise CannotOpen(path, "it has no video that can be decoded")
        self.stream: VideoStream = videos[0]
        self.stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        self._wrong: list[str] = []

    @property
    def container(self) -> InputContainer:
        return self._container

    def close(self) -> None:
        close_container(self._container)

    def take_damage(self, frame: av.VideoFrame | None = None) -> list[str]:
        """What was wrong since the last call, and with this frame."""
        wrong, self._wrong = self._wrong, []
        if frame is not None and frame.is_corrupt:
            wrong.append("parts of the frame are damaged")
        return wrong

    def frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                yield from packet.decode() if packet is not None else self.stream.decode(None)
            except EOFError:
                return
            except av.FFmpegError as exc:
                self._wrong.append(f"a frame cannot be decoded ({exc.strerror})")

    def _packets(self) -> Iterator[av.Packet[VideoStream] | None]:
        """Packets, and None at the end. The torn one at the end of a cut file is left out: it would be half gray."""
        held: av.Packet[VideoStream] | None = None
        try:
            for packet in self._container.demux(self.stream):
                if held is not None and packet.size:
                    yield held
                if not packet.size:
                    continue
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield packet
        except (av.FFmpegError, OSError) as exc:
            self._wrong.append(f"the file cannot be read on ({exc.strerror})")
        if held is not None:
            self._wrong.append("the last frame is cut off")
        yield None
