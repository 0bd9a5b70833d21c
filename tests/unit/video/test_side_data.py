import sys

import pytest
from av.sidedata.sidedata import Type

from stitchedit.video.side_data import KEPT, KEPT_BY_H264, NOTHING_LOST, TOLD, carried, gop_timecode, lost


def test_every_kind_has_its_place() -> None:
    tables = (KEPT | KEPT_BY_H264, set(TOLD) - KEPT_BY_H264, NOTHING_LOST)
    assert sorted(name for table in tables for name in table) == sorted(kind.name for kind in Type)


def test_what_an_encoder_does_not_keep_is_told() -> None:
    phone = carried(["DOVI_METADATA", "DOVI_RPU_BUFFER", "DISPLAYMATRIX", "SEI_UNREGISTERED", "A53_CC"], {}, "hevc")
    assert lost(phone, "libx264", "H.264") == ("not kept in H.264 output: Dolby Vision metadata",)
    assert "not kept in FFV1 output: closed captions" in lost(phone, "ffv1", "FFV1")
    assert carried(["S12M_TIMECODE", "PANSCAN"], {"TIMECODE": "01:02:03:04"}, "mpeg2video") == ()


@pytest.mark.parametrize(
    ("bits", "shown"),
    [(1 << 19 | 2 << 13 | 1 << 12 | 3 << 6 | 4, "01:02:03:04"), (1 << 24 | 5, "00:00:00;05"), (1 << 12, "")],
)
def test_time_codes_of_mpeg_2(bits: int, shown: str) -> None:
    assert gop_timecode(bits.to_bytes(8, sys.byteorder)) == shown
    assert gop_timecode(b"") == ""
