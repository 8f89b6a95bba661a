"""The console: web pages that show a stack and, if writes are allowed, change it.

Pages are rendered here and readable without a script. What they show and do comes from
`pipectl.client` and `pipectl.operate`, as for the commands.
"""
