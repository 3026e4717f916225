"""The built-in stories, and how a text such as `demo` or `slouch-29s:slouch_deg=20,seed=3` names one.

Pure, but for motion files, which `motion_file` reads. Must never know: sampling, bytes, links.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from companion.errors import UsageError
from companion.simulator.attachment import FIRM, Attachment
from companion.simulator.body import Body, StoryBody
from companion.simulator.choreography import USUAL_BEND_DEG, Choreography
from companion.simulator.motion_file import load_body

USUAL_SLOUCH_DEG = 25.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a check may want to vary."""

    slouch_deg: float = USUAL_SLOUCH_DEG  # how far forward the slouches of a story go
    bend_deg: float = USUAL_BEND_DEG  # how far the wearer bends between the holds
    mounting: int = 0  # which way round the sensor is stuck on: 0 oblique, other numbers random
    attachment: Attachment = FIRM  # what becomes of the sensor's seat: slip_deg at slip_s, restuck_deg at restuck_s
    seed: int = 0  # of noise, gyroscope bias, breathing and, in desk-hour, of the day's course

    @classmethod
    def of(cls, text: str, seed: int) -> Self:
        """Read `name=value,name=value`; raises UsageError."""
        made = cls(seed=seed)
        for part in text.split(",") if text else ():
            name, _, value = part.partition("=")
            if name not in _READERS:
                raise UsageError(f"a story has no parameter {name!r}.", f"There are: {', '.join(_READERS)}.")
            try:
                made = made.changed(name, _READERS[name](value))
            except ValueError as error:
                raise UsageError(f"the story's {name} cannot be {value!r}: {error}.") from error
        return made

    def changed(self, name: str, value: Any) -> Self:
        """The same with another value."""
        if name in _OF_ATTACHMENT:
            return replace(self, attachment=replace(self.attachment, **{name: value}))
        return replace(self, **{name: value})


def _angle(text: str) -> float:
    angle = float(text)
    if not -60.0 <= angle <= 75.0:
        raise ValueError("it is an angle from -60 to 75 degrees")
    return angle


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError("it is a whole number, 0 or more")
    return number


def _tip(text: str) -> float:
    angle = float(text)
    if not -180.0 <= angle <= 180.0:
        raise ValueError("it is an angle from -180 to 180 degrees")
    return angle


def _instant(text: str) -> float:
    t_s = float(text)
    if not 0.0 <= t_s <= 1e6:
        raise ValueError("it is a time in seconds, 0 or more")
    return t_s


_OF_ATTACHMENT = ("slip_deg", "slip_s", "restuck_deg", "restuck_s", "aside_s")

_READERS: Mapping[str, Callable[[str], Any]] = {
    "slouch_deg": _angle,
    "bend_deg": _angle,
    "slip_deg": _tip,
    "slip_s": _instant,
    "restuck_deg": _tip,
    "restuck_s": _instant,
    "aside_s": _instant,
    "mounting": _number,
    "seed": _number,
}


def body_of(story: str, *, seed: int = 0) -> Body:
    """The body that acts a story, or moves as a motion file (`.npz`) has it.

    `seed` counts where the text does not name one. Raises UsageError for an unknown story, parameter or file.
    """
    if story.lower().endswith(".npz"):
        return load_body(story)
    name, _, rest = story.partition(":")
    if name not in STORIES:
        raise UsageError(
            f"there is no story {name!r}.", f"There are: {', '.join(STORIES)}; or name a motion file (.npz)."
        )
    parameters = Parameters.of(rest, seed)
    figure = STORIES[name](parameters).figure()
    return StoryBody(
        name,
        figure,
        calibration_given=figure.once_s == 0,
        seed=parameters.seed,
        mounting=parameters.mounting,
        attachment=parameters.attachment,
    )


def _demo(given: Parameters) -> Choreography:
    """Hold, bend, hold, upright, a reach, a slouch until one alert, recovery: 90 s."""
    story = Choreography().holds(given.bend_deg).rest_until(25.0).reach(side=1.0).rest_until(34.0)
    return story.slouch(given.slouch_deg, 36.0).rest_until(90.0)


def _upright(_given: Parameters) -> Choreography:
    """Ten minutes at the baseline; the calibration is given."""
    return Choreography().rest(600.0)


def _slouch(given: Parameters) -> Choreography:
    """10 s at the baseline, then forward to the end; ten minutes; the calibration is given."""
    return Choreography().rest(10.0).lean(given.slouch_deg).rest_until(600.0)


def _slouch_for(seconds: float, after_s: float = 15.0) -> Callable[[Parameters], Choreography]:
    """Forward for so long after the slouch's start, then upright."""

    def story(given: Parameters) -> Choreography:
        return (
            Choreography()
            .holds(given.bend_deg)
            .rest_until(30.0)
            .slouch(given.slouch_deg, seconds)
            .rest(after_s)
            .rest_to_whole()
        )

    return story


