"""The kinds of files that strangers hand over: good ones to begin with, and what the program does with them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS / "e2e"), str(TESTS / "unit" / "stylegan2")]

FFMPEG = {
    "h264.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "faststart"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "ffv1.mkv": ("-c:v", "ffv1", "-c:a", "flac"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"),
    "mpeg2.ts": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "anim.gif": ("-an",),
    "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
}


class Kind(Protocol):
    def make(self, good: Path) -> list[str]:
        """Write good files; the names of those that are to be changed."""
        ...

    def lay(self, good: Path, case: Path, name: str, data: bytes) -> None:
        """A folder that is as good, but for one file."""
        ...

    def use(self, case: Path) -> None:
        """What the program does with the files of a user."""
        ...


class Alone:
    """Kinds of which a case is a single file."""

    def lay(self, good: Path, case: Path, name: str, data: bytes) -> None:
        shutil.rmtree(case, ignore_errors=True)
        case.mkdir(parents=True)
        (case / name).write_bytes(data)


class Checkpoint(Alone):
    """Networks in all formats: NVIDIA's, rosinality's, STIT's, e4e's, TensorFlow's, and ours."""

    def make(self, good: Path) -> list[str]:
        from test_hostile import CORPUS

        from stitchedit.models.generator import save_generator
        from stitchedit.stylegan2 import StyleGAN2
        from stitchedit.stylegan2.checkpoints import read_checkpoint
        from stitchedit.stylegan2.stored import write_stored

        good.mkdir()
        for name, data in CORPUS.items():
            (good / f"{name}.pt").write_bytes(data)
        network = StyleGAN2(made_for="x", z_dim=4, w_dim=4, img_resolution=8, mapping_layers=2, channels={4: 2, 8: 2})
        save_generator(network, good / "saved.safetensors", licence="none")
        write_stored(read_checkpoint(good / "rosinality zip.pt"), good / "stored.safetensors", {})
        return sorted(path.name for path in good.iterdir())

    def use(self, case: Path) -> None:
        from stitchedit.errors import UnknownCheckpoint
        from stitchedit.models import weights

        (path,) = case.iterdir()
        if path.name.startswith("e4e"):
            weights.read_file(path)
            return
        try:
            generator = weights.load_generator(str(path))
        except UnknownCheckpoint as exc:
            if "encoder" not in str(exc):
                raise
            return
        generator.synthesis(generator.mapping(torch.zeros(1, generator.z_dim)))


class StyleGAN3(Checkpoint):
    """The same door, for StyleGAN3: NVIDIA's pickles, torch files of bare tensors and of a training run, and ours."""

    def make(self, good: Path) -> list[str]:
        from checkpoint_files import nvidia_module, nvidia_pickle, stylegan3_state, torch_file

        from stitchedit.models import weights
        from stitchedit.models.generator import save_generator
        from stitchedit.stylegan2.checkpoints import read_checkpoint
        from stitchedit.stylegan2.stored import write_stored

        good.mkdir()
        state = stylegan3_state(num_critical=2)
        module = nvidia_module(state)
        module.modules["synthesis"].attributes = {"num_critical": 2, "num_fp16_res": 2, "output_scale": 0.25}
        (good / "p2.pkl").write_bytes(nvidia_pickle(module, 2))
        (good / "p4.pkl").write_bytes(nvidia_pickle(module, 4))
        (good / "bare.pt").write_bytes(torch_file(state))
        (good / "trained.pt").write_bytes(torch_file({"g_ema": state}, zipped=False))
        save_generator(weights.load_generator(good / "bare.pt"), good / "saved.safetensors", licence="none")
        write_stored(read_checkpoint(good / "p4.pkl"), good / "stored.safetensors", {})
        return sorted(path.name for path in good.iterdir())


class Vector(Alone):
    def make(self, good: Path) -> list[str]:
        from safetensors.numpy import save_file

        good.mkdir()
        vector = np.random.default_rng(0).normal(size=64).astype(np.float32)
        np.save(good / "w.npy", vector)
        np.save(good / "double.npy", np.asfortranarray(np.tile(vector, (10, 1)).astype(np.float64)))
        torch.save(torch.from_numpy(vector), good / "w.pt")
        torch.save(torch.from_numpy(vector), good / "old.pt", _use_new_zipfile_serialization=False)
        torch.save(torch.nn.Parameter(torch.from_numpy(vector)), good / "parameter.pt")
        save_file({"direction": vector}, good / "w.safetensors")
        return sorted(path.name for path in good.iterdir())

    def use(self, case: Path) -> None:
        (path,) = case.iterdir()
        move(str(path))


