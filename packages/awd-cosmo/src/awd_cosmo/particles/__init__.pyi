from .box import ParticleModel as ParticleModel
from .box import simulate_particles as simulate_particles
from .light_cone import LightCone as LightCone
from .light_cone import light_cone as light_cone
