"""What the operator's commands do to a stack: list executions and failures, rerun, fill gaps.

A rerun goes one way through these modules: `rerun_options` (the request), `rerun_candidates`
(find), `rerun_plan` (plan once), `rerun_actions` (act), `rerun_files` (the whole way, and the
report).
"""
