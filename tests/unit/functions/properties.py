"""How long property tests of this folder search: it is run on every change."""

from hypothesis import settings

# No deadline: a busy machine is no defect.
quickly = settings(max_examples=50, deadline=None)
