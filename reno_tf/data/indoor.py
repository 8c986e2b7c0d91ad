"""MIT Indoor Scene Recognition, known as Indoor 67 (Quattoni and Torralba, CVPR 2009)."""

from reno_tf.data.manual import ManualBuilder
from reno_tf.data.photos_builder import Photo

_CLASSES = """
airport_inside artstudio auditorium bakery bar bathroom bedroom bookstore bowling buffet casino
children_room church_inside classroom cloister closet clothingstore computerroom concert_hall corridor
deli dentaloffice dining_room elevator fastfood_restaurant florist gameroom garage greenhouse
grocerystore gym hairsalon hospitalroom inside_bus inside_subway jewelleryshop kindergarden kitchen
laboratorywet laundromat library livingroom lobby locker_room mall meeting_room movietheater museum
nursery office operating_room pantry poolinside prisoncell restaurant restaurant_kitchen shoeshop
stairscase studiomusic subway toystore trainstation tv_studio videostore waitingroom warehouse winecellar
"""


class IndoorScenes(ManualBuilder):
    """MIT Indoor 67: the official lists name 100 of each scene's images, about 80 of them for training."""

    HOMEPAGE = "https://web.mit.edu/torralba/www/indoor.html"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Put indoorCVPR_09.tar, TrainImages.txt and TestImages.txt, from {HOMEPAGE}, into the manual directory"
    )
    ARCHIVES = {"Images": "indoorCVPR_09.tar"}
    LISTS = ("TrainImages.txt", "TestImages.txt")
    SIZES = {"train": 5360, "test": 1340}
    CLASSES = tuple(_CLASSES.split())

    def listed(self, files):
        lists = dict(zip(("train", "test"), self.LISTS, strict=True))
        return {
            split: [Photo(f"Images/{line}", line.partition("/")[0], files.read) for line in files.lines(name)]
            for split, name in lists.items()
        }
