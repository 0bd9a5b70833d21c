"""StyleGAN2 and the encoders that go with it."""

from stitchedit.stylegan2.encoder import ENCODERS, Encoder4Editing, GradualStyleEncoder, encoder_picture
from stitchedit.stylegan2.networks import StyleGAN2

__all__ = ["ENCODERS", "Encoder4Editing", "GradualStyleEncoder", "StyleGAN2", "encoder_picture"]
