"""StyleGAN3, configurations T and R. The networks know nothing of files."""

from stitchedit.stylegan3.networks import StyleGAN3

__all__ = ["StyleGAN3"]
