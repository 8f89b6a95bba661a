"""Reads the values of cells: `cells` in plain Python, `columns` a whole column at a time."""
