"""A Lingma for LINGMA_BIN: the simulator, with what LINGMA_VARIANTS says of the account (the work directory's name).

LINGMA_VARIANTS is a JSON object of accounts: `exit` (ends at once with this code), `models` (offers these keys only).
It leaves the names of its environment variables in `environment.json` of its work directory.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from lingma_sim import catalog, cli


def main() -> int:
    work_dir = Path(sys.argv[sys.argv.index("--workDir") + 1])
    variant: dict[str, Any] = json.loads(os.environ.get("LINGMA_VARIANTS", "{}")).get(work_dir.name, {})
    (work_dir / "environment.json").write_text(json.dumps(sorted(os.environ)))
    if "exit" in variant:
        return int(variant["exit"])
    if "models" in variant:
        offered = tuple(model for model in catalog.MODELS if model["key"] in variant["models"])
        vars(catalog)["MODELS"] = offered
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
