"""The page of an evaluation holds everything, and nothing that a clip's name could smuggle in."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from stitchedit.evaluation.clip_versions import Places
from stitchedit.evaluation.edit_origin import Subject
from stitchedit.evaluation.html_report import default_page, write_page
from stitchedit.evaluation.report import Attribute, Evaluation, Figure, Gap
from stitchedit.evaluation.run import Job
from stitchedit.masks.region_shape import face_shapes
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.progress import silent
from stitchedit.types import Crops, FacePoints, Tracks

EVIL = '<script>alert("1")</script>'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture
def job() -> Job:
    quads = np.tile(np.array([[8, 8], [8, 56], [56, 56], [56, 8]], np.float32), (3, 1, 1))
    tracks = Tracks(np.zeros((3, 68, 2), np.float32), np.ones(3, np.uint8), (64, 64), 25)  # type: ignore[arg-type]
    points = FacePoints(np.repeat(np.load(packaged_file("mean_face.npy"))[None, :468], 3, axis=0))
    places = Places(tracks, Crops(np.arange(3), quads, [], 64), points, face_shapes(points))
    takes = {
        name: lambda level=level: iter([np.full((64, 64, 3), level, np.uint8)] * 3)
        for name, level in (("source", 90), ("edit", 120))
    }
    subject = Subject(EVIL, Path("x.mp4"), Path("s.mp4"), None, None, ())
    return Job(subject, {}, places, takes, None, {}, "cpu", silent)


def evaluation(**changes: object) -> Evaluation:
    nan = float("nan")
    figures = (
        Figure("tg_id", 0.99, None, {EVIL: 1.0}),
        Figure("identity_distance", 0.4, (0.5, 2)),
        Figure("border_mse", nan, gap=Gap(EVIL)),
    )
    facts = {
        "name": EVIL,
        "edit": Path(f"{EVIL}.mp4"),
        "source": Path("s.mp4"),
        "project": None,
        "truth": None,
        "asked": (EVIL,),
        "embedding": "dlib",
        "rate": 25.0,
        "total": 3,
        "frames": np.arange(3),
        "figures": {figure.name: figure for figure in figures},
        "attributes": [
            Attribute("age", "years", True, 30.0, 50.0, 1.0, 1.5),
            Attribute("smile", "0..1", False, *[nan] * 4),
        ],
        "curves": {"identity_distance": {"edit": np.array([0.3, nan, 0.5], np.float32)}},
        "streams": {"largest_time_gap_s": 0.0, "sound_packets": [1, 1], "sound_equal": True},
        "gaps": [EVIL],
        "notes": [EVIL],
    }
    return Evaluation(**{**facts, **changes})  # type: ignore[arg-type]


def test_the_page_is_whole_and_quiet(job: Job, tmp_path: Path) -> None:
    write_page(evaluation(), job, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.names
    assert text.count("&lt;script&gt;") > 5
    assert tags.names.count("svg") == 1
    assert len(tags.addresses) == 2, "the clip, and its worst frames"
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses)
    assert "missed" in text
    assert "reached" in text
    assert "nan" not in text.lower().replace("finance", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_a_notebook_shows_the_figures_as_a_table() -> None:
    table = evaluation()._repr_html_()
    assert "<td>identity_distance</td><td>0.4</td>" in table
    assert "<script" not in table
    assert float(evaluation().figures["identity_distance"]) == 0.4


def test_where_the_page_goes() -> None:
    assert default_page(evaluation(edit=Path("a/clip.age+2.mp4"))) == Path("a/clip.age+2.evaluation.html")
    assert default_page(evaluation(edit=None, project=Path("p.stitch"))) == Path("p.stitch/inversion.evaluation.html")


def test_json_holds_no_nan() -> None:
    found = evaluation().as_json()
    assert found["figures"]["border_mse"]["value"] is None
    assert found["figures"]["border_mse"]["gap"] == {"why": EVIL, "count": 0, "frames": []}
    assert found["figures"]["identity_distance"]["worst"] == {"value": 0.5, "frame": 2}
    assert found["curves"]["identity_distance"]["edit"] == [0.3, None, 0.5]
    assert found["attributes"]["age"]["change"] == 20
    assert found["attributes"]["smile"]["edit"] is None
