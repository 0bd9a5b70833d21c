"""One of each kind that stitchedit can be given more of, as short as they can be."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from stitchedit.faces.mesh import mean_face
from stitchedit.metrics import Metric
from stitchedit.models.generator import GeneratorFamily
from stitchedit.types import Latents


def hard_edge(source, edited, alpha):
    """A blender: the edit wherever alpha is not 0."""
    return edited, (alpha > 0).astype(np.float32) * np.minimum(2 * alpha, 1)


def mean_of_w(device, generator, space):
    """An encoder: the mean of W for every crop."""

    def encode(batches, generator, perceptual, config, *, seed=0, progress=None):
        row = generator.w_avg.detach().cpu().numpy()
        return Latents(np.tile(row, (len(batches), 1 if config.space == "W" else generator.num_ws, 1)))

    return encode, "mean of W"


def average_face(image):
    """A landmark model: the same face everywhere."""
    return mean_face()[0].copy(), 1.0


def mean_colour(picture, landmarks):
    """An identity embedding: the mean colour, of length 1."""
    mean = picture.reshape(-1, 3).mean(0).astype(np.float32) + 1
    return mean / np.linalg.norm(mean)


def darkening(output, source, mask):
    """By how many grey levels the edit is darker inside the mask."""
    inside = mask > 0.5
    return float(source[inside].mean() - output[inside].mean()) if inside.any() else float("nan")


DARKENING = Metric("light", "how much darker the face is", "grey levels", "near", 0.0, within=2.0, of_frame=darkening)


class Plain(nn.Module):
    """A generator: a grey square whose shade w sets."""

    architecture, made_for = "plug-plain", "plain-64"
    z_dim = w_dim = 4
    num_ws, resolution, exits = 2, 64, (64,)

    def __init__(self, shade=0.5):
        super().__init__()
        self.shade = shade
        self.colour = nn.Parameter(torch.full((3,), shade))
        self.register_buffer("w_avg", torch.zeros(self.w_dim))

    @property
    def config(self):
        return {"shade": self.shade}

    def mapping(self, z, *, truncation_psi=1.0, truncation_cutoff=None):
        w = torch.tanh(z)[:, None].repeat(1, self.num_ws, 1)
        return self.w_avg + truncation_psi * (w - self.w_avg)

    def synthesis(self, ws, *, noise_mode="const", resolution=None):
        shade = self.colour + ws.mean(dim=(1, 2))[:, None]  # [B, 3]
        return shade[:, :, None, None].expand(-1, -1, self.resolution, self.resolution)

    def layer_px(self, name):
        return self.resolution


def read_plain(path: Path):
    """The generator of a file that begins with `plain`, and then says its shade."""
    start = path.read_bytes()[:20]
    return Plain(float(start[5:])) if start.startswith(b"plain") else None


PLAIN = GeneratorFamily(Plain, read_plain)
