"""The default generator's networks. They know nothing of files."""

from stitchedit.mobilestylegan.networks import MobileStyleGAN
from stitchedit.mobilestylegan.wavelet import haar, inverse_haar

__all__ = ["MobileStyleGAN", "haar", "inverse_haar"]
