"""How a command ends, as its exit status."""

DONE = 0
IN_PART = 1  # some inputs failed, each named on standard error
REFUSED = 2  # one line says why, and what to do
