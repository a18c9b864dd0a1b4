"""`python -m pixelwise`."""

from pixelwise.cli.main import script

script()
