"""Which colours a picture means: its matrix, and the way from HDR or a wide gamut to BT.709 for SDR screens.

Files are followed where they say. Where they do not, HD is taken for BT.709 and SD for BT.601, as players do;
FFmpeg, and so every reader left alone, takes all of it for BT.601.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from corridor_cli.records import Pixels

    Floats = NDArray[np.float64]
    Table = NDArray[np.float32]
    Pixels16 = NDArray[np.uint16]

Transfer = Literal["sdr", "pq", "hlg"]

# FFmpeg's numbers of matrices (ITU-T H.273) that swscale knows, under the names PyAV gives them.
MATRICES = {
    1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip
# The shares of red and blue in luma, for those that are common.
LUMA_SHARES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
# Names of what a picture may need that other readers than PyAV leave out.
UNMARKED_HD = "BT.709 for HD that does not state its colours"
# The largest SD picture, PAL: what is wider or higher is HD.
MAX_SD_WIDTH_PX, MAX_SD_HEIGHT_PX = 1024, 576

# ITU-R BT.2100, table 4: the PQ curve. 1.0 stands for 10,000 cd/m².
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# BT.2100, table 5: the HLG curve, and the system gamma of its 1,000 cd/m² reference screen.
_HLG_A, _HLG_B, _HLG_C, _HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
# What HDR is mastered for, and how bright its white is meant (BT.2408). What a file states about its own
# mastering is not used: a frame met by seeking may lack what the first frame carried.
PEAK_NITS, WHITE_NITS = 1000.0, 203.0
# BT.1886, the screen SDR is made for.
_SDR_GAMMA = 2.4
# BT.2087: linear light of BT.2020 primaries as that of BT.709.
_FROM_2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# Light is a share of PQ's largest; tables are read by its square root, so that the dark has enough entries.
_MAX_NITS = 10_000.0
_LAST = 65535
# So many lines at a time: what is worked on stays in the cache.
_BLOCK_LINES = 8


@dataclass(frozen=True, slots=True)
class Rendering:
    """How R'G'B' is to be brought to an SDR screen: by which curve it was made, for which primaries."""

    transfer: Transfer = "sdr"
    is_wide: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to do."""
        return self.transfer == "sdr" and not self.is_wide

    def apply(self, picture: Pixels16) -> Pixels:
        """uint16 (H, W, 3) R'G'B' as stored, to uint8 for an SDR screen with BT.709 primaries.

        By tables: 0.1 s of one core for 1080p. From 8 bits PQ's steps would become up to 17 levels high.
        """
        starts = range(0, len(picture), _BLOCK_LINES)
        return np.concatenate([self._render(picture[at : at + _BLOCK_LINES]) for at in starts])

    def _render(self, block: Pixels16) -> Pixels:
        light = [np.take(_light_of_signal(self.transfer), block[..., channel]) for channel in range(3)]
        if self.transfer == "hlg":
            # The OOTF, which asks for the light of the scene from 0 to 1.
            luma = sum(share * each for share, each in zip(_LUMA_2020, light, strict=True))
            luma = luma * np.float32(_MAX_NITS / PEAK_NITS)
            light = [each * luma ** np.float32(_HLG_GAMMA - 1) for each in light]
        if self.transfer != "sdr":
            largest = np.maximum(np.maximum(light[0], light[1]), light[2])
            gain = np.take(_gain_of_light(), _root_index(largest))
            light = [each * gain for each in light]
        if self.is_wide:
            light = [sum(share * each for share, each in zip(row, light, strict=True)) for row in _FROM_2020]
        signal = _signal_of_light(self.transfer != "sdr")
        return np.stack([np.take(signal, _root_index(each)) for each in light], axis=-1)


def _root_index(light: Table) -> Pixels16:
    return (np.sqrt(np.clip(light, 0, 1)) * np.float32(_LAST)).astype(np.uint16)


def matrix_of(frame: VideoFrame) -> Colorspace:
    """The matrix of a Y'CbCr picture: the stated one, else by its size."""
    return MATRICES.get(int(frame.colorspace)) or guessed_matrix(frame.width, frame.height)


def guessed_matrix(width_px: int, height_px: int) -> Colorspace:
    """What an unmarked picture of this size most likely is; the size may be that before or after a turn."""
    long, short = max(width_px, height_px), min(width_px, height_px)
    is_hd = long > MAX_SD_WIDTH_PX or short > MAX_SD_HEIGHT_PX
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


def rendering_of(transfer: int, primaries: int) -> Rendering:
    """From FFmpeg's numbers (ITU-T H.273) for the transfer and the primaries of a frame or a stream."""
    names: dict[int, Transfer] = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg"}
    name = names.get(transfer, "sdr")
    is_unmarked = primaries == ColorPrimaries.UNSPECIFIED
    return Rendering(name, primaries == ColorPrimaries.BT2020 or (name != "sdr" and is_unmarked))


