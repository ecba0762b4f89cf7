from .movie import Movie as Movie
from .open import open_movie as open_movie
from .writer import write_movie as write_movie
