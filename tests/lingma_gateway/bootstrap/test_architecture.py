import pytest

from lingma_gateway.bootstrap.architecture import named


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "x86_64_linux"),
        ("Linux", "aarch64", "aarch64_linux"),
        ("Darwin", "arm64", "aarch64_darwin"),
        ("Darwin", "AMD64", "x86_64_darwin"),
        ("Windows", "AMD64", None),
        ("Linux", "riscv64", None),
    ],
)
def test_a_machine_has_its_folder_in_the_archive(system: str, machine: str, name: str | None) -> None:
    assert named(system, machine) == name
