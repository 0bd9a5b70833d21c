"""The head of every frame as a map, made once a project and kept."""

from __future__ import annotations

from stitchedit.faces import head_segmentation
from stitchedit.faces.head_parser import SIZE, WEIGHTS
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import pictures_bytes, require_disk_space
from stitchedit.files.image_folder import PictureFolder
from stitchedit.masks.region_shape import Shapes, face_shapes
from stitchedit.masks.regions import RegionShapes
from stitchedit.models.bundled_weights import SHA256
from stitchedit.progress import Progress
from stitchedit.project.folder import Project
from stitchedit.project.records import Inputs, Records, fingerprint_of
from stitchedit.types import Crops, FacePoints, Tracks


def project_shapes(
    project: Project, regions: tuple[str, ...], crops: Crops, points: FacePoints, tracks: Tracks, progress: Progress
) -> Shapes:
    """The shapes for a clip; head maps are made unless the project has them, and kept there."""
    if regions == ("face",):
        return face_shapes(points)
    if "head" not in regions:
        return RegionShapes(regions, points, None)
    folder = project.root / "regions" / "head"
    maps = PictureFolder(folder, len(crops.frames), SIZE)
    records = Records.open_or_create(folder.parent / "regions.toml")
    inputs = head_inputs(project)
    if records.why_redo("head", inputs, [maps.path(k) for k in (0, len(maps) - 1)]) is not None:
        make_folder(folder)
        require_disk_space(folder, pictures_bytes(len(maps), SIZE) // 3)
        records.forget("head")
        head_segmentation.head_maps(crops, points, tracks.runs, maps.save_map, progress)
        records.finish("head", inputs)
    return RegionShapes(regions, points, maps)


def head_inputs(project: Project) -> Inputs:
    """What head maps depend on."""
    networks = "".join(SHA256[name] for name in ("selfie_segmentation.tflite", WEIGHTS))
    return {"align": project.records.fingerprint("align"), "networks": networks, "version": head_segmentation.VERSION}


def region_inputs(project: Project, regions: tuple[str, ...]) -> dict[str, str]:
    """What an edit depends on besides, for another region than the face."""
    if regions == ("face",):
        return {}
    maps = {"head_maps": fingerprint_of(head_inputs(project))} if "head" in regions else {}
    return {"region": "+".join(regions)} | maps
