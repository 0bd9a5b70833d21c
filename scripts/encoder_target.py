"""What the codes of the W encoder are judged by: pixels, perceptual features, identity. Used by train_encoder.py."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
import torch
from encoder_data import Samples, face_weight
from sample_tables import read_identities
from torch import Tensor

from stitchedit.inversion.latent_optimization import Prior, w_prior
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import MobileNetPerceptual

PIXEL, PERCEPTUAL, IDENTITY = 1.0, 1.0, 0.5


@dataclass
class Target:
    """What a code is judged by."""

    generator: Generator
    perceptual: MobileNetPerceptual
    prior: Prior
    weight: Tensor  # [1, 1, 256, 256] where the picture counts, mean 1
    read: Tensor  # [w_dim, 128] identity embedding a unit of w
    read_mean: Tensor  # [128] embedding at the mean w

    def picture(self, u: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel and perceptual distance [B] of what whitened codes [B, D] draw to images [B, 3, 256, 256]."""
        drawn = self.generator.synthesis(self.prior.w(u)[:, None], resolution=image.shape[-1])
        with torch.no_grad():
            wanted = self.perceptual.features(image)
        look = self.perceptual.distance(self.perceptual.features(drawn), wanted, self.weight)
        return ((drawn - image).square() * self.weight).mean((1, 2, 3)), look

    def identity(self, u: Tensor, embeddings: Tensor) -> Tensor:
        """Squared distance [B] of the embeddings that codes are expected to have to [B, 128]."""
        return (self.read_mean + (u @ self.prior.color) @ self.read - embeddings).square().sum(-1)

    def metric(self, w: Tensor) -> Tensor:
        """J'J of the three together with respect to u at the codes w [N, D], averaged: [D, D]."""
        gradients = []
        for index, code in enumerate(w):
            code = code[None].requires_grad_()
            image = self.generator.synthesis(code[None], resolution=self.weight.shape[-1])
            random = torch.Generator().manual_seed(index)
            parts = [(image * self.weight.sqrt(), PIXEL / image.numel())]
            features = self.perceptual.features(image)
            for feature in features:
                weight = torch.nn.functional.adaptive_avg_pool2d(self.weight, feature.shape[-2:])
                parts.append((feature * (weight / weight.sum()).sqrt(), PERCEPTUAL / len(features)))
            total = sum((p * torch.randn(p.shape, generator=random)).sum() * share**0.5 for p, share in parts)
            gradients.append(torch.autograd.grad(total, code)[0][0])
        rows = torch.stack(gradients) @ self.prior.color
        identity = self.prior.color @ self.read
        return rows.T @ rows / len(rows) + IDENTITY * identity @ identity.T


def make_target(generator: Generator, samples: Samples) -> Target:
    prior = w_prior(generator)
    with np.load(str(resources.files("stitchedit") / "directions" / "identity.npz"), allow_pickle=False) as file:
        read = torch.from_numpy(file["embed"].astype(np.float32)).T
    some = slice(0, 200)
    offset = torch.from_numpy(samples.w[some]) - prior.mean
    read_mean = (torch.from_numpy(read_identities(samples.pictures[some])) - offset @ read).mean(0)
    weight = torch.from_numpy(face_weight())[None, None]
    return Target(generator, MobileNetPerceptual(), prior, weight, read, read_mean)
