"""Patches of moto, where it lacks something or differs from AWS.

No other module uses moto's private names. `table` lists the names that are
replaced while a stack is up; the modules below register them:

- `created`: values of a template,
- `conditional_writes`: S3's conditional writes,
- `copies`: copies of JSON documents,
- `engine`: the Step Functions engine's clients, clock, parser and error names,
- `map_runs`: Distributed Maps,
- `log_groups`: CloudWatch Logs, filled from the functions' log files and the executions' histories,
- `events`: events of S3, SNS, EventBridge and Step Functions.

The modules `kept...` list and restore what `pipectl up --data` keeps.

Other modules answer API calls that moto lacks (`start_execution`, `redrive`, `message_move`), read
moto's state (`backends`, `created`) and serve moto's APIs (`application`).
"""
