"""Distillation by the student: the wavelet from which few readable numbers tell most of a teacher's answer.

`distill_student` chooses the wavelet, `WaveletStudent` is the model made of it, `error_curve` says what each further
number is worth, beside plain wavelets and the teacher.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