class EditFile(Alone):
    """Edits as the repositories of this field write them: components, mappers, statistics, tables."""

    def make(self, good: Path) -> list[str]:
        import edit_files

        good.mkdir()
        for number, write in enumerate(edit_files.WRITTEN.values()):
            (good / f"{number}").write_bytes(write())
        return sorted(path.name for path in good.iterdir())

    def use(self, case: Path) -> None:
        from edit_files import LAYERS, WIDTH

        from stitchedit.editing.edit_files import ChannelRelevance, Components, StyleStatistics, read_edit

        (path,) = case.iterdir()
        found = read_edit(path)
        assert "\n" not in found.said
        if not isinstance(found, StyleStatistics | ChannelRelevance):
            move(f"{path}#1:0:8" if isinstance(found, Components) else str(path), WIDTH, LAYERS)


class Toml:
    """A direction of a stranger: its description, its vector beside it."""

    def make(self, good: Path) -> list[str]:
        import hashlib

        good.mkdir()
        np.save(good / "push.npy", np.ones(64, np.float32))
        np.save(good / "bent.npy", np.ones((2, 64), np.float32))
        sha = hashlib.sha256((good / "push.npy").read_bytes()).hexdigest()
        kinds = {
            "plain": 'file = "push.npy"\n',
            "checked": f'file = "push.npy"\nsha256 = "{sha}"\nlayers = [2, 5]\nrange = [-3.0, 3.0]\n',
            "bends": 'file = "bent.npy"\nknots = [-1.0, 1.0]\n',
        }
        for name, more in kinds.items():
            (good / f"{name}.toml").write_text(
                f'name = "push"\nspace = "W"\nunit = "adds it once"\nmade_for = "any"\n{more}'
                'kind = "vector"\nfidelity = 0.7\nsource = "made up"\nlicence = "none"\n[effects]\nage = 1.5\n'
            )
        return [f"{name}.toml" for name in kinds]

    def lay(self, good: Path, case: Path, name: str, data: bytes) -> None:
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(good, case)
        (case / "given.toml").write_bytes(data)

    def use(self, case: Path) -> None:
        from stitchedit.editing.direction_catalogue import find_direction

        find_direction(str(case / "given.toml")).as_json()
        move(str(case / "given.toml"))


class Project:
    """A finished project with one edit."""

    def make(self, good: Path) -> list[str]:
        import killed_runs

        torch.set_num_threads(1)
        killed_runs.FRAMES = 2
        killed_runs.prepare(good)
        killed_runs.job(good)
        project = good / "clip.mp4.stitch"
        (project / "stitchedit.log").unlink(missing_ok=True)
        return sorted(
            str(path.relative_to(good))
            for path in project.rglob("*")
            if path.is_file() and path.name not in ("sheet.png", "000001.png")
        )

    def lay(self, good: Path, case: Path, name: str, data: bytes) -> None:
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(good, case)
        (case / name).unlink()
        (case / name).write_bytes(data)

    def use(self, case: Path) -> None:
        import killed_runs

        from stitchedit.errors import ProjectError
        from stitchedit.evaluation.clip_versions import places_of_project
        from stitchedit.evaluation.edit_origin import find_subject
        from stitchedit.files.image_folder import FinePictures
        from stitchedit.pipeline import face_edit
        from stitchedit.pipeline.inversion import InversionImages, load_inversion
        from stitchedit.pipeline.source_detail import softened
        from stitchedit.project.folder import Project
        from stitchedit.project.records import Records, inputs_of

        opened = Project.open(case / "clip.mp4.stitch")
        inverted = load_inversion(opened, "cpu")
        softened(inverted, 0.5)
        InversionImages(inverted)[0]
        inverted.batches.images([0], inverted.crops.size)
        inverted.source.count()
        places_of_project(opened).mask(0)
        folder = opened.edit_folder("push+1.5")
        records = Records.open_or_create(folder / "edit.toml")
        records.why_redo("stitch", inputs_of(killed_runs.INVERT), [])
        pictures = FinePictures(folder / "stitched", len(inverted.crops.frames), inverted.crops.size)
        [pictures[index] for index in range(len(pictures))]
        face_edit.read_log(folder / "stitch.json")
        opened.fact("notes", "tuning")
        del opened, inverted
        find_subject(folder, None, None)
        remade = Project.create(case / "clip.mp4.stitch")
        if remade.records.why_redo("track", {"source": "x"}, [remade.tracks]) is None:
            raise ProjectError("unlikely")
        remade.note("tuning", "x")
        remade.records.forget("track")


