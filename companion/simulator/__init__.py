"""A simulated wearer and a simulated sensor: no hardware, no radio needed.

`stories`, `motion_file`, `trunk` and `body` say how a back moves, `faults` what goes wrong, `sensor` what
the firmware makes of it, `straight` what a host would have received; all of them are pure. The rest puts the
same firmware on a radio. Must never know: the posture pipeline, recordings, screens.
"""
