from stitchedit.config import REGIONS
from stitchedit.learning.generator_samples import NAMES
from stitchedit.learning.targets import TARGETS, Target, target_of


def test_targets_name_readings_and_regions_that_there_are() -> None:
    for attribute, target in TARGETS.items():
        assert {attribute, *target.labels, *target.free} <= set(NAMES)
        assert not {attribute, *target.labels} & set(target.free)
        assert target.region in ("", *REGIONS)
        assert (target.amount > 0) <= bool(target.measured_in)
    assert target_of("mouthPucker") == Target()
    assert target_of("age").amount == 10
