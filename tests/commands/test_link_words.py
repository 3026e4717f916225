"""What is said of the link while a session runs, in lines and on the screen."""

import numpy as np
import pytest

from companion.commands.listeners import ScreenListener, link_words
from companion.link.status import LinkState, LinkStatus
from companion.output.headline import headline
from companion.posture.rows import POSTURE
from companion.session import Report
from companion.settings import Settings
from companion.stream import ANGLES
from firmware_protocol.frames import Opened

S = 1_000_000_000


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (LinkStatus(LinkState.SCANNING), "scanning"),
        (LinkStatus(LinkState.CONNECTING, name="Posture 1234", rssi=-50), "connecting Posture 1234"),
        (LinkStatus(LinkState.STREAMING, rssi=-50), "streaming, -50 dBm"),
        (LinkStatus(LinkState.STREAMING), "streaming"),
        (LinkStatus(LinkState.STREAMING, cause="connected, but no data come", rssi=-50), "connected, but no data come"),
        (LinkStatus(LinkState.LOST, cause="link lost", rssi=-50), "lost"),
        (LinkStatus(LinkState.LOST, cause="bluetooth is off"), "lost (bluetooth is off)"),
        (LinkStatus(LinkState.STOPPED, cause="connected, but no data come"), "stopped"),
    ],
)
def test_the_cause_is_told_once_and_not_at_an_orderly_end(status: LinkStatus, words: str) -> None:
    assert link_words(status) == words


def report(first_s: float, last_s: float, data_s: float | None) -> Report:
    rows = np.zeros(int((last_s - first_s) * 5), dtype=POSTURE)
    rows["t_session_ns"] = first_s * S + np.arange(1, len(rows) + 1) * S // 5
    angles = np.zeros(0 if data_s is None else 1, dtype=ANGLES)
    if data_s is not None:
        angles["t_session_ns"] = data_s * S
    return Report(posture=rows, events=(), angles=angles)


@pytest.mark.parametrize(
    ("driver", "status", "detail"),
    [
        ("posture_v1", LinkStatus(LinkState.STREAMING), "for 3 s: connected, but no data come"),
        ("posture_v1", LinkStatus(LinkState.LOST, cause="link lost", lost_since_ns=0), "for 3 s: link lost"),
        ("posture_v1", LinkStatus(LinkState.CONNECTING, cause="link lost", lost_since_ns=0), "for 3 s: link lost"),
        ("polar", LinkStatus(LinkState.LOST, cause="link lost", lost_since_ns=0), "for 3 s: link lost"),
        ("polar", LinkStatus(LinkState.STREAMING), None),  # its packets hold two seconds
        ("ruuvi", LinkStatus(LinkState.LOST, cause="not heard", lost_since_ns=0), "for 3 s: not heard"),
    ],
)
def test_the_screen_says_within_seconds_why_no_data_come(driver: str, status: LinkStatus, detail: str | None) -> None:
    screen = ScreenListener(Settings.of({}))
    screen.began(
        Opened(t_host_ns=0, session_id="a", driver=driver, device="b", utc_ns=0, zone="UTC", software_version="0"), None
    )
    screen.link(LinkStatus(LinkState.STREAMING))
    screen.report(report(0.0, 10.0, 10.0))
    assert headline(screen.latest()).word != "NO DATA"
    screen.link(status)
    screen.report(report(10.0, 13.0, None))
    head = headline(screen.latest())
    assert (head.word, head.detail) == ("NO DATA", detail) if detail else head.word != "NO DATA"
