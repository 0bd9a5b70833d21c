import numpy as np

from stitchedit.image.contact_sheet import contact_sheet, spread


def test_a_sheet_shows_every_picture_in_its_place() -> None:
    colours = [[(250, 0, 0), (0, 250, 0)], [(0, 0, 250), (250, 250, 0)]]
    rows = [[np.full((90, 160, 3), colour, np.uint8) for colour in row] for row in colours]
    sheet = contact_sheet(rows, ["source", "edit"], ["0", "7"], cell_px=45)
    height, width = sheet.shape[:2]
    for r, row in enumerate(colours):
        for c, colour in enumerate(row):
            y, x = int(28 + (r + 0.6) * (height - 28) / 2), int((c + 0.5) * width / 2)
            assert np.abs(sheet[y, x].astype(int) - colour).max() < 8
    assert (sheet[:28] > 150).any(), "captions are written"


def test_spread_picks_from_the_frames_evenly() -> None:
    assert spread(np.arange(100), 4) == [12, 37, 62, 87]
    assert spread(np.array([5, 9]), 4) == [5, 9]
    assert spread(np.array([3]), 1) == [3]
