# Sourced by the scripts beside it: makes .venv where it is missing and installs what a script needs into it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
  printf 'slidekit needs Python 3.11 or newer; name it with PYTHON=/path/to/python.\n' >&2
  exit 2
}

# need EXTRAS [PACKAGE ...]: install slidekit with these extras, once for each state of pyproject.toml.
need() {
  [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
  local stamp
  stamp=".venv/.installed-$(printf '%s' "$*" | tr -c 'a-z0-9' '-')"
  if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    printf 'installing slidekit%s into .venv …\n' "$1" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".$1" "${@:2}"
    touch "$stamp"
  fi
}
