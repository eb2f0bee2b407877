# Runs a command that makes stores on loop files below a folder and removes them, and thin_check on the metadata of each pool once
# its store is gone: a second name keeps the file until then. Fails where there was none, or one that is damaged.
#   bash checked.sh FOLDER COMMAND [ARGUMENT…]
set -u
export PATH="$PATH:/usr/sbin:/sbin"
folder=$1 kept=/kept-metadata
shift
mkdir $kept

keep() {
  find "$folder" -path '*/devicemapper/devicemapper/metadata' -size +0 2>/dev/null | while read -r file; do
    name=$kept/$(stat -c %i "$file" 2>/dev/null) && [ ! -e "$name" ] && ln "$file" "$name" 2>/dev/null
  done
}
check() {
  for file in $kept/[0-9]*; do
    # It has its store still, or its pool is still there.
    [ -e "$file" ] && [ "$(stat -c %h "$file")" = 1 ] && [ -z "$(losetup -j "$file")" ] || continue
    # A set-up that ended before the kernel wrote to it.
    if ! cmp -s -n 4096 "$file" /dev/zero; then
      thin_check "$file" >$kept/said 2>&1 || cat $kept/said >>$kept/damaged
      echo one >>$kept/checked
    fi
    rm "$file"
  done
}

"$@" &
command=$!
while kill -0 $command 2>/dev/null; do
  keep
  check
  sleep 0.2
done
wait $command
status=$?
# A loop device detaches itself a moment after its pool.
for again in $(seq 50); do
  check
  ls $kept | grep -q '^[0-9]' || break
  sleep 0.1
done
[ -z "$(ls $kept | grep '^[0-9]')" ] || { echo "pools are still there: $(losetup -a)" >&2; exit 1; }
[ ! -e $kept/damaged ] || { cat $kept/damaged >&2; exit 1; }
echo "thin_check of $(wc -l <$kept/checked) pools"
exit $status
