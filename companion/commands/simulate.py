"""`posture simulate`: a story straight into a recording, or a simulated sensor on a Bluetooth controller.

Knows: stories, frames, the conductor, the recorder. Must never know: how a body moves, what the bytes mean.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from companion import host
from companion.commands.options import SimulateOptions
from companion.commands.places import absent, places, warn_of_name
from companion.commands.settings_file import in_force
from firmware_protocol.frames import Closed, Frame, Tick

if TYPE_CHECKING:
    from companion.output.progress import Advance
    from companion.settings import Settings
    from companion.simulator.body import Body
    from companion.simulator.faults import Faults

STORY_ENDED = "the story ended"

_NS_PER_S = 1_000_000_000


def run(options: SimulateOptions) -> None:
    """Make the recording and print its path, or be a sensor until stopped."""
    from companion.commands.air import simulated_driver
    from companion.simulator.faults import Faults
    from companion.simulator.stories import body_of

    simulated_driver(options.device)
    body, faults = body_of(options.story, seed=options.seed), Faults.of(options.faults)
    if options.to is not None:
        _to_file(absent(options.to), body, faults, options)
    elif options.hci is not None:
        _on_air(options.hci, body, faults, options)


def _to_file(path: Path, body: "Body", faults: "Faults", options: SimulateOptions) -> None:
    from companion.commands.conductor import Asked, conducted
    from companion.commands.new_recording import record
    from companion.output.progress import progress

    settings = in_force(places(options.shared.data_dir).settings, os.environ, options.shared.settings).settings
    refused: list[str] = []
    asked = Asked(settings.profile, settings.kind)
    length_s = body.duration_s if options.duration_s is None else options.duration_s
    with progress("simulating", length_s) as advance:
        record(path, _watched(conducted(_frames(body, faults, settings, options), asked, refused), advance))
    for reason in refused:
        print(f"warning: {reason}", file=sys.stderr)
    warn_of_name(path)
    print(path.absolute())


def _watched(frames: Iterator[Frame], advance: "Advance") -> Iterator[Frame]:
    """The same frames; `advance` is told the seconds of the session as they pass."""
    told_ns = 0
    for frame in frames:
        if isinstance(frame, Tick):
            advance((frame.t_host_ns - told_ns) / _NS_PER_S)
            told_ns = frame.t_host_ns
        yield frame


def _frames(body: "Body", faults: "Faults", settings: "Settings", options: SimulateOptions) -> Iterator[Frame]:
    """The whole session, its end included."""
    from companion.commands.air import simulated_driver
    from companion.commands.opening import declared, opening
    from companion.simulator import straight

    chosen = simulated_driver(options.device)
    given = declared(body.up_sensor, body.forward_sensor, settings) if body.calibration_given else None
    header = opening(
        t_host_ns=0,
        driver=chosen.name,
        device="simulated",
        settings=settings,
        origin="simulated",
        rate_hz=chosen.usual_rate_hz,
        calibration_json=given,
        started=options.started,
    )
    newest_ns = 0
    played = straight.frames(
        body, header=header, faults=faults, duration_s=options.duration_s, rate_hz=header.rate_hz, seed=options.seed
    )
    for frame in played:
        newest_ns = frame.t_host_ns
        yield frame
    yield Closed(t_host_ns=newest_ns, reason=STORY_ENDED, count=0)


def _on_air(transport: str, body: "Body", faults: "Faults", options: SimulateOptions) -> None:
    import asyncio

    from companion.simulator.makers import sensor_of
    from companion.simulator.radio import serve

    async def until_stopped() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        if options.duration_s is not None:
            loop.call_later(options.duration_s, stop.set)

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        with host.stop_signals(end):
            await serve(
                sensor_of(options.device, body, faults=faults, seed=options.seed),
                transport,
                stop=stop,
                ready=lambda _: print(f"the sensor is on {transport}; Ctrl-C ends it", file=sys.stderr),
            )

    asyncio.run(until_stopped())
