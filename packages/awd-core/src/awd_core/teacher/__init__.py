"""The network that is distilled: trained, saved, loaded, or one of your own.

`Teacher` and `TeacherClassifier` are scikit-learn's estimators around any torch module; no pickle is ever read.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