def _fidget(given: Parameters) -> Choreography:
    """Forward for ten minutes, with a movement of 1 to 3 s every 20 s."""
    story = Choreography().holds(given.bend_deg).rest_until(30.0).lean(given.slouch_deg)
    start_s = story.now_s
    for count in range(1, 30):
        length_s = (1.2, 2.0, 2.6, 1.6, 2.3)[count % 5]
        story.rest_until(start_s + 20.0 * count).fidget(length_s, given.slouch_deg)
    return story.rest_until(start_s + 600.0).lean(0.0).rest(15.0)


def _walk_and_sit(given: Parameters) -> Choreography:
    """Stand, walk, sit, slouch for 45 s, walk again, sit."""
    story = Choreography().holds(given.bend_deg).rest_until(25.0)
    story.walk(40.0, turn_deg=180.0).rest(3.0).rise().rest(30.0).slouch(given.slouch_deg, 45.0).rest(12.0)
    return story.rise().rest(1.0).walk(30.0, turn_deg=-180.0).rest(3.0).rise().rest(20.0).rest_to_whole()


def _lie_down(given: Parameters) -> Choreography:
    """Slouch for 20 s, lie on the back for a minute, turn over to the right side, sit up again; bend to the floor."""
    story = Choreography().holds(given.bend_deg).rest_until(30.0).slouch(given.slouch_deg, 20.0)
    story.lean(-80.0, over_s=2.5).rest(60.0).lean(-5.0, 80.0, over_s=2.0).rest(30.0)
    return (
        story.lean(0.0, 0.0, over_s=2.5)
        .rest(20.0)
        .lean(80.0, over_s=1.5)
        .rest(1.5)
        .lean(0.0)
        .rest(20.0)
        .rest_to_whole()
    )


def _desk_hour(given: Parameters) -> Choreography:
    """An hour at a desk: changing postures, reaches, short walks, a few slouches, some leaning back."""
    chance = np.random.default_rng([given.seed, 0x6465736B])
    story = Choreography().holds(given.bend_deg)
    while story.now_s < 3600.0 - _LONGEST_BOUT_S:
        _BOUTS[int(chance.choice(len(_BOUTS), p=_BOUT_SHARES))](story, chance, given)
    return story.lean(0.0, 0.0).rest_until(3600.0)


_LONGEST_BOUT_S = 240.0


def _work(story: Choreography, chance: np.random.Generator, _given: Parameters) -> None:
    """Typing and reading: small changes of posture every while, now and then a reach or a fidget."""
    for _ in range(int(chance.integers(3, 7))):
        pitch, roll = float(chance.normal(2.5, 2.5)), float(chance.normal(0.0, 2.0))
        story.lean(float(np.clip(pitch, -4.0, 7.0)), float(np.clip(roll, -5.0, 5.0)), over_s=2.0)
        story.rest(float(chance.uniform(8.0, 24.0)))
        if chance.random() < 0.3:
            story.fidget(float(chance.uniform(1.0, 2.5)), 2.0).rest(float(chance.uniform(4.0, 9.0)))
    if chance.random() < 0.6:
        story.lean(0.0, 0.0).reach(float(chance.choice([-1.0, 1.0]))).rest(4.0)


def _bout_of_slouching(story: Choreography, chance: np.random.Generator, given: Parameters) -> None:
    """Forward for 15 s to three minutes."""
    story.lean(0.0, 0.0).rest(3.0)
    story.slouch(given.slouch_deg + float(chance.uniform(-4.0, 4.0)), float(chance.uniform(15.0, 180.0)))
    story.rest(float(chance.uniform(10.0, 25.0)))


def _walk(story: Choreography, chance: np.random.Generator, _given: Parameters) -> None:
    """Stand up, walk for half a minute to a minute and a half, sit down."""
    length_s, turn_deg = float(chance.uniform(30.0, 90.0)), float(chance.uniform(-200.0, 200.0))
    story.lean(0.0, 0.0).rise().rest(1.0).walk(length_s, turn_deg).rest(2.0).rise().rest(6.0)


def _recline(story: Choreography, chance: np.random.Generator, _given: Parameters) -> None:
    """Lean back for half a minute to two minutes."""
    story.lean(float(chance.uniform(-26.0, -18.0)), 0.0, over_s=2.0).rest(float(chance.uniform(30.0, 120.0)))
    story.lean(0.0, 0.0, over_s=2.0).rest(5.0)


_BOUTS = (_work, _bout_of_slouching, _walk, _recline)
_BOUT_SHARES = (0.6, 0.2, 0.12, 0.08)

STORIES: Mapping[str, Callable[[Parameters], Choreography]] = {
    "demo": _demo,
    "upright": _upright,
    "slouch": _slouch,
    "slouch-29s": _slouch_for(29.0),
    "slouch-31s": _slouch_for(31.0),
    "slouch-10min": _slouch_for(600.0),
    "slouch-50min": _slouch_for(3000.0, after_s=1200.0),
    "fidget": _fidget,
    "desk-hour": _desk_hour,
    "walk-and-sit": _walk_and_sit,
    "lie-down": _lie_down,
}
