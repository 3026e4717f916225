"""The radio side: everything of bleak, and the sequencer that numbers frames.

Knows: bleak, frames, drivers. Must never know: recordings, screens, posture.
Nothing is imported here, so that `companion.link.sequencer` and `companion.link.radio` stay free of bleak.

    sequencer.py   numbers frames, hands each to the recorder and to the session
    radio.py       which Bluetooth to use: the system's own, or a simulated one
    scan.py        who is in range
    client.py      one connection: checks services, pairs, runs a driver's scripts
    agent.py       pairs through BlueZ, with an agent of our own
    bonds.py       whether a sensor accepts this computer's keys
    partings.py    ends of connections that nobody has to wait for
    liveness.py    when the last sample came
    supervisor.py  keeps one sensor connected for as long as it takes
    listener.py    the same for a sensor that only advertises
    status.py      what the link is doing, for a screen
    reasons.py     why it went, and what keeps it from coming back
    conditions.py  whether this computer's Bluetooth can be used
    bluez_watch.py what Linux says of that, on its message bus
    wakefulness.py whether this computer slept
    waiting.py     waiting that has an end
    errors.py      bleak's exceptions, translated
"""
