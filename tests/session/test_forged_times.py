"""Times that no clock tells, and what is said of rate and loss where only a clock has counted, or nothing has."""

import pytest

import firmware_protocol as fp
from companion.session import Session
from companion.simulator.faults import Faults
from companion.simulator.stories import body_of
from companion.simulator.straight import frames

DATA = "e95dca4b-251d-470a-a062-fa1922dfa9a8"
FLAT = bytes.fromhex("ceffceff00fc")


def header(driver: str) -> fp.Opened:
    return fp.Opened(
        t_host_ns=0,
        session_id="s",
        driver=driver,
        device="simulated",
        rate_hz=fp.driver(driver).usual_rate_hz,
        utc_ns=0,
        zone="UTC",
        software_version="0",
    )


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("times", [(-5, 2**63 - 1), (0, 2**63 - 1, 0), (2**62, 5), (2**63 - 1, -5, 3), (-(2**62), 5)])
def test_times_at_the_end_of_all_numbers_stop_nothing(times: tuple[int, ...], ticks: bool) -> None:
    session = Session(header("microbit"))
    for t_ns in times:
        session.feed([fp.Notification(t_host_ns=t_ns, characteristic=DATA, data=FLAT)])
        if ticks:
            session.feed([fp.Tick(t_host_ns=t_ns)])
    assert session.close().summary is not None


@pytest.mark.parametrize("driver", ["polar", "movesense", "xsens_dot", "openearable"])
def test_what_is_lost_is_part_of_the_rate(driver: str) -> None:
    lived = frames(
        body_of("upright"), header=header(driver), faults=Faults.of(["lose@20+5"]), duration_s=60, rate_hz=None
    )
    session = Session(header(driver))
    session.feed(lived)
    summary = session.close().summary
    assert summary is not None
    assert summary["lost_samples"] > 200
    assert summary["rate_hz"] == pytest.approx(fp.driver(driver).usual_rate_hz, rel=0.002)


@pytest.mark.parametrize("driver", ["witmotion", "microbit", "thingy52", "sensortag"])
def test_where_nothing_counts_no_loss_is_told_and_a_silence_is_no_slower_rate(driver: str) -> None:
    lived = frames(
        body_of("upright"), header=header(driver), faults=Faults.of(["silent@20+8"]), duration_s=60, rate_hz=None
    )
    session = Session(header(driver))
    report = session.feed(lived)
    summary = session.close().summary
    assert summary is not None
    assert (summary["loss_pct"], report.loss_pct, summary["lost_samples"]) == (None, None, 0)
    assert summary["rate_hz"] == pytest.approx(fp.driver(driver).usual_rate_hz, rel=0.001)


def test_a_decoder_hears_of_a_new_link() -> None:
    """A sensor that has restarted meanwhile counts its time from the beginning: nothing of it came before."""
    medium, rest = "15172003-4947-11e9-8646-d663bd873d93", bytes(8) + bytes.fromhex("c3f51c41") + bytes(12)

    def payloads(first_us: int, from_ns: int) -> list[fp.Frame]:
        return [
            fp.Notification(
                t_host_ns=from_ns + k * 16_667_000,
                characteristic=medium,
                data=(first_us + k * 16_667).to_bytes(4, "little") + rest,
            )
            for k in range(50)
        ]

    session = Session(header("xsens_dot"))
    down, up = fp.LinkDown(t_host_ns=2 * 10**9, cause="link lost"), fp.LinkUp(t_host_ns=4 * 10**9, address="")
    session.feed([*payloads(20_000_000, 10**9), down, up, *payloads(0, 5 * 10**9)])
    summary = session.close().summary
    assert summary is not None
    assert (summary["samples"], summary["duplicates"]) == (100, 0)
