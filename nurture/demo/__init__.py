"""Sixty days of a demo shop: made-up people, the real engine, real SMTP on loopback, a clock that jumps.

Model: a script of what people do, and what they do when a mail reaches them; the rest is the product as it ships.
Nothing leaves this machine.
"""
