"""A simulated sensor whose seat gives way: what it feels, and that the whole way finds it."""

import numpy as np
import pytest

from companion.errors import UsageError
from companion.simulator.attachment import FIRM, Attachment
from companion.simulator.stories import body_of

G = 9.80665


def felt_up(attachment: Attachment, *times_s: float) -> np.ndarray:
    """Up as a sensor on a motionless upright trunk feels it, in the trunk's frame."""
    t_s = np.array(times_s)
    acc, _ = attachment.felt(np.tile([0.0, 0.0, G], (len(t_s), 1)), np.zeros((len(t_s), 3)), t_s)
    return acc / np.linalg.norm(acc, axis=1)[:, None]


def forward_deg(ups: np.ndarray) -> list[float]:
    return np.degrees(np.arctan2(-ups[:, 0], ups[:, 2])).round(6).tolist()


@pytest.mark.parametrize(
    ("attachment", "course"),
    [
        (Attachment(slip_deg=15.0, slip_s=100.0), {0: 0, 99.9: 0, 100.15: 7.5, 100.4: 15, 1e4: 15}),
        (Attachment(restuck_deg=-12.0), {0: -12, 500: -12}),
        (Attachment(restuck_deg=14.0, restuck_s=60.0), {0: 0, 61.5: 175, 80.0: 95, 96.0: 14}),
        (Attachment(restuck_deg=14.0, restuck_s=60.0, aside_s=300.0), {80: 95, 363: 95, 366: 14}),
        (Attachment(restuck_deg=14.0, slip_deg=5.0, slip_s=50.0, restuck_s=60.0), {0: 0, 55: 5, 96: 14}),
        (Attachment(restuck_deg=14.0, restuck_s=60.0, slip_deg=5.0, slip_s=200.0), {100: 14, 201: 19}),
        (Attachment(restuck_deg=14.0, restuck_s=60.0, slip_deg=5.0, slip_s=60.0), {59: 0, 96: 14, 97: 19}),
    ],
)
def test_how_far_a_sensor_is_tipped(attachment: Attachment, course: dict[float, float]) -> None:
    assert not attachment.holds
    assert forward_deg(felt_up(attachment, *course)) == pytest.approx(list(course.values()))


@pytest.mark.parametrize("attachment", [Attachment(slip_deg=40.0, slip_s=1.0), Attachment(5.0, 90.0, 14.0, 2.0)])
def test_the_gyroscope_feels_the_same_turn_as_the_accelerometer(attachment: Attachment) -> None:
    t_s = np.arange(0.0, 50.0, 1e-3)
    still = np.tile([0.0, 0.0, G], (len(t_s), 1))
    acc, gyr = attachment.felt(still, np.zeros((len(t_s), 3)), t_s)
    angle = np.unwrap(np.arctan2(-acc[:, 0], acc[:, 2]))
    turned = np.cumsum((gyr[1:, 1] + gyr[:-1, 1]) / 2) * 1e-3
    assert turned == pytest.approx(angle[1:], abs=1e-4)


def test_a_sensor_that_lies_aside_feels_nothing_of_the_trunk() -> None:
    attachment = Attachment(restuck_deg=14.0, restuck_s=10.0)
    t_s = np.array([20.0, 30.0])
    acc, gyr = attachment.felt(np.full((2, 3), 7.0), np.full((2, 3), 2.0), t_s)
    assert np.linalg.norm(acc, axis=1) == pytest.approx([G, G])
    assert gyr == pytest.approx(0.0, abs=1e-12)


def test_nothing_happens_to_a_firm_one_and_the_same_bits_come_out() -> None:
    assert FIRM.holds
    plain, late = body_of("upright"), body_of("upright:slip_deg=15,slip_s=30")
    for one, other in zip(plain.sample(50.0, 0, 1400), late.sample(50.0, 0, 1400), strict=True):
        assert other == pytest.approx(one, abs=1e-12)
    assert plain.up_sensor.tobytes() == late.up_sensor.tobytes()  # the calibration does not know of it


@pytest.mark.parametrize("text", ["slip_deg=181", "slip_s=-1", "restuck_deg=nan", "restuck_s=soon", "slip=3"])
def test_what_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        body_of(f"upright:{text}")
