"""`posture devices`: what it says of the installed drivers, as lines and as JSON."""

import json

import pytest

from firmware_protocol import drivers

KEYS = [
    *("name", "title", "gives", "rate_hz", "rates_hz", "confidence", "notes", "longest_interval_s"),
    "pairing",
]
LISTED = [each for each in drivers() if each.name != "imported"]


def test_json_has_one_driver_a_line(posture) -> None:
    ran = posture("devices", "--json")
    told = [json.loads(line) for line in ran.lines]
    assert (ran.code, ran.err) == (0, "")
    assert [each["name"] for each in told] == [each.name for each in LISTED]
    for each, driver in zip(told, LISTED, strict=True):
        assert list(each) == KEYS
        assert each["title"] == driver.about.title
        assert each["gives"] == list(driver.about.gives)
        assert each["rate_hz"] == driver.usual_rate_hz
        assert each["rates_hz"] == list(driver.about.rates_hz)
        assert each["confidence"] == driver.about.confidence
        assert each["notes"] == list(driver.about.notes)
        assert each["longest_interval_s"] == driver.longest_interval_s
        assert each["pairing"] == driver.pairing.value


def test_the_micro_bit_in_full(posture) -> None:
    assert json.loads(posture("devices", "microbit", "--json").out) == {
        "name": "microbit",
        "title": "BBC micro:bit V1 and V2, with a program that has the accelerometer service",
        "gives": ["acceleration"],
        "rate_hz": 50.0,
        "rates_hz": [1.5625, 6.25, 12.5, 50.0, 100.0],
        "confidence": "the maker's documents or code",
        "notes": [
            "No gyroscope, no clock, no counter: what is lost cannot be counted.",
            "The program on it must have the Bluetooth accelerometer service, and may ask for pairing.",
            "Boards with newer hardware keep other periods than asked for; the rate is measured.",
        ],
        "longest_interval_s": 1.0,
        "pairing": "when asked",
    }
    assert posture("devices", "microbit").lines == [
        "driver       gives                                                          rate",
        "microbit     acceleration                                                  50 Hz",
        "             BBC micro:bit V1 and V2, with a program that has the accelerometer",
        "             service; known from the maker's documents or code.",
        "             - No gyroscope, no clock, no counter: what is lost cannot be",
        "               counted.",
        "             - The program on it must have the Bluetooth accelerometer service,",
        "               and may ask for pairing.",
        "             - Boards with newer hardware keep other periods than asked for; the",
        "               rate is measured.",
    ]


def test_every_driver_fits_a_terminal(posture) -> None:
    lines = posture("devices").lines
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:] if line and not line.startswith(" ")] == [
        each.name for each in LISTED
    ]
    for each in LISTED:
        assert len(posture("devices", each.name).lines) <= 23, "all of one driver is seen at once"


@pytest.mark.parametrize("name", ["nope", "imported", ""])
def test_what_is_no_driver_of_a_sensor_is_told(posture, name: str) -> None:
    ran = posture("devices", name)
    names = ", ".join(each.name for each in LISTED)
    assert (ran.code, ran.out, ran.err) == (1, "", f"error: there is no driver {name!r}.\nThere are: {names}.\n")
