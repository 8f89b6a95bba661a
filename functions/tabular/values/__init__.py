"""What a cell means: `cells` in plain Python, `columns` a whole column at a time."""
