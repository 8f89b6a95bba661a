"""The pipeline's own stack on an AWS that runs in this process, for machines without one.

`stack.EmbeddedStack` brings it up. The template, the state machine and the functions are those
that are deployed; nothing in them knows that it runs here.
"""
