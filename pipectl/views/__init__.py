"""Draws the workflow and the page of an execution, and shows statuses in words."""
