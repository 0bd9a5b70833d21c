"""The default generator's networks. They know nothing of files."""

from stitchedit.mobilestylegan.layers import haar, inverse_haar
from stitchedit.mobilestylegan.networks import MobileStyleGAN

__all__ = ["MobileStyleGAN", "haar", "inverse_haar"]
