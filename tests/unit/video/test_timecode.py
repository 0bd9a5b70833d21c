from fractions import Fraction

import pytest

from stitchedit.video.timecode import code_of, frames_of, seconds_of, timecode_at

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("start", "frame", "rate", "code"),
    [
        ("10:11:12:13", 0, Fraction(25), "10:11:12:13"),
        ("10:11:12:13", 12, Fraction(25), "10:11:13:00"),
        ("23:59:59:23", 1, Fraction(24000, 1001), "00:00:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("01:00:00;00", 1800, NTSC, "01:01:00;02"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("", 5, NTSC, ""),
        ("10:61:00:00", 5, NTSC, ""),
        ("10:00:00:30", 5, NTSC, ""),
    ],
)
def test_codes_count_on(start: str, frame: int, rate: Fraction, code: str) -> None:
    assert timecode_at(start, frame, rate) == code


def test_every_frame_of_an_hour_has_a_code_of_its_own_that_leads_back() -> None:
    for frame in range(0, 108_000, 7):
        assert frames_of(timecode_at("00:00:00;00", frame, NTSC), NTSC) == frame


def test_codes_and_seconds() -> None:
    assert seconds_of("01:00:00:12", Fraction(24)) == Fraction(7201, 2)
    assert seconds_of("00:01:00;02", NTSC) == 1800 * Fraction(1001, 30000)
    assert seconds_of("at noon", Fraction(24)) is None
    assert code_of(7201 * 12, Fraction(24)) == "01:00:00:12"
    assert code_of(5, Fraction(1000)) == "", "two digits do not count so many"
