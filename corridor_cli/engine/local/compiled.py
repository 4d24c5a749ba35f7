"""The vision pass compiled, once it has run long enough that compiling is likely to repay.

How much work is still to come nobody in this process knows. So it is bought as one buys what one has rented
for its price: when the time lost to the plain pass has come to what compiling costs, which never costs more
than twice the best that could have been done.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.local.timing import PassTimes
from corridor_cli.engine.local.vision import Encode
from corridor_cli.engine.recovery import describe
from corridor_cli.hardware import keep_measurement, kept_measurement

# Assumed until measured on a GPU: what compiling takes where it was never done, and what share of the plain
# pass it saves (fused norms, GELU and residuals).
_PRICE_SECONDS = 60.0
_SAVED_SHARE = 0.2
_MEASUREMENT = "vision_compile"


def compile_encoder(encode: Encode) -> Encode:
    """Inductor with measured kernels, for one shape; steps have graphs of their own, so none here."""
    compiled: Encode = torch.compile(encode, mode="max-autotune-no-cudagraphs", dynamic=False)
    return compiled


class CompiledEncoder:
    """Encodes tiles (N, 3, side, side) by the plain pass, and by a compiled one for the N it was made for.

    `key` names machine and network: what compiling took is kept under it, and is far less the second time,
    since the compiler keeps its kernels. A compiler that fails is not asked again by this process, and one
    that never came to an end is asked later by the next.
    """

    def __init__(
        self, encode: Encode, device: str, key: str, compiler: Callable[[Encode], Encode] = compile_encoder
    ) -> None:
        self._plain = encode
        self._compiler: Callable[[Encode], Encode] | None = compiler
        self._compiled: Encode | None = None
        self._device, self._key = device, key
        self._times = PassTimes(device)
        kept = kept_measurement(_MEASUREMENT, key)
        self._price_seconds = float(kept) if isinstance(kept, int | float) else _PRICE_SECONDS
        self._wait_seconds = self._price_seconds / _SAVED_SHARE
        self.num_tiles: int | None = None  # what it is compiled for
        self.reason = f"vision: plain, and compiled once that has taken {self._wait_seconds:.0f} s"

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        """Raises what the plain pass raises, and a lack of memory of either."""
        if self._compiled is not None and len(tiles) == self.num_tiles:
            return self._run_compiled(self._compiled, tiles)
        if self._compiler is None:
            return self._plain(tiles)
        if self._times.total_seconds(len(tiles)) >= self._wait_seconds:
            found = self._compile(tiles)
            return self._plain(tiles) if found is None else found
        with self._times.measured(len(tiles)):
            return self._plain(tiles)

    def _run_compiled(self, compiled: Encode, tiles: torch.Tensor) -> torch.Tensor:
        try:
            return compiled(tiles)
        except Exception as error:
            # Anything but memory is the compiler's own: it compiles anew when one of its guards fails.
            if is_out_of_memory(error):
                raise
            self._compiled = None
            self.reason = f"vision: plain again, as the compiled pass failed: {_told(error)}"
        return self._plain(tiles)

    def _compile(self, tiles: torch.Tensor) -> torch.Tensor | None:
        """Compile for this many tiles, and encode these; None when that cannot be done."""
        assert self._compiler is not None
        compiler, self._compiler = self._compiler, None
        # Whoever ends this process while it compiles, be it the compiler or main, which takes it for stalled,
        # leaves a price behind for which the next process waits longer: else all restarts would be used up.
        keep_measurement(_MEASUREMENT, self._key, 2 * max(self._price_seconds, _PRICE_SECONDS))
        started = time.perf_counter()
        try:
            compiled = compiler(self._plain)
            encoded = compiled(tiles)
            if self._device != "cpu":
                torch.cuda.synchronize(self._device)
        except Exception as error:  # noqa: BLE001 - a device that is lost fails in the plain pass as well
            self.reason = f"vision: plain, as compiling failed: {_told(error)}"
            return None
        seconds = time.perf_counter() - started
        keep_measurement(_MEASUREMENT, self._key, round(seconds, 1))
        self._compiled, self.num_tiles = compiled, len(tiles)
        self.reason = f"vision: compiled for {len(tiles)} tiles in {seconds:.0f} s"
        return encoded


def _told(error: Exception) -> str:
    told = describe(error)
    return f"{told.type}: {told.message}"
