"""What every output says of itself: that faces in it were edited, by what, and how.

Twice over: as tags of the container, which anything reads and any copy may lose, and as a signed C2PA manifest in
formats that have a place for one, which also tells whether the file was changed since. Nothing here opens a connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stitchedit.errors import CannotEncode, CannotOpen, ConfigError
from stitchedit.files.utf8_path import as_text
from stitchedit.provenance.certificates import LOCAL_TEST, Identity, identity
from stitchedit.video.decoder import Decoder
from stitchedit.video.sequence_names import find_numbered, means_pictures
from stitchedit.video.sequence_reader import FORMATS as FORMATS_OF_PICTURES

if TYPE_CHECKING:
    from c2pa import Context

# IPTC's term for pictures of a camera into which parts made by a trained model were composed.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
TAG = "stitchedit"  # of the container
_FREE_TEXTS = ("comment", "description")  # where JPEG and TIFF keep all that they say
EDIT = "org.stitchedit.edit"  # the assertion of a manifest that holds what the tag holds
FORMATS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}  # that have a place for a manifest

Seal = Callable[[BinaryIO, BinaryIO], None]  # (the file, an empty one): writes the same with a manifest


def notice(said: str) -> dict[str, str]:
    """The container's tags for an edit such as "age +2"."""
    version = metadata.version("stitchedit")
    return {
        "comment": f"Faces in this video were edited with stitchedit {version} ({said}): it is no true record.",
        TAG: json.dumps({"version": version, "edit": said, "digitalSourceType": SOURCE_TYPE}),
    }


def sealer(output: Path, source: Path, said: str, source_sha256: str) -> Seal | None:
    """What signs an output; None, where its format has no place for a manifest.

    Args:
        output, source: the video to be, and the clip it is made of, of which the manifest tells as its origin.
        said: the edit, as in `notice`.
    Raises: ConfigError, when the user's certificate cannot be used. It is tried here, before any work.
    """
    form = FORMATS.get(output.suffix.lower())
    if form is None:
        return None
    signer = identity()
    _signer(signer).close()
    return partial(_seal, signer, output, source, said, source_sha256)


def _signer(signer: Identity) -> Any:
    from c2pa import C2paError, C2paSignerInfo, Signer

    try:
        return Signer.from_info(C2paSignerInfo(signer.algorithm, signer.chain.encode(), signer.key.encode(), None))
    except C2paError as exc:
        raise ConfigError(f"the certificate cannot sign C2PA manifests: {exc}", "see README, Provenance") from exc


def _seal(
    signer: Identity, output: Path, source: Path, said: str, source_sha256: str, done: BinaryIO, sealed: BinaryIO
) -> None:
    """Raises: CannotEncode; OSError, when the disk is full."""
    from c2pa import Builder, C2paError

    form, context = FORMATS[output.suffix.lower()], _offline()
    tool = {"name": "stitchedit", "version": metadata.version("stitchedit")}
    facts = {"edit": said, "source_sha256": source_sha256, "digitalSourceType": SOURCE_TYPE, **tool}
    edited = {
        "action": "c2pa.edited",
        "description": f"faces edited: {said}",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": tool,
    }
    origin = _origin(source, context)
    opened: dict[str, Any] = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": tool}
    if origin is not None:
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["source"]}}
    manifest = {
        "claim_generator_info": [tool],
        "title": as_text(output.name),
        "format": form,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}},
            {"label": EDIT, "data": facts},
        ],
    }
    reads, writes = _Told(done), _Told(sealed)
    done.seek(0)
    try:
        with Builder(manifest, context) as builder, _signer(signer) as signing:
            if origin is not None:
                with source.open("rb") as file:
                    builder.add_ingredient(origin, FORMATS[source.suffix.lower()], file)
            builder.sign(signing, form, reads, writes)
    except C2paError as exc:
        for stream in (reads, writes):
            if stream.error is not None:
                raise stream.error from exc
        raise CannotEncode(output, f"its C2PA manifest: {exc}", "use --metadata-only") from exc


def _origin(source: Path, context: Context) -> dict[str, str] | None:
    """The source as the edit's origin, with any manifest of its own; None, where it cannot be told."""
    from c2pa import Builder, C2paError

    form = FORMATS.get(source.suffix.lower())
    origin = {"title": as_text(source.name), "relationship": "parentOf", "label": "source"}
    if form is None:
        return None
    try:
        with Builder({}, context) as trial, source.open("rb") as file:
            trial.add_ingredient(origin, form, file)
    except C2paError:  # its name says another format than it has, or it is damaged
        return None
    return origin


