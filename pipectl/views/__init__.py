"""What people look at: the drawing of the workflow, the page of an execution, statuses in words."""
