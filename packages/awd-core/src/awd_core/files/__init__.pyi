from .arrays import identity as identity
from .arrays import kept_array as kept_array
from .arrays import read_array as read_array
from .atomic import make_atomically as make_atomically
from .atomic import read_json as read_json
from .atomic import write_atomically as write_atomically
from .atomic import write_json as write_json
from .lock import lock_file as lock_file
