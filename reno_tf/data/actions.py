"""Stanford 40 Actions (Yao et al., ICCV 2011)."""

from reno_tf.data.manual import ManualBuilder

_CLASSES = """
applauding blowing_bubbles brushing_teeth cleaning_the_floor climbing cooking cutting_trees
cutting_vegetables drinking feeding_a_horse fishing fixing_a_bike fixing_a_car gardening
holding_an_umbrella jumping looking_through_a_microscope looking_through_a_telescope phoning
playing_guitar playing_violin pouring_liquid pushing_a_cart reading riding_a_bike riding_a_horse
rowing_a_boat running shooting_an_arrow smoking taking_photos texting_message throwing_frisby
using_a_computer walking_the_dog washing_dishes watching_TV waving_hands writing_on_a_board
writing_on_a_book
"""


class StanfordActions(ManualBuilder):
    """Stanford 40 Actions: people doing one of 40 things, 100 training images of each."""

    HOMEPAGE = "http://vision.stanford.edu/Datasets/40actions.html"
    ARCHIVES = {"JPEGImages": "Stanford40_JPEGImages.zip", "ImageSplits": "Stanford40_ImageSplits.zip"}
    SIZES = {"train": 4000, "test": 5532}
    CLASSES = tuple(_CLASSES.split())

    def listed_photos(self, split):
        return {
            f"JPEGImages/{file}": label
            for label in self.CLASSES
            for file in self.lines(f"ImageSplits/{label}_{split}.txt")
        }
