#!/usr/bin/env bash
# The version, from the one place where it is written. Package and manual ask here.
set -euo pipefail
sed -n 's/.*static let number = "\([^"]*\)".*/\1/p' "$(dirname "$0")/../../Sources/Console/Release.swift"
