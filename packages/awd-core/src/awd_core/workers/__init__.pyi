from .mapping import Lost as Lost
from .mapping import LostItemError as LostItemError
from .mapping import OnDemand as OnDemand
from .mapping import Progress as Progress
from .mapping import Serial as Serial
from .mapping import Workers as Workers
from .open import open_workers as open_workers
from .threads import available_cores as available_cores
