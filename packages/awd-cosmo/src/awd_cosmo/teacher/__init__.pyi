from .augmentation import SkyAugmentation as SkyAugmentation
from .resnet import ResNet as ResNet
from .resnet import ResNet18 as ResNet18
from .resnet import ResNet34 as ResNet34
from .teacher import MapTeacher as MapTeacher
