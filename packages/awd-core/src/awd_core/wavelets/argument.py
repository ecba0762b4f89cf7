"""A wavelet as the user of a command writes it: a name, or a file."""

from pathlib import Path

from awd_core.wavelets.pywavelets import orthogonal_names
from awd_core.wavelets.wavelet import Wavelet


def named_or_loaded(text: str) -> Wavelet:
    """Wavelet of PyWavelets with that name, else the one in that file.

    Parameters
    ----------
    text : str
        A name such as "db5", or the path of a file that `Wavelet.save` wrote.

    Raises
    ------
    FileNotFoundError
        If it looks like a path and there is no such file.
    ValueError
        If it is an unknown name, or the file is no wavelet file.

    Examples
    --------
    >>> named_or_loaded("DB2").name
    'db2'
    """
    if text.lower() not in orthogonal_names():
        if Path(text).is_file():
            return Wavelet.load(text)
        if text.lower().endswith(".json") or Path(text).name != text:
            raise FileNotFoundError(f"there is no file {text}; Wavelet.save and awd wavelet --out write wavelet files")
    return Wavelet.from_name(text)
