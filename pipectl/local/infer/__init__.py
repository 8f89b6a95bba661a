"""Drafts contracts from files: how they are read, and the type of every column."""