def _offline() -> Context:
    """Settings of the library that fetch nothing, whatever a file asks for."""
    from c2pa import Context

    return Context.from_dict(
        {
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


class _Told:
    """A file that remembers the error of a call from the library, which would only say that there was one."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.error = file, None  # type: tuple[BinaryIO, BaseException | None]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.file, name)

        def call(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except BaseException as exc:
                self.error = self.error or exc
                raise

        return call if callable(method) else method


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a file says of itself."""

    edits: tuple[str, ...]  # by the container's tags, oldest first; empty: no notice
    source_type: str  # IPTC's term in the tags
    c2pa: str  # "none", or what the manifest is found to be: "valid", "trusted", "invalid"
    signed_by: str
    local_test: bool  # by a certificate that names nobody
    c2pa_edits: tuple[str, ...]  # by the manifest
    problems: tuple[str, ...]  # C2PA's codes of what failed

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        notice = f"edited with stitchedit: {'; '.join(self.edits)} ({self.source_type})" if self.edits else "none"
        said = [f"notice in the metadata: {notice}"]
        if self.c2pa == "none":
            return [*said, "C2PA manifest: none", *self.problems]
        by = f"{self.signed_by}, a local test certificate" if self.local_test else self.signed_by
        said.append(f"C2PA manifest: {self.c2pa}; signed by {by}")
        said += [f"C2PA edit: {edit}" for edit in self.c2pa_edits]
        return said + [f"C2PA problem: {code}" for code in self.problems]


def read_back(path: Path) -> Provenance:
    """What a video, a picture or a shot of pictures says of itself. Raises CannotOpen, when it is none."""
    files = find_numbered(path).files if means_pictures(path) else (path,)
    each = [notices(notice_text(file)) for file in files]
    silent = [file.name for file, told in zip(files, each, strict=True) if not told]
    told = each[0] if not silent else []
    edits = tuple(str(each.get("edit", "unknown")) for each in told)
    kinds = [str(each.get("digitalSourceType", "")) for each in told]
    found = _manifest(path)
    if found is None:
        problems = (f"no notice in {silent[0]}, one of {len(files)}",) if silent and len(files) > 1 else ()
        return Provenance(edits, kinds[-1] if kinds else "", "none", "", False, (), problems)
    active = found.get("manifests", {}).get(found.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    mine = tuple(
        str(assertion["data"].get("edit", "unknown"))
        for manifest in found.get("manifests", {}).values()
        for assertion in manifest.get("assertions", [])
        if assertion.get("label") == EDIT and isinstance(assertion.get("data"), dict)
    )
    return Provenance(
        edits,
        kinds[-1] if kinds else "",
        str(found.get("validation_state", "invalid")).lower(),
        str(signature.get("common_name") or signature.get("issuer") or "unknown"),
        signature.get("common_name") == LOCAL_TEST,
        mine,
        tuple(sorted({str(status.get("code")) for status in found.get("validation_status", [])})),
    )


def notice_text(path: Path) -> str:
    """Where a file keeps its notice, as text; for `notices`. Raises CannotOpen."""
    pictures = FORMATS_OF_PICTURES.get(path.suffix.lower())
    if pictures is not None:
        return "\n".join(text for key, text in pictures.notes(path) if key.lower() in (TAG, *_FREE_TEXTS))
    with closing(Decoder(path)) as decoder:
        tags = {key.lower(): value for key, value in decoder.container.metadata.items()}
    return tags.get(TAG, tags.get("comment", "") if decoder.container.format.name == "gif" else "")


def notices(text: str) -> list[dict[str, Any]]:
    """The notices in the container's tag `TAG`: a clip edited twice has two."""
    found, decoder = [], json.JSONDecoder()
    while "{" in text:
        try:
            value, end = decoder.raw_decode(text, text.index("{"))
        except (ValueError, RecursionError):
            break
        if isinstance(value, dict):
            found.append(value)
        text = text[end:]
    return found


def asks_for(path: Path, said: str) -> bool:
    """Whether a file's last notice tells of this edit."""
    try:
        told = notices(notice_text(path))
    except CannotOpen:
        return False
    return bool(told) and told[-1].get("edit") == said


def _manifest(path: Path) -> dict[str, Any] | None:
    """The file's C2PA manifests as the library tells them; None, where there are none."""
    from c2pa import C2paError, Reader

    form = FORMATS.get(path.suffix.lower())
    if form is None:
        return None
    try:
        with path.open("rb") as file, Reader(form, file, context=_offline()) as reader:
            found: dict[str, Any] = json.loads(reader.json())
            return found
    except C2paError.ManifestNotFound:
        return None
    except (C2paError, ValueError, RecursionError) as exc:
        return {"validation_state": "invalid", "validation_status": [{"code": str(exc)[:200]}]}
