"""What is to be evaluated: an edited clip, or a project's unedited inversion, and the clip and project behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stitchedit.errors import CannotOpen, NotAProject, ProjectError
from stitchedit.project.folder import PERSONS, SUFFIX, Project, root_of
from stitchedit.project.outputs import find_output
from stitchedit.project.records import Records
from stitchedit.provenance.manifest import notice_text, notices
from stitchedit.video.sequence_names import find_numbered, means_pictures


@dataclass(frozen=True, slots=True)
class Subject:
    """An edit and where it came from."""

    name: str  # for titles and file names
    video: Path | None  # the edited clip; None: the project's inversion, put back unedited
    source: Path
    project: Project | None  # None: a clip of unknown origin
    records: Records | None  # of the edit in the project; None: the project did not write this very file
    directions: tuple[str, ...]  # what was asked for, as far as it is known
    face: int | None = None  # its number, where several faces of the clip are edited


def find_subject(edit: Path, project: Path | None, source: Path | None) -> Subject:
    """Who made an edit, and of what.

    Args:
        edit: an edited clip, an edit's folder in a project, or a project (for its inversion).
        project: where the edit's file does not lie beside its project.
        source: the clip it was made of, for edits that no project is behind.
    Raises: ProjectError, when nothing is known about the edit; NotAProject, for a folder that is none.
    """
    project = None if project is None else root_of(project)
    if edit.is_dir() and not _holds_pictures(edit):
        if (edit / "project.toml").is_file():
            opened = Project.open(edit)
            return Subject("inversion", None, source or opened.require_source(), opened, None, (), face_of(opened))
        if not (edit / "edit.toml").is_file():
            raise NotAProject(edit)
        records = Records.read(edit / "edit.toml")
        opened = Project.open(edit.resolve().parents[1])
        video, _ = records.output("video")
        return _subject(video, opened, records, source)
    roots = [project] if project is not None else _nearby(edit, source)
    for root in roots:
        opened = Project.open(root)
        records_of_edit = _written_by(opened, edit)
        if records_of_edit is not None:
            return _subject(edit, opened, records_of_edit, source)
    if project is not None:
        return _subject(edit, Project.open(project), None, source)
    if source is None:
        raise ProjectError(
            f"no project behind {edit}", "name it with --project DIR, or the clip it was made of with --source CLIP"
        )
    return Subject(edit.stem, edit, source, None, None, asked_of(edit))


def _subject(video: Path, project: Project, records: Records | None, source: Path | None) -> Subject:
    face = face_of(project)
    return Subject(video.stem, video, source or project.require_source(), project, records, asked_of(video, face), face)


def face_of(project: Project) -> int | None:
    """The number of a project's face among those that are edited together; None, where it is the only one."""
    if project.root.resolve().parent.name == PERSONS and project.root.name.isdecimal():
        return int(project.root.name)
    return 1 if project.faces > 1 else None


def asked_of(video: Path, face: int | None = None) -> tuple[str, ...]:
    """The directions that a clip's last notice names; none, where it carries no notice.

    Args:
        face: leaves out what was asked for other faces than this one.
    """
    try:
        told = notices(notice_text(find_numbered(video).files[0] if means_pictures(video) else video))
    except CannotOpen:
        return ()
    said = told[-1].get("edit", "") if told else ""
    asked = []
    for part in str(said).split(", "):
        edit, _, whom = part.removesuffix(")").partition(" (face ")
        if " " in edit and (face is None or not whom or str(face) in whom.split(" and ")):
            asked.append(edit.rsplit(" ", 1)[0])
    return tuple(asked)


def _holds_pictures(folder: Path) -> bool:
    try:
        return not (folder / "project.toml").exists() and bool(find_numbered(folder).files)
    except CannotOpen:
        return False


def _nearby(edit: Path, source: Path | None) -> list[Path]:
    """Projects beside the edit, in the working folder, and beside the source."""
    folders = [edit.resolve().parent, Path.cwd(), *([source.resolve().parent] if source else [])]
    places = (f"*{SUFFIX}/project.toml", f"*{SUFFIX}/{PERSONS}/*/project.toml")
    found = (record.parent for folder in folders for place in places for record in sorted(folder.glob(place)))
    return list(dict.fromkeys(found))


def _written_by(project: Project, video: Path) -> Records | None:
    """The record of the edit that wrote this very file: known by its content, so that it may have been moved."""
    if not video.is_file() and not means_pictures(video):
        return None
    for path in sorted(project.root.glob("edits/*/edit.toml")):
        records = Records.read(path)
        output = find_output(records, video)
        if output is not None:
            return output.as_of(records)
    return None
