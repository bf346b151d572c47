#!/usr/bin/env bash
# Records the captures anew, from nothing but real programs. Needs root: every scenario runs in
# network namespaces that it makes itself and removes again, so nothing else on the machine is seen,
# used or disturbed.
# usage: record.sh [--output DIR] [NAME…]     no names: all scenarios; --list: what there is
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

[ "$(id -u)" -eq 0 ] || {
  echo "record.sh needs root, for network namespaces and tcpdump." >&2
  exit 77
}
"$root/.ci/install" \
  mosquitto mosquitto-clients tcpdump tshark nftables iproute2 openssl python3 python3-venv

venv="$root/.build/record-venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import paho.mqtt.client' 2>/dev/null ||
  "$venv/bin/python" -m pip install -q 'paho-mqtt>=2.1,<3'
exec "$venv/bin/python" "$here/record.py" "$@"
