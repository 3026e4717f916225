"""Every golden packet of every off-the-shelf sensor decodes to what its source says."""

from typing import Any

import numpy as np
import pytest
from golden import every, frames

import firmware_protocol as fp

G = fp.STANDARD_GRAVITY_MPS2
_SCALES = {
    "acc_mg": ("acc_mps2", G / 1000),
    "acc_g": ("acc_mps2", G),
    "acc_mps2": ("acc_mps2", 1.0),
    "gyr_dps": ("gyr_radps", np.pi / 180),
    "gyr_radps": ("gyr_radps", 1.0),
}
_ENTRIES = list(every("vectors"))


@pytest.mark.parametrize(("whole", "entry"), [each[1:] for each in _ENTRIES], ids=[each[0] for each in _ENTRIES])
def test_a_vector(whole: dict[str, Any], entry: dict[str, Any]) -> None:
    expected = dict(entry["expected"])
    decoded = fp.driver(whole["driver"]).new_decoder().feed(frames(whole, entry["frames"]))
    samples, scale = decoded.samples, 1.0
    for name in _SCALES.keys() & expected.keys():
        field, scale = _SCALES[name]
        _compare(samples[field] / scale, expected.pop(name), name)
    for name in {"t_device_ns", "index", "flags"} & expected.keys():
        _compare(samples[name], expected.pop(name), name)
    if "samples" in expected:
        assert len(samples) == expected.pop("samples")
    if expected.pop("gyroscope", None) is False:
        assert np.isnan(samples["gyr_radps"]).all()
    assert len(decoded.malformed) == expected.pop("malformed", 0), decoded.malformed
    assert decoded.lost == expected.pop("lost", 0)
    assert decoded.duplicates == expected.pop("duplicates", 0)
    assert [each.percent for each in decoded.batteries] == pytest.approx(expected.pop("battery_pct", []))
    if "volts" in expected:
        assert [each.volts for each in decoded.batteries] == pytest.approx(expected.pop("volts"))
    if "segments_hz" in expected:
        assert [each.rate_hz for each in decoded.segments] == pytest.approx(expected.pop("segments_hz"))
    assert not expected, "nothing looks at these"


def _compare(found: Any, expected: Any, name: str) -> None:
    """All of them (a list), or those of these places ({"0": ..., "-1": ...})."""
    if isinstance(expected, dict):
        found, expected = found[[int(place) for place in expected]], list(expected.values())
    wanted = np.array([[np.nan if x is None else x for x in row] if isinstance(row, list) else row for row in expected])
    assert found.shape == wanted.shape or (len(found) == len(wanted) == 0), name
    if wanted.dtype.kind == "i" and found.dtype.kind in "iu":
        assert found.tolist() == wanted.tolist(), name
    else:
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-6, err_msg=name)
