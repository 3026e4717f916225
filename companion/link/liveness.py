"""When the last sample came: the watchdog on data, for a link that is up and silent tells nothing by itself.

Knows: frames and the driver's decoder. Must never know: bleak, time of its own.

Frames are only collected; they are decoded when somebody asks, which is every few seconds, all at once. A
sensor that still reports its battery but sends no samples is silent.
"""

from collections.abc import Callable

from firmware_protocol import Decoder, Frame

_MAX_WAITING = 4096  # then they are decoded unasked: 20 s at 200 packets a second


class Liveness:
    """Collects the frames of one connection; `last_sample_ns` says when the newest sample arrived.

    `now_ns` is the present on the host's clock, from which silence counts until the first sample.
    """

    def __init__(self, new_decoder: Callable[[], Decoder], now_ns: int) -> None:
        self._decoder = new_decoder()
        self._waiting: list[Frame] = []
        self._last_ns = now_ns

    def take(self, frame: Frame) -> None:
        """Keep a frame until somebody asks."""
        self._waiting.append(frame)
        if len(self._waiting) >= _MAX_WAITING:
            self.last_sample_ns()

    def last_sample_ns(self) -> int:
        """Arrival of the newest sample so far, on the host's clock; the beginning where there was none."""
        frames, self._waiting = self._waiting, []
        samples = self._decoder.feed(frames).samples
        if len(samples):
            self._last_ns = max(self._last_ns, int(samples["t_host_ns"].max()))
        return self._last_ns
