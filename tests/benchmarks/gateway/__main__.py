"""`python -m tests.benchmarks.gateway [--quick] [--json FILE]`: what the gateway costs, beside a floor."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.gateway import report, stages
from tests.benchmarks.gateway.processes import Failed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute instead of two: good for a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    options = parser.parse_args(arguments)
    plan = stages.QUICK if options.quick else stages.FULL
    machine = report.machine()
    try:
        figures = stages.measure(plan, lambda stage: print(stage, file=sys.stderr))
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("; ".join(f"{name} {value}" for name, value in machine.items()))
    print(report.table(plan, figures))
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine, "plan": asdict(plan), **figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
