"""How to reach S3 is set, and recordings do not go there: `doctor` and `run` say so, and show no value."""

from tests.support.controller import Site

SETTINGS = {
    "ROOMCTL_RECORDING_OUTPUT": "file:///recordings/{key}/{id}.mp4",
    "ROOMCTL_RECORDING_S3_REGION": "eu-nowhere-1",
    "ROOMCTL_RECORDING_S3_ACCESS_KEY": "AKIA-of-nobody",
    "ROOMCTL_RECORDING_S3_SECRET": "hush-hush-of-nobody",
}
NAMES = list(SETTINGS)[1:]
VALUES = list(SETTINGS.values())[1:]


async def test_the_doctor_names_them(site: Site) -> None:
    output = (await site.verb("doctor", **SETTINGS)).out
    (line,) = (line for line in output.splitlines() if line.split()[1] == "s3")
    assert line.startswith("warn")
    assert [name for name in NAMES if name in line] == NAMES
    assert not [value for value in VALUES if value in output]


async def test_run_names_them_once_at_its_start(site: Site) -> None:
    async with site.run(ready=True, **SETTINGS) as controller:
        (said,) = controller.said("unused S3 settings", level="warning")
        assert said["settings"].split(", ") == NAMES
        assert not [value for value in VALUES if value in str(controller.events)]
