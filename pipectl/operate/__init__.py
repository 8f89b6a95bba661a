"""What the operator's commands do to a stack: list executions and failures, rerun, fill gaps.

A rerun passes through these modules in order: `rerun_options` (the request), `rerun_candidates`
(find), `rerun_plan` (plan once), `rerun_actions` (act). `rerun_files` calls them and reports.
"""
