from .library import Kernel as Kernel
from .library import find_kernel as find_kernel
from .library import kernel_in_words as kernel_in_words
