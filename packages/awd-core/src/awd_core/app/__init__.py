"""The command `awd`: a wavelet's certificate, and distillation from arrays in files to a report.

Nothing else imports this room.
"""
