"""What the operator's commands do to a stack: look at executions, run files again, fill gaps.

What is decided stands in functions without AWS (`failures`, `plan`, `letters`, ...); the calls are
made by the few classes beside them (`items`, `executions`, `queues`).
"""