def as_bt709(picture: Pixels) -> Pixels:
    """uint8 (H, W, 3) that was made from Y'CbCr by the matrix of BT.601, as that of BT.709 makes it."""
    again = _rgb_matrix(*LUMA_SHARES[1]) @ np.linalg.inv(_rgb_matrix(*LUMA_SHARES[6]))
    mended = picture.astype(np.float32) @ again.T.astype(np.float32)
    return np.rint(np.clip(mended, 0, 255)).astype(np.uint8)


def limited_yuv(matrix: int) -> tuple[Floats, Floats]:
    """(3, 3) and (3,): how R'G'B' from 0 to 255 becomes Y'CbCr in limited range, by this matrix (H.273)."""
    shares = np.linalg.inv(_rgb_matrix(*LUMA_SHARES.get(matrix, LUMA_SHARES[6])))
    return shares * np.array([[219], [224], [224]]) / 255, np.array([16.0, 128.0, 128.0])


def _rgb_matrix(red: float, blue: float) -> Floats:
    """Y', Cb, Cr (chroma from -0.5 to 0.5) → R', G', B' for these shares of red and blue in luma."""
    cr, cb, green = 2 * (1 - red), 2 * (1 - blue), 1 - red - blue
    return np.array([[1, 0, cr], [1, -cb * blue / green, -cr * red / green], [1, cb, 0]])


def needs_of(frame: VideoFrame) -> tuple[str, ...]:
    """What is done to a picture of this kind beyond decoding and turning it; one line each."""
    rendering = rendering_of(frame.color_trc, frame.color_primaries)
    kind = frame.format
    is_full = frame.color_range == ColorRange.JPEG and not kind.name.startswith("yuvj")
    is_unmarked = int(frame.colorspace) not in MATRICES
    is_hd = guessed_matrix(frame.width, frame.height) == Colorspace.ITU709
    needs = {
        f"tone mapping of HDR ({rendering.transfer.upper()})": rendering.transfer != "sdr",
        "BT.2020 to BT.709": rendering.transfer == "sdr" and rendering.is_wide,
        "deinterlacing": frame.interlaced_frame,
        "a ground under what is transparent": any(component.is_alpha for component in kind.components),
        "full range": is_full and not kind.is_rgb,
        UNMARKED_HD: is_unmarked and is_hd and not kind.is_rgb,
    }
    return tuple(need for need, is_there in needs.items() if is_there)


def pq_to_nits(signal: Floats) -> Floats:
    """BT.2100 PQ EOTF: signal 0 to 1 as light in cd/m²."""
    power = np.clip(signal, 0, 1) ** (1 / _M2)
    return np.asarray(10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1))


def nits_to_pq(nits: Floats) -> Floats:
    """The inverse of `pq_to_nits`."""
    power = (np.maximum(nits, 0) / 10_000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def hlg_to_scene(signal: Floats) -> Floats:
    """BT.2100 HLG, inverse OETF: signal 0 to 1 as the light of the scene, 0 to 1."""
    is_low = signal <= 0.5
    return np.asarray(np.where(is_low, signal**2 / 3, (np.exp((signal - _HLG_C) / _HLG_A) + _HLG_B) / 12))


def compress(nits: Floats) -> Floats:
    """Light of up to `PEAK_NITS` brought under `WHITE_NITS` by the EETF of ITU-R BT.2390, section 5.4.1.

    Below 86 cd/m² nothing changes.
    """
    top = nits_to_pq(np.array(PEAK_NITS))
    level = np.minimum(nits_to_pq(nits) / top, 1)
    max_level = float(nits_to_pq(np.array(WHITE_NITS)) / top)
    knee = 1.5 * max_level - 0.5
    t = np.maximum(level - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * max_level
    )
    return pq_to_nits(np.where(level < knee, level, spline) * top)


@cache
def _light_of_signal(transfer: Transfer) -> Table:
    """Signal → light. HLG: what is still to be multiplied by its luma, so that all of it is light."""
    signal = np.arange(_LAST + 1) / _LAST
    if transfer == "sdr":
        return np.asarray(signal**_SDR_GAMMA, dtype=np.float32)
    if transfer == "pq":
        return np.asarray(pq_to_nits(signal) / _MAX_NITS, dtype=np.float32)
    return np.asarray(hlg_to_scene(signal) * PEAK_NITS / _MAX_NITS, dtype=np.float32)


@cache
def _gain_of_light() -> Table:
    """Largest component → what all three are multiplied by, so that colours keep their hue."""
    nits = np.maximum(_light_of_index() * _MAX_NITS, 1e-6)
    return np.asarray(compress(nits) / nits, dtype=np.float32)


@cache
def _signal_of_light(is_hdr: bool) -> Pixels:
    """Light → uint8 signal. `WHITE_NITS` of HDR, or all the light there is, become 255."""
    share = _light_of_index() * (_MAX_NITS / WHITE_NITS if is_hdr else 1)
    return np.rint(255 * np.clip(share, 0, 1) ** (1 / _SDR_GAMMA)).astype(np.uint8)


def _light_of_index() -> Floats:
    return np.asarray((np.arange(_LAST + 1) / _LAST) ** 2)
