"""How fast it could be, how fast it is: ceilings, peaks and what the machine does while something runs."""
