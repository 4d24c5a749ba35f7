"""What cameras and codecs do to a picture: shading, exposure, blur, bars, block artefacts, noise."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .grounds import XS, YS, fractal, uniform
from .labels import SIZE_PX


def _often(count: int, share: float, generator: Generator) -> Tensor:
    return uniform(count, 0, 1, generator) < share


def shade(pictures: Tensor, generator: Generator) -> Tensor:
    """Uneven light: soft shadows, a vignette, grain of the surface."""
    count = len(pictures)
    shadow = 1 + fractal(count, 1, generator) * uniform(count, 0, 0.25, generator)
    vignette = 1 - (XS.square() + YS.square()) * uniform(count, -0.05, 0.4, generator)
    shaded = pictures * torch.where(_often(count, 0.5, generator), shadow, 1.0)
    return shaded * torch.where(_often(count, 0.3, generator), vignette, 1.0)


def expose(pictures: Tensor, generator: Generator) -> Tensor:
    """Gain, gamma, lifted blacks, saturation and a tint, each in a part of the pictures."""
    count = len(pictures)
    pictures = pictures.clamp(0, 1.3)
    gray = pictures.mean(dim=1, keepdim=True)
    saturation = torch.where(_often(count, 0.4, generator), uniform(count, 0.0, 1.4, generator), 1.0)
    pictures = gray + (pictures - gray) * saturation
    tint = 1 + 0.12 * torch.randn((count, 3, 1, 1), generator=generator)
    pictures = pictures * torch.where(_often(count, 0.3, generator), tint, 1.0)
    gain = uniform(count, -2.2, 0.7, generator).exp2()
    pictures = pictures * torch.where(_often(count, 0.45, generator), gain, 1.0)
    gamma = uniform(count, -0.9, 0.9, generator).exp2()
    curved = pictures.clamp(0, 1).pow(gamma)
    pictures = torch.where(_often(count, 0.35, generator), curved, pictures)
    lift = uniform(count, 0.0, 0.35, generator)
    return torch.where(_often(count, 0.2, generator), lift + pictures * (1 - lift), pictures)


def blur(pictures: Tensor, generator: Generator) -> Tensor:
    """Out of focus: the picture goes through a smaller one and back."""
    sizes = (20, 36, 60)
    size = sizes[int(torch.randint(len(sizes), (1,), generator=generator))]
    small = F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
    soft = F.interpolate(small, size=(SIZE_PX, SIZE_PX), mode="bicubic")
    return torch.where(_often(len(pictures), 0.3, generator), soft, pictures)


def add_bars(pictures: Tensor, generator: Generator) -> Tensor:
    """Letterbox or pillarbox bars, nearly always black."""
    count = len(pictures)
    half = uniform(count, 0.55, 0.95, generator)
    off = torch.where(_often(count, 0.5, generator), YS, XS).abs() > half
    level = torch.where(_often(count, 0.85, generator), 0.0, uniform(count, 0, 1, generator))
    return torch.where(off & _often(count, 0.14, generator), level, pictures)


def _cosines() -> Tensor:
    """The orthonormal 8 x 8 DCT matrix."""
    rows = torch.arange(8.0)[:, None]
    matrix = torch.cos((2 * torch.arange(8.0) + 1) * rows * torch.pi / 16) * 0.5
    matrix[0] /= 2**0.5
    return matrix


_DCT = _cosines()
_STEPS = 0.012 * (1 + torch.arange(8.0)[:, None] + torch.arange(8.0))


def compress(pictures: Tensor, generator: Generator) -> Tensor:
    """Quantise 8 x 8 blocks of coefficients, coarser for high frequencies, as JPEG and H.264 do."""
    count = len(pictures)
    blocks = pictures.unfold(2, 8, 8).unfold(3, 8, 8)
    step = _STEPS * uniform(count, 0.3, 6.0, generator)[..., None, None]
    coefficients = ((_DCT @ blocks @ _DCT.T) / step).round() * step
    blocks = _DCT.T @ coefficients @ _DCT
    coded = blocks.permute(0, 1, 2, 4, 3, 5).reshape(pictures.shape)
    return torch.where(_often(count, 0.35, generator), coded, pictures)


def add_noise(pictures: Tensor, generator: Generator) -> Tensor:
    """Sensor noise."""
    count = len(pictures)
    noise = torch.randn(pictures.shape, generator=generator) * uniform(count, 0.0, 0.08, generator)
    return torch.where(_often(count, 0.35, generator), pictures + noise, pictures)
