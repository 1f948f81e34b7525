"""Simulation: a population under a programme, on a virtual clock, and what comes of it in numbers and pictures."""
