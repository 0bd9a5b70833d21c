"""What `stitchedit doctor` shows: everything to know about an installation when something does not work."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata

PACKAGES = ("torch", "numpy", "av", "dlib-bin", "ai-edge-litert", "opencv-python-headless", "safetensors", "typer")
OPTIONAL = ("onnxruntime", "lpips")


def examine() -> dict[str, str]:
    """Names and findings, in the order to show them; a thing that is missing says so and what it is for."""
    import av
    import torch

    facts = {
        "stitchedit": metadata.version("stitchedit"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
    }
    facts |= {name: _version(name) for name in PACKAGES}
    facts |= {f"{name} (optional)": _version(name) for name in OPTIONAL}
    facts["ffmpeg libraries"] = ", ".join(
        f"{name} {'.'.join(map(str, version))}" for name, version in sorted(av.library_versions.items())
    )
    facts["encoders"] = ", ".join(f"{c}: {'yes' if c in av.codecs_available else 'no'}" for c in ("libx264", "ffv1"))
    facts["cpu threads"] = str(torch.get_num_threads())
    facts["cuda device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none (the CPU is used)"
    facts["compiler for the fused ops"] = _first_line("nvcc", "--version") if torch.version.cuda else "not needed"
    facts |= {f"weights {name}": state for name, state in _weights().items()}
    return facts


def _weights() -> dict[str, str]:
    """The files of the wheel, each hashed."""
    from stitchedit.errors import WeightsError
    from stitchedit.models.bundled_weights import SHA256, packaged_file

    states = {}
    for name in SHA256:
        try:
            path = packaged_file(name)
            states[name] = f"ok, {path.stat().st_size / 1e6:.1f} MB"
        except WeightsError as exc:
            states[name] = f"{exc}; {exc.hint}"
    return states


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _first_line(*command: str) -> str:
    """The last line that a tool says of its version."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} not found: the plain torch form of the ops is used"
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (result.stdout or result.stderr).strip().splitlines()[-1]
