"""MIT Indoor Scene Recognition, known as Indoor 67 (Quattoni and Torralba, CVPR 2009)."""

from reno_tf.data.manual import ManualBuilder

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
    """MIT Indoor 67: the published lists name about 80 training and 20 test images of each scene."""

    HOMEPAGE = "https://web.mit.edu/torralba/www/indoor.html"
    ARCHIVES = {"Images": "indoorCVPR_09.tar"}
    LISTS = {"train": "TrainImages.txt", "test": "TestImages.txt"}
    SIZES = {"train": 5360, "test": 1340}
    CLASSES = tuple(_CLASSES.split())

    def listed_photos(self, split):
        return {f"Images/{line}": line.partition("/")[0] for line in self.lines(self.LISTS[split])}
