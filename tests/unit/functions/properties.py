"""How long property tests of this folder search: it is run on every change."""

from hypothesis import settings

quickly = settings(max_examples=50)
