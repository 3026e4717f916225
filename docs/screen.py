"""Draw the README's picture of the live screen: the real screen, showing a recorded session at one moment.

    posture simulate demo --to demo.posture
    python docs/screen.py demo.posture docs/screen.svg --at 69

The session is computed from the recording as `replay` computes it, its rows and events up to the moment go through
the builder of snapshots, and Textual draws the screen without a terminal. The picture refers to nothing outside it.
"""

import argparse
import asyncio
import re
from pathlib import Path

import numpy as np

from companion.output.monitor_app import MonitorApp
from companion.output.snapshot import Snapshot, SnapshotBuilder
from companion.recording import open_recording
from companion.session import Session

FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main() -> None:
    """Read the arguments, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", type=float, default=float("inf"), help="session time, in seconds")
    parser.add_argument("--size", default="80x24", help="columns x lines")
    given = parser.parse_args()
    columns, lines = (int(number) for number in given.size.split("x"))
    svg = asyncio.run(drawn(snapshot_at(given.recording, given.at), (columns, lines)))
    given.picture.write_text(svg, encoding="utf-8")


def snapshot_at(recording: Path, at_s: float) -> Snapshot:
    """What the screen showed `at_s` seconds into the session."""
    opened = open_recording(recording)
    session = Session(opened.header)
    reports = [session.feed(opened.frames()), session.close()]
    rows = np.concatenate([report.posture for report in reports])
    events = [event for report in reports for event in report.events if event.t_session_ns <= at_s * 1e9]
    summary = reports[-1].summary or {}
    return SnapshotBuilder(opened.header, session.settings).update(
        rows[rows["t_session_ns"] <= at_s * 1e9],
        events,
        batteries=reports[0].batteries,
        link="connected",
        loss_pct=summary.get("loss_pct"),
        rate_hz=summary.get("rate_hz"),
    )


async def drawn(snapshot: Snapshot, size: tuple[int, int]) -> str:
    """The screen as SVG, with fonts that are at hand instead of fonts to be fetched."""
    app = MonitorApp(lambda: snapshot, lambda _kind, _value: None)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        svg = app.export_screenshot(title="posture monitor")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: [^;]*;", f"font-family: {FONTS};", svg)


if __name__ == "__main__":
    main()