class Video(Alone):
    def make(self, good: Path) -> list[str]:
        import subprocess

        import imageio_ffmpeg

        from stitchedit.provenance.manifest import sealer
        from stitchedit.video import open_video, write_video

        good.mkdir()
        for name, codec in FFMPEG.items():
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error"]
            command += ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=24", "-f", "lavfi", "-i", "sine=r=48000"]
            subprocess.run([*command, "-t", "0.25", *codec, str(good / name)], check=True)
        clip, signed = open_video(good / "h264.mp4"), good / "signed.mp4"
        write_video(signed, clip, clip, seal=sealer(signed, good / "h264.mp4", "age +2", ""))
        return sorted([*FFMPEG, signed.name])

    def use(self, case: Path) -> None:
        from stitchedit.evaluation.edit_origin import asked_of
        from stitchedit.provenance.manifest import read_back
        from stitchedit.video import open_video, write_video

        (path,) = case.iterdir()
        asked_of(path)
        read_back(path)
        source = open_video(path)
        for frame in islice(source, 2):
            frame.rgb()
        write_video(path.with_name("out.mkv"), source, islice(source, 100), lossless=True)


class Pictures(Alone):
    """A shot of one numbered picture, with notes of every kind in it."""

    def make(self, good: Path) -> list[str]:
        import cv2
        import OpenEXR
        from PIL import Image

        good.mkdir()
        random = np.random.default_rng(0)
        deep, plain = random.integers(0, 65536, (24, 32, 4), np.uint16), random.integers(0, 256, (24, 32, 3), np.uint8)
        for name in ("deep.1.png", "deep.1.tif"):
            cv2.imwrite(str(good / name), deep)
        exif = Image.Exif()
        exif[0x010E] = "plate"
        for name, more in (("plain.1.png", {"exif": exif}), ("plain.1.jpg", {"exif": exif}), ("plain.1.tif", {})):
            Image.fromarray(plain).save(good / name, icc_profile=b"no profile at all", dpi=(72, 72), **more)
        light = {name: random.normal(0.5, 1, (24, 32)).astype("f2") for name in "RGBA"}
        for name, compression in (("zip", OpenEXR.ZIP_COMPRESSION), ("piz", OpenEXR.PIZ_COMPRESSION)):
            header = {"compression": compression, "type": OpenEXR.scanlineimage, "scene": "12A"}
            OpenEXR.File(header, dict(light)).write(str(good / f"{name}.1.exr"))
        return sorted(path.name for path in good.iterdir())

    def use(self, case: Path) -> None:
        from stitchedit.provenance.manifest import notice, read_back
        from stitchedit.video import open_video, paste, write_video

        (path,) = case.iterdir()
        read_back(path)
        source = open_video(case)
        patch, alpha = np.full((8, 8, 3), 99, np.uint8), np.full((8, 8), 0.5, np.float32)
        frames = (paste(frame, patch, alpha, (4, 4, 12, 12)) for frame in source)
        write_video(case / "out", source, frames, metadata=notice("age +2"))


def move(direction: str, w_dim: int = 64, channels: tuple[int, ...] = (64, 64)) -> None:
    """The step of `stitchedit edit`, on a generator of so many numbers in W and so many channels in each layer."""
    from types import SimpleNamespace

    from stitchedit.editing.move_latents import edit
    from stitchedit.types import Latents

    layers = tuple((f"b{k}.conv", n) for k, n in enumerate(channels))
    space = SimpleNamespace(made_for="any", num_ws=10, w_dim=w_dim, style_layers=lambda resolution=None: layers)
    space.styles = space.from_styles = space.style_layers  # nothing is drawn here
    edit(Latents(np.zeros((2, 1, w_dim), np.float32)), [(direction, 1.5)], space, force=True)


KINDS: dict[str, Callable[[], Kind]] = {
    "checkpoint": Checkpoint,
    "stylegan3": StyleGAN3,
    "vector": Vector,
    "edit": EditFile,
    "toml": Toml,
    "project": Project,
    "video": Video,
    "pictures": Pictures,
}
