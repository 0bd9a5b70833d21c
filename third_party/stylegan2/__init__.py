"""StyleGAN2 and the encoders that go with it."""

from stitchedit.stylegan2.networks import StyleGAN2

__all__ = ["StyleGAN2"]
