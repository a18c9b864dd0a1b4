"""Faults to plant in a clean data set, one function each, strong or mild. Used by clinic.py and by
the tests.

A set is a plain folder: images/SPLIT/NAME.jpg and masks/SPLIT/NAME.png of class ids (or 0 and 255).
"""

from . import classes, copies, files, images, layouts, masks, pairs
from .sample_set import Fault, SampleSet, save_mask

__all__ = ["FAULTS", "Fault", "SampleSet", "save_mask"]

FAULTS = (
    *files.FAULTS,
    *layouts.FAULTS,
    *images.FAULTS,
    *copies.FAULTS,
    *pairs.FAULTS,
    *masks.FAULTS,
    *classes.FAULTS,
)
