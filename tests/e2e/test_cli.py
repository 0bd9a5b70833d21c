"""The real command line on a small clip: invert, edit, preview, sheet, and what it says to bad input."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import CLIP, ROOT, TINY, error, run

from stitchedit.errors import CannotOpen, ConfigError, NotAProject, ProjectError, StitcheditError
from stitchedit.evaluation.clip_versions import places_of_project
from stitchedit.evaluation.run import evaluate
from stitchedit.project.folder import Project
from stitchedit.video import open_video, write_video

FRAMES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    source = open_video(CLIP)
    write_video(folder / "clip.mp4", source, islice(source, FRAMES))
    return folder


@pytest.fixture(scope="module")
def inverted(folder: Path) -> dict[str, object]:
    """The clip, inverted with a 64 px generator."""
    result = run("invert", "clip.mp4", "--generator", TINY, "--preset", "fast", "--json", cwd=folder)
    summary: dict[str, object] = json.loads(result.stdout)
    return summary


@pytest.fixture
def direction(tmp_path: Path) -> Path:
    path = tmp_path / "push.npy"
    np.save(path, np.random.default_rng(0).normal(size=64).astype(np.float32))
    return path


@pytest.mark.slow
def test_invert_leaves_a_project_and_is_not_done_twice(folder: Path, inverted: dict[str, object]) -> None:
    assert inverted["frames"] == FRAMES
    assert inverted["edited_frames"] == FRAMES
    assert inverted["crop_px"] == 64
    again = json.loads(run("invert", "clip.mp4", "--generator", TINY, "--preset", "fast", "--json", cwd=folder).stdout)
    assert set(again["seconds"].values()) == {0.0}
    assert again["psnr_mean_db"] == inverted["psnr_mean_db"]


@pytest.mark.slow
def test_a_dry_run_tells_the_plan_and_writes_nothing(
    folder: Path, inverted: dict[str, object], direction: Path, tmp_path: Path
) -> None:
    def everything() -> set[Path]:
        return set(folder.rglob("*")) - set(folder.rglob("*.log"))

    before = everything()
    invert = ("invert", "clip.mp4", "--generator", TINY, "--preset", "fast", "--dry-run")
    fresh = json.loads(run(*invert, "--project", tmp_path / "new.stitch", "--json", cwd=folder).stdout)
    assert (fresh["frames"], fresh["faces"], fresh["finished"]) == (FRAMES, ["largest"], [])
    assert not (tmp_path / "new.stitch").exists()
    assert fresh["largest_crop_px"] == 64
    assert fresh["steps"]["tune"] > 0
    assert "track, align, encode, tune on record" in run(*invert, cwd=folder).stdout
    edit = ("edit", "--direction", direction, "--strength", "1.25", "--dry-run")
    plan = json.loads(run(*edit, "--json", cwd=folder).stdout)
    assert (plan["frames"], plan["edited_frames"], plan["faces"]) == (FRAMES, FRAMES, [1])
    assert (plan["stages"], plan["replaces"], plan["manifest"]) == ({"stitch": "not done yet"}, False, True)
    assert plan["output"].endswith("clip.push+1.25.mp4")
    assert plan["seconds"] > 0
    assert "nothing was written" in run(*edit, cwd=folder).stdout
    assert everything() == before
    assert "is the source clip itself" in error(run(*edit, "-o", "clip.mp4", cwd=folder, expect=2))


@pytest.mark.slow
def test_edit_gives_every_frame_back_with_time_and_sound(
    folder: Path, inverted: dict[str, object], direction: Path
) -> None:
    options = ("--direction", direction, "--strength", "1.5", "--json")
    summary = json.loads(run("edit", *options, "--lossless", cwd=folder).stdout)
    output = folder / "clip.push+1.5.mkv"
    assert (folder / summary["output"]).resolve() == output.resolve()
    source, edited = open_video(folder / "clip.mp4"), open_video(output)
    assert edited.info.audio_streams == source.info.audio_streams == 1
    changed = 0
    for before, after in zip(source, edited, strict=True):
        assert round(after.time / before.time_base) == before.pts, "to the tick; Matroska counts in decimals"
        assert before.size == after.size
        luma = before.planes["Y"].astype(int) - after.planes["Y"]
        changed += int((luma != 0).sum())
        assert (luma[:40] == 0).all(), "far from the face nothing may change"
    assert changed > 0
    assert (folder / summary["sheet"]).is_file()
    kept = json.loads(run("edit", *options, "--lossless", cwd=folder).stdout)
    assert set(kept["seconds"].values()) == {0.0}
    plan = json.loads(run("edit", *options, "--lossless", "--dry-run", cwd=folder).stdout)
    assert (plan["stages"], plan["replaces"], plan["seconds"]) == ({"stitch": "kept"}, False, 0)
    other = error(run("edit", *options, "--lossless", "--blender", "multiband", cwd=folder, expect=9))
    assert "blender was feather, is multiband" in other


@pytest.mark.slow
def test_evaluate_finds_source_and_project_and_counts_what_it_lacks(
    folder: Path, inverted: dict[str, object], direction: Path, tmp_path: Path
) -> None:
    options = ("--direction", direction, "--strength", "0:0,11:1.5", "--blender", "multiband", "--match-colours")
    summary = json.loads(run("edit", *options, "-o", "edit.mp4", "--json", cwd=folder).stdout)
    assert summary["edits"][0]["strength"] == [{"frame": 0, "strength": 0}, {"frame": 11, "strength": 1.5}]
    assert (folder / "clip.mp4.stitch" / "edits" / "push+0@0+1.5@11").is_dir()
    facts = json.loads(
        run(
            "evaluate", "edit.mp4", "--truth", "clip.mp4", "--json", cwd=folder, env={"STITCHEDIT_HOME": tmp_path}
        ).stdout
    )
    assert (facts["frames"], facts["edited_frames"], facts["asked"]) == (FRAMES, FRAMES, ["push"])
    figures = facts["figures"]
    assert figures["outside_max"]["value"] == 0
    assert figures["encoded_outside_mean"]["value"] < 1
    assert 5 < figures["inversion_psnr"]["value"] < 50
    assert figures["nearer_to_truth"]["value"] is None, "doing nothing cannot be beaten where the source is the truth"
    assert figures["truth_psnr"]["beside"]["doing nothing"] == 100
    assert facts["streams"] == {
        "largest_time_gap_s": 0,
        "sound_packets": facts["streams"]["sound_packets"],
        "sound_equal": True,
    }
    gaps = " ".join(facts["gaps"])
    assert "age, gender: weights 'faceres.bin' are not here: run `stitchedit weights fetch measuring`" in gaps
    assert "nearer_to_truth: the truth clip equals the source" in gaps
    assert all(f["value"] is not None or "gap" in f for f in figures.values())
    page = (folder / facts["page"]).read_text()
    assert page.count("<svg") > 10
    assert page.count("data:image/jpeg") == 2
    addresses = re.findall(r"http(?!-equiv)[^\"' ]*", page)
    assert set(addresses) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, "names of formats alone"
    kept = sorted((folder / "clip.mp4.stitch" / "evaluate").iterdir())
    text = run(
        "evaluate", "edit.mp4", "-o", tmp_path / "again.html", cwd=folder, env={"STITCHEDIT_HOME": tmp_path}
    ).stdout
    assert "inversion_psnr" in text
    assert sorted((folder / "clip.mp4.stitch" / "evaluate").iterdir()) == kept
    inversion = json.loads(run("evaluate", "clip.mp4.stitch", "--no-ceiling", "--json", cwd=folder).stdout)
    assert inversion["figures"]["inversion_psnr"] == figures["inversion_psnr"]
    assert inversion["page"].endswith("inversion.evaluation.html")


@pytest.mark.slow
def test_evaluations_that_cannot_be(folder: Path, inverted: dict[str, object], tmp_path: Path) -> None:
    source = open_video(folder / "clip.mp4")
    short, clip, project = tmp_path / "short.mp4", folder / "clip.mp4", folder / "clip.mp4.stitch"
    write_video(short, source, islice(source, 3))
    assert "no project behind" in error(run("evaluate", "short.mp4", cwd=tmp_path, expect=3))
    error(run("evaluate", project, "-o", "/proc/none/x.html", cwd=tmp_path, expect=9))
    bad: list[tuple[Path, dict[str, Any], type[StitcheditError], str]] = [
        (short, {"source": clip}, ConfigError, "has 3 frames of .* has 12 frames"),
        (project, {"truth": short}, ConfigError, "has 3 frames"),
        (project, {"embedding": "nope"}, ConfigError, "nope"),
        (project, {"source": short}, ProjectError, "is not the clip"),
        (tmp_path / "missing.mp4", {"project": project}, CannotOpen, "missing.mp4"),
        (project, {"truth": tmp_path / "missing.mp4"}, CannotOpen, "missing.mp4"),
        (tmp_path, {}, NotAProject, str(tmp_path)),
    ]
    for edit, options, family, words in bad:
        with pytest.raises(family, match=words):
            evaluate(edit, **options)
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.slow
def test_an_edit_of_a_region_changes_nothing_else(folder: Path, inverted: dict[str, object], direction: Path) -> None:
    options = ("--direction", direction, "--strength", "1.5", "--lossless", "--json")
    kept = set()
    for region in ("mouth", "head"):
        summary = json.loads(run("edit", *options, "--region", region, cwd=folder).stdout)
        assert Path(summary["output"]).name == f"clip.push+1.5.{region}.mkv"
        kept.add((folder / "clip.mp4.stitch" / "edits" / f"push+1.5.{region}").is_dir())
        places = places_of_project(Project.open(folder / "clip.mp4.stitch"), 50, (region,))
        clips = (open_video(folder / "clip.mp4"), open_video(folder / summary["output"]))
        for row, (before, after) in enumerate(zip(*clips, strict=True)):
            same, mask = before.planes["Y"] == after.planes["Y"], places.mask(row)
            assert same[mask == 0].all()
            assert same[mask > 0.9].mean() < 0.5
    assert kept == {True}
    wrong = run("edit", *options, "--region", "nose", cwd=folder, expect=ConfigError.exit_code)
    assert error(wrong) == "error: unknown region 'nose'"


@pytest.mark.slow
def test_preview_and_sheet(folder: Path, inverted: dict[str, object], direction: Path) -> None:
    regions = ("--region", "head", "--region", "eyes")
    out = run("preview", "--direction", direction, "--strength", 1, *regions, "-o", "p.png", cwd=folder)
    assert "p.png" in out.stdout
    run("sheet", "clip.mp4", "clip.mp4", "-o", "s.png", "--frames", 2, cwd=folder)
    assert (folder / "s.png").stat().st_size > 1000


@pytest.mark.slow
def test_edits_that_cannot_be(folder: Path, inverted: dict[str, object], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.ones((3, 7), np.float32))
    said = error(run("edit", "--direction", wrong, "--strength", 1, cwd=folder, expect=8))
    assert "[3, 7]" in said
    assert "smile" in run("edit", "--direction", "smil", "--strength", 1, cwd=folder, expect=8).stderr
    assert "made for" in error(run("edit", "--direction", "age", "--strength", 1, cwd=folder, expect=8))
    for strength in ("nan", "inf", "0:0,x"):
        error(run("edit", "--direction", "age", "--strength", strength, cwd=folder, expect=2))
    error(run("edit", "--direction", "age", "--direction", "smile", "--strength", 1, cwd=folder, expect=2))
    vector = tmp_path / "v.npy"
    np.save(vector, np.full(64, 0.01, np.float32))
    error(run("edit", "--direction", vector, "--strength", 1, "-o", "/proc/none/x.mp4", cwd=folder, expect=9))
    error(run("edit", "--direction", vector, "--strength", 1, "-o", "clip.mp4", cwd=folder, expect=2))
    mine = tmp_path / "mine.mp4"
    mine.write_text("somebody's")
    asked = ("edit", "--direction", vector, "--strength", 1, "-o", mine)
    assert "is there already" in error(run(*asked, cwd=folder, expect=9))
    assert json.loads(run(*asked, "--overwrite", "--dry-run", "--json", cwd=folder).stdout)["replaces"]
    assert mine.read_text() == "somebody's"


@pytest.mark.slow
def test_a_project_of_a_newer_schema(folder: Path, inverted: dict[str, object], tmp_path: Path) -> None:
    newer = tmp_path / "clip.mp4.stitch"
    newer.mkdir()
    text = (folder / "clip.mp4.stitch" / "project.toml").read_text()
    (newer / "project.toml").write_text(text.replace("schema = 1", "schema = 2"))
    assert "schema 2" in error(run("edit", newer, "--direction", "age", cwd=tmp_path, expect=3))


def test_clips_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").touch()
    for name in ("missing.mp4", "text.mp4", "folder.mp4", "empty.mp4"):
        assert name in error(run("invert", name, cwd=tmp_path, expect=4))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.mp4", "folder.mp4", "text.mp4"]


def test_a_clip_without_a_face(tmp_path: Path) -> None:
    source = open_video(CLIP)

    def blank() -> Iterator[object]:
        from stitchedit.video import paste

        for frame in islice(source, 3):
            width, height = frame.size
            yield paste(
                frame,
                np.full((height, width, 3), 90, np.uint8),
                np.ones((height, width), np.float32),
                (0, 0, width, height),
            )

    write_video(tmp_path / "blank.mp4", source, blank())  # type: ignore[arg-type]
    assert "no face" in error(run("invert", "blank.mp4", cwd=tmp_path, expect=5))
    assert [p.name for p in tmp_path.iterdir()] == ["blank.mp4"]


def test_no_project_here(tmp_path: Path) -> None:
    assert "no stitchedit project" in error(run("edit", "--direction", "age", cwd=tmp_path, expect=3))
    error(run("preview", cwd=tmp_path, expect=3))


def test_options_out_of_range(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(CLIP.read_bytes())
    assert "best" in error(run("invert", "clip.mp4", "--preset", "best", cwd=tmp_path, expect=2))
    error(run("invert", "clip.mp4", "--device", "tpu", cwd=tmp_path, expect=2))
    error(run("invert", "clip.mp4", "--space", "Z", cwd=tmp_path, expect=2))
    error(run("invert", "clip.mp4", "--encoder", "nope", cwd=tmp_path, expect=6))
    error(run("invert", "clip.mp4", "--generator", "nope", cwd=tmp_path, expect=6))
    error(run("invert", "clip.mp4", "--project", "/proc/none", cwd=tmp_path, expect=9))
    error(run("edit", cwd=tmp_path, expect=2))


def test_directions_list_and_doctor(tmp_path: Path) -> None:
    listed = json.loads(run("directions", "list", "--json", cwd=tmp_path).stdout)
    assert {"age", "smile", "identity"} <= {d["name"] for d in listed}
    facts = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)
    assert facts["weights mobilestylegan_ffhq_1024.safetensors"].startswith("ok")


@pytest.mark.slow
def test_a_stit_run_is_taken_over(tmp_path: Path) -> None:
    model = ROOT / "tests" / "golden" / "stit_model.stripped.pt"
    frames = 3
    source = open_video(CLIP)
    write_video(tmp_path / "clip.mp4", source, islice(source, frames))
    write_video(tmp_path / "longer.mp4", source, islice(source, frames + 1))
    assert f"{frames + 1} frames" in error(run("invert", "longer.mp4", "--from", model, cwd=tmp_path, expect=2))
    error(run("invert", "clip.mp4", "--from", TINY, cwd=tmp_path, expect=6))
    assert "--generator" in error(
        run("invert", "clip.mp4", "--from", model, "--generator", TINY, cwd=tmp_path, expect=2)
    )
    summary = json.loads(run("invert", "clip.mp4", "--from", model, "--json", cwd=tmp_path).stdout)
    assert summary["edited_frames"] == frames
    assert "taken over" in summary["tuning"]
