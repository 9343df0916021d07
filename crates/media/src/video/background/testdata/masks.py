"""Makes the masks beside this file. Needs opencv-python-headless and numpy.

Each portrait has polygons: surely the person, surely not, and probably the person. What
is in none of them is probably not the person.
"""

import cv2
import numpy as np

PORTRAITS = {
    "astronaut": (
        [
            [(200, 70), (280, 70), (290, 120), (260, 200), (180, 200), (180, 110)],
            [(150, 200), (270, 220), (330, 300), (330, 350), (280, 420), (240, 511), (50, 511), (60, 300)],
            [(340, 375), (400, 365), (460, 400), (480, 460), (480, 511), (300, 511), (295, 430)],
        ],
        [
            [(0, 0), (80, 0), (130, 110), (70, 200), (30, 240), (10, 290), (0, 400)],
            [(310, 0), (511, 0), (511, 340), (400, 330), (370, 280), (320, 170)],
            [(100, 0), (320, 0), (320, 8), (160, 8)],
            [(295, 125), (272, 150), (262, 180), (300, 200), (320, 150)],
            [(160, 125), (182, 140), (186, 152), (150, 152)],
        ],
        [
            [
                (150, 60), (230, 12), (300, 40), (310, 100), (280, 140), (310, 200), (360, 280), (365, 340),
                (470, 360), (511, 430), (511, 511), (20, 511), (30, 300), (110, 190), (130, 150),
            ],
        ],
    ),
    "hopper": (
        [
            [(215, 42), (265, 28), (320, 40), (340, 75), (200, 75)],
            [(190, 90), (330, 95), (350, 180), (340, 260), (300, 330), (220, 310), (185, 240)],
            [(170, 390), (360, 360), (470, 420), (490, 600), (50, 600), (60, 430)],
            [(200, 60), (310, 40), (340, 90), (180, 100)],
        ],
        [
            [(0, 0), (170, 0), (140, 90), (140, 320), (60, 360), (20, 400), (5, 500), (0, 500)],
            [(370, 20), (511, 0), (511, 380), (470, 360), (400, 330), (390, 180)],
            [(0, 0), (511, 0), (511, 10), (0, 10)],
            [(140, 120), (160, 110), (152, 180), (140, 190)],
        ],
        [
            [
                (150, 90), (230, 22), (310, 22), (375, 90), (375, 260), (350, 310), (460, 370), (511, 430),
                (511, 600), (15, 600), (30, 400), (150, 350), (150, 240),
            ],
        ],
    ),
    "coelho": (
        [
            [
                (60, 80), (110, 55), (200, 55), (250, 110), (255, 200), (225, 260), (200, 310), (230, 376),
                (30, 376), (90, 340), (60, 250), (55, 160),
            ],
        ],
        [
            [
                (0, 0), (299, 0), (299, 330), (240, 310), (275, 230), (285, 140), (240, 50), (180, 20),
                (100, 20), (50, 60), (25, 150), (30, 250), (60, 310), (0, 340),
            ],
        ],
        [
            [
                (35, 70), (100, 25), (200, 30), (275, 110), (270, 230), (230, 300), (299, 360), (299, 376),
                (0, 376), (0, 350), (75, 320), (40, 230), (30, 150),
            ],
        ],
    ),
}
SMALLEST_HOLE = 600


def mask(picture, person, behind, probably):
    labels = np.full(picture.shape[:2], cv2.GC_PR_BGD, np.uint8)
    for polygons, label in ((probably, cv2.GC_PR_FGD), (person, cv2.GC_FGD), (behind, cv2.GC_BGD)):
        for polygon in polygons:
            cv2.fillPoly(labels, [np.array(polygon, np.int32)], label)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, labels, None, *models, 8, cv2.GC_INIT_WITH_MASK)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # The largest part, without small holes.
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(found)
    found = (parts == 1 + np.argmax(statistics[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(1 - found)
    for part in range(1, count):
        if statistics[part, cv2.CC_STAT_AREA] < SMALLEST_HOLE:
            found[parts == part] = 1
    return found * 255


for name, polygons in PORTRAITS.items():
    result = mask(cv2.imread(f"{name}.jpg"), *polygons)
    cv2.imwrite(f"{name}-mask.png", result, [cv2.IMWRITE_PNG_BILEVEL, 1])
