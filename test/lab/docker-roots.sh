# Docker's data root opens in tsengine, and what tsengine wrote in it opens in Docker: docker-roots.sh DRIVER FOLDER [OPTION],
# where FOLDER is where both data roots are made, and OPTION the driver's for one that is made.
set -u
driver=$1 folder=$2 option=${3-}
. "$(dirname "$0")/devicemapper/common.sh"
systemctl stop docker.socket docker containerd 2>/dev/null
root=$folder/root
options=${option:+--storage-opt $option}
export DOCKER_HOST=unix:///run/peer.sock
start_docker() {
  dockerd --data-root $root --exec-root /run/peer -H $DOCKER_HOST -p /run/peer.pid --storage-driver $driver \
    $options --bridge none --iptables=false >/store/dockerd.log 2>&1 &
  dockerd=$!
  for again in $(seq 300); do
    [ -S /run/peer.sock ] && docker info >/dev/null 2>&1 && return
    kill -0 $dockerd || break
    sleep 0.2
  done
  tail -n 20 /store/dockerd.log >&2
  fail 'dockerd did not start'
}
stop_docker() {
  kill $dockerd
  wait $dockerd
}
use() { tsengine --data-root $root "$@"; }
start_docker
docker import /store/image.tar box >/dev/null || fail 'docker import'
docker run --name theirs --network none box sh -c 'echo hi >/file; mkdir -p /dir; rm -f /bin/touch; cat /file' >/dev/null || fail 'docker run'
docker diff theirs | sort >/store/diff
stop_docker
expect 'images are listed' '*box *' use images
expect 'containers are listed' '*theirs*' use ps -a
use diff theirs | sort | diff - /store/diff || fail 'diff differs'
expect "Docker's container starts" 'hi' use start -a theirs
expect 'a new one runs' 'ours' use run --name ours --network none box sh -c 'echo ours >/ours; cat /ours'
use import /store/image.tar second >/dev/null || fail import
use diff ours | sort >/store/diff
start_docker
expect 'our image is listed' '*second *' docker images
docker diff ours | sort | diff - /store/diff || fail 'diff differs in Docker'
expect 'our container starts' 'ours' docker start -a ours
expect 'a new one runs in Docker' 'again' docker run --rm --network none box echo again
expect 'Docker removes ours' 'ours' docker rm ours
stop_docker
expect 'and tsengine goes on' 'end' use run --rm --network none box echo end
expect 'and removes theirs' 'theirs' use rm theirs
[ $driver != devicemapper ] || check_pool $root

# One that tsengine made.
root=$folder/made
use -s $driver $options import /store/image.tar box >/dev/null || fail import
use run --name made --network none box sh -c 'echo made >/made; cat /made' >/dev/null || fail run
start_docker
expect 'Docker opens a root of ours' '*box *' docker images
expect 'and runs its container' 'made' docker start -a made
stop_docker
expect 'and leaves it to us' 'made' use start -a made
[ $driver != devicemapper ] || check_pool $root
