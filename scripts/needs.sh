#!/bin/bash
# Installs from Debian what is missing:  scripts/needs.sh cc postgresql venv curl chromium node
set -euo pipefail

missing=()
for need in "$@"; do
    case $need in
    cc) { command -v cc && command -v c++; } >/dev/null || missing+=(build-essential) ;;
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql) ;;
    venv) python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv) ;;
    node) command -v npm >/dev/null || missing+=(nodejs npm) ;;
    chromium) command -v chromium >/dev/null || missing+=(chromium) ;;
    *) command -v "$need" >/dev/null || missing+=("$need") ;;
    esac
done
command -v cargo >/dev/null || { echo "cargo is missing: install Rust $(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)" >&2; exit 1; }
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then as_root=(); elif command -v sudo >/dev/null; then as_root=(sudo); else
    echo "missing: ${missing[*]}. Install them (Debian: apt-get install ${missing[*]}) and try again." >&2
    exit 1
fi
command -v apt-get >/dev/null || { echo "missing: ${missing[*]}, and there is no apt-get here" >&2; exit 1; }
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
