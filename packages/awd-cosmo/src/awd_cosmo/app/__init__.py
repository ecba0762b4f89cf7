"""The command `awd-cosmo`. Nothing heavy is imported here, so that `--help` answers at once.

Nothing else imports this room.
"""
