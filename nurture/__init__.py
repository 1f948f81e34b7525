"""nurture: lifecycle e-mail as code."""

__version__ = "0.1.0"
