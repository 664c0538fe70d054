#!/usr/bin/env python3
"""Runs a command beside a gate and a Pushgateway of its own, with the variables that make smoke listens to.

  KANMON=.build-static/release/kanmon Tests/Release/with_gate.py make smoke
"""

import os
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "EndToEnd"))
from stage import Gate, Pushgateway, require  # noqa: E402


def main():
    require("prometheus-pushgateway", "curl", "openssl")
    with Pushgateway() as upstream, Gate(upstream) as gate:
        settings = {"KANMON_URL": gate.url, "KANMON_CACERT": f"{gate.folder}/tls.crt", "KANMON_USER": "prom",
                    "KANMON_PASSWORD_FILE": f"{gate.folder}/password", "KANMON_CONFIG": f"{gate.folder}/kanmon.yml",
                    "KANMON_LOG": f"{gate.folder}/log", "PUSHGATEWAY_URL": f"http://127.0.0.1:{upstream.port}"}
        status = subprocess.run(sys.argv[1:], env=os.environ | settings).returncode
    sys.exit(status)


main()
