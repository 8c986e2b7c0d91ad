"""Every table and figure, all methods in one, and the page that judges the paper's claims.

python main.py --mode=reproduce --config=configs/reproduce/all.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(scales.ARTEFACTS, scale)
