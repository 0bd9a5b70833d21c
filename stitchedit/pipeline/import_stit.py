"""A run of the STIT program -> a project: its tuned generator, pivots and quads, taken over as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from stitchedit.config import LARGEST, InvertConfig
from stitchedit.errors import ConfigError, UnknownCheckpoint
from stitchedit.faces.alignment import crop, crop_size, to_source
from stitchedit.faces.mesh import landmark_inputs, mean_landmarks, mesh_points
from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import PictureFolder
from stitchedit.models.weights import load_generator, read_file, sha256_of
from stitchedit.pipeline.summaries import InvertSummary, finished
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.folder import INVERT_STAGES, Project, default_root
from stitchedit.project.records import Inputs
from stitchedit.types import Crops, FaceState, Latents, Tracks
from stitchedit.video import means_pictures, open_seen
from stitchedit.video.clip_hash import PicturesHash


def adopt(
    clip: Path, root: Path | None, run: Path, config: InvertConfig, *, progress: Progress = silent
) -> InvertSummary:
    """Make a project of `clip` and a STIT checkpoint `model_<run>.pt` that was trained on its frames.

    Raises: UnknownCheckpoint, when the file is no STIT run; ConfigError, when the clip has another number of frames.
    """
    found = read_file(run)
    if config.track.face != LARGEST or config.others:
        raise ConfigError("--face is given beside --from", "a STIT run is of one face: leave --face out")
    for name in ("generator", "encoder"):
        if getattr(config, name) != getattr(InvertConfig(), name):
            raise ConfigError(f"--{name} is given beside --from", f"a STIT run brings its own: leave --{name} out")
    if found.pivots is None or found.quads is None:
        raise UnknownCheckpoint(run, "it holds no pivots and quads", "--from takes STIT's checkpoints/model_RUN.pt")
    source = open_seen(clip, config.fps, config.colourspace)
    pivots, quads = found.pivots, found.quads.astype(np.float32)
    if source.count() != len(pivots) or len(pivots) != len(quads):
        raise ConfigError(
            f"{clip} has {source.count()} frames, {run} has {len(pivots)} pivots and {len(quads)} quads",
            "give the very clip, or the same stretch of it, that the run was trained on",
        )
    generator = load_generator(str(run))
    project = Project.create(root or default_root(clip))
    sha = project.take_source(
        clip, preset=config.preset, generator=str(run.resolve()), fps=config.fps, view=source.view
    )
    inputs: Inputs = {"source": sha, "run": sha256_of(str(run)), **landmark_inputs(config.landmarks)}
    for stage in INVERT_STAGES:
        project.records.forget(stage)
    # quads of whole-pixel landmarks: half a pixel short of our convention (align.py)
    quads = quads + 0.5
    landmarks = np.stack([to_source(mean_landmarks(), quad) for quad in quads]).astype(np.float32)
    info = source.info
    states = np.full(len(quads), FaceState.FOUND, np.uint8)
    tracks = Tracks(landmarks, states, (info.width, info.height), info.rate)
    artefacts.save_tracks(project.tracks, tracks)
    size = crop_size(quads, generator.exits, config.max_size)
    shutil.rmtree(project.crops, ignore_errors=True)
    make_folder(project.crops)
    pictures = PictureFolder(project.crops, len(quads), size)
    shown = PicturesHash()
    for frame in shown.of(source):
        pictures.save(frame.index, crop(frame.rgb(), quads[frame.index], size))
        progress("align", frame.index + 1, len(quads))
    if not means_pictures(clip):
        project.note_pictures(shown.hexdigest())
    crops = Crops(np.arange(len(quads)), quads, pictures, size)
    artefacts.save_crops(project.crops, crops, mesh_points(crops, tracks, progress, config.landmarks))
    for path in (project.latents, project.pivots):  # there they stay where they were
        artefacts.save_latents(path, Latents(_rows(pivots, generator.num_ws)))
    save_tensors(project.generator, generator.state_dict(), {})
    for stage in INVERT_STAGES:
        project.records.finish(stage, inputs)
    project.note("tuning", f"taken over from {run.name}")
    return finished(project, config.device, {})


def _rows(pivots: torch.Tensor, num_ws: int) -> np.ndarray:
    """[N, num_ws, w_dim], or [N, 1, w_dim] where all rows are the same."""
    ws = pivots.float().numpy()
    if ws.ndim != 3 or ws.shape[1] not in (1, num_ws):
        raise ConfigError(f"the run's pivots are {list(ws.shape)}, its generator takes {num_ws} rows", "check the file")
    return ws[:, :1].copy() if (ws == ws[:, :1]).all() else ws
