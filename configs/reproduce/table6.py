"""Table 6: adversarial training as another defence.

python main.py --mode=reproduce --config=configs/reproduce/table6.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("table6",), scale)
