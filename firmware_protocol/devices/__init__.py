"""Drivers, one file a maker; each knows the bytes of one kind of sensor and nothing else."""
