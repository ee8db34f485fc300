"""The folder names that Lingma's archives use for machines. Pure."""

ARCHITECTURES = ("x86_64_linux", "aarch64_linux", "x86_64_darwin", "aarch64_darwin")
"""The archives hold x86_64_windows too, on which this gateway does not run."""

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def named(system: str, machine: str) -> str | None:
    """The name for what `platform.system()` and `platform.machine()` say; None where there is no such Lingma."""
    name = f"{_MACHINES.get(machine.lower(), '')}_{system.lower()}"
    return name if name in ARCHITECTURES else None
