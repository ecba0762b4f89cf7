"""The command `awd-cme`. Nothing heavy is imported here: a command imports what it needs when it runs.

Nothing else imports this room.
"""
