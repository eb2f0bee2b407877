#!/bin/sh
# quickstart.sh: from a fresh checkout to a container on overlay2: set-up, a base image out of Debian's packages, a
# container, and copy-on-write at work. A second run skips what is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

case ${1-} in
  '') ;;
  -h | --help)
    echo "npm run quickstart: set-up, a base image and a first container on overlay2; skips what is there already. Takes no options."
    exit 0
    ;;
  *) fail "quickstart takes no options or arguments, not $1" ;;
esac

started=$(date +%s)
data_root=/var/lib/tsengine
image=debian:$( (. /etc/os-release && echo "${VERSION_ID-sid}") 2>/dev/null || echo sid)
container=quickstart-$$
containers=

# Whatever way this ends, its containers go; images and packages that were complete stay for the next run.
clean_up() {
  status=$?
  trap - EXIT INT TERM HUP
  for name in $containers; do quiet_engine rm --force "$name" || true; done
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

engine() { as_root "$root/bin/tsengine" --storage-driver=overlay2 "$@"; }
quiet_engine() { engine "$@" >/dev/null 2>&1; }

# Shows a command as the user would type it, then runs it.
show() {
  printf '\n$ tsengine --storage-driver=overlay2'
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
  done
  echo
  status=0
  output=$(engine "$@" 2>&1) || status=$?
  printf '%s\n' "$output" | sed 's/^/    /'
  [ "$status" = 0 ] || fail "that ended with $status"
}

main() {
  need_root
  check_overlay
  sh "$root/scripts/setup.sh" --for quickstart
  import_image
  first_container
  copy_on_write
  what_next
}

# Tried for real where the data root will be, in a mount namespace that takes the mount with it when it ends.
check_overlay() {
  grep -qw overlay /proc/filesystems || as_root modprobe overlay 2>/dev/null || true
  grep -qw overlay /proc/filesystems ||
    fail "this kernel ($(uname -r)) has no overlay file system, which overlay2 is made of: try --storage-driver=vfs by hand, or another kernel"
  parent=$data_root
  [ -d "$parent" ] || parent=${data_root%/*}
  as_root sh -c '
    set -e
    try=$(mktemp -d "$1/.tsengine-try.XXXXXX")
    trap "rm -rf \"$try\"" EXIT
    mkdir "$try/lower" "$try/upper" "$try/work" "$try/merged"
    unshare --mount sh -c "cd \"\$1\" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged" sh "$try"
  ' sh "$parent" >/dev/null 2>&1 ||
    fail "overlay cannot be mounted on $parent ($(stat -f -c %T "$parent")): either mounting is not allowed here, as in an unprivileged container, or that file system cannot carry overlay"
}

import_image() {
  if quiet_engine inspect --type image "$image"; then
    step "image: $image is there already"
    return
  fi
  tarball=$(as_root sh "$root/scripts/base-image.sh")
  step "image: importing it as $image"
  engine import --change 'CMD ["bash"]' "$tarball" "$image" >/dev/null
}

first_container() {
  step "a container on overlay2"
  show run --rm --network none "$image" bash -c '. /etc/os-release; echo "Hello from $PRETTY_NAME, process $$"; grep " / " /proc/mounts | cut -c -60'
}

copy_on_write() {
  step "copy-on-write: a container changes a file, deletes one and adds one"
  containers=$container
  show run --name "$container" --network none "$image" bash -c 'echo changed >> /etc/issue; rm /etc/debian_version; echo new > /root/added'
  printf '\nWhat the container changed (C), deleted (D) and added (A):\n'
  show diff "$container"
  printf '\nA second container of the same image sees none of it:\n'
  show run --rm --network none "$image" bash -c 'cat /etc/issue; echo "Debian $(cat /etc/debian_version)"; ls /root/added || true'
  engine rm "$container" >/dev/null
  containers=
}

what_next() {
  sudo=
  [ "$(id -u)" = 0 ] || sudo='sudo '
  step "done in $(($(date +%s) - started)) s. What to try next, in $root:"
  suggest() { printf '    %-62s %s\n' "$1" "$2"; }
  suggest "${sudo}bin/tsengine run -i --rm $image bash" "type commands, end with Ctrl-D"
  suggest "${sudo}bin/tsengine run -d --name first $image sleep 1d" "in the background"
  suggest "${sudo}bin/tsengine ps" "what runs"
  suggest "${sudo}bin/tsengine commit first mine:1" "an image out of a container"
  suggest "${sudo}bin/tsengine -s vfs --data-root /var/lib/tsengine-vfs info" "another driver, in a root of its own"
  suggest "bin/tsengine --help" "all commands"
  suggest "npm test" "all tests"
}

main
