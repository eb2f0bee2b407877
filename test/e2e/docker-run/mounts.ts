/** What is mounted in a container. */
import { probe, type Theme } from './compare.ts';

const FILES = { 'in/file': 'from the host\n', 'one-file': 'single\n', 'empty/': '' };

const mount = (flags: string, words = '') => probe(flags, { words, files: FILES });

/** -v, --mount, --tmpfs, --read-only. */
export const MOUNTS: Theme = {
  name: 'mounts',
  rows: [
    mount('-v $(dir)/in:/in -v $(dir)/one-file:/one-file:ro -v $(dir)/in:/deep/er/in:ro,rslave'),
    mount('-v $(dir)/made/by/run:/in'),
    mount('-v $(dir)/in:/data'),
    mount('-v $(dir)/in:/to-data/there:rw,rprivate'),
    mount(
      '--mount type=bind,src=$(dir)/in,dst=/in,readonly --mount type=bind,source=$(dir)/in,target=/other,bind-propagation=rslave -v $(dir)/in:/shared:rshared',
    ),
    mount('--mount type=bind,src=$(dir)/in,dst=/in,bind-nonrecursive=true'),
    mount('-v /data -v named-volume:/named -v other-volume:/data/sub:ro'),
    mount('-v volume-nocopy:/data:nocopy'),
    mount(
      '--mount dst=/data --mount type=volume,src=mount-volume,dst=/m,ro --mount type=volume,src=nc,dst=/home,volume-nocopy',
    ),
    mount('-v $(dir)/one-file:/etc/hosts -v $(dir)/one-file:/etc/resolv.conf:ro'),
    mount('-v $(dir)/in:/dev/shm'),
    mount('-v $(dir)/in:/tmp -v $(dir)/empty:/tmp/empty'),
    mount('--tmpfs /tmp --tmpfs /run:size=64k,mode=1700,noexec --tmpfs /data:rw,exec,uid=7'),
    mount(
      '--mount type=tmpfs,dst=/t --mount type=tmpfs,dst=/s,tmpfs-size=1m,tmpfs-mode=700 --mount type=tmpfs,dst=/data,ro',
    ),
    mount('--read-only'),
    mount('--read-only --tmpfs /tmp -v /data -v $(dir)/in:/in -w /in'),
    mount('--read-only -u ann -v $(dir)/in:/in:ro'),
    probe('', { image: 'volumes' }),
    probe('-v $(dir)/in:/data --tmpfs /fresh/deep', { image: 'volumes', files: FILES }),
    {
      name: 'a volume keeps what the image and the first container put there',
      steps: [
        'run --rm -v kept:/data probe sh -c "cat /data/file; echo more >> /data/file; touch /data/new; stat -c %a:%u:%g /data /data/file /data/sub/setuid"',
        'run --rm -v kept:/data:ro probe sh -c "cat /data/file; ls -lan /data; touch /data/no"',
        'run --rm -v kept:/home probe sh -c "find /home | sort"',
      ].map((line) => line.replace('ls -lan /data;', 'ls -A /data;')),
    },
    {
      name: 'what a container writes to a bind stays on the host',
      files: FILES,
      steps: [
        'run --rm -u 7:8 -v $(dir)/in:/in probe sh -c "echo no > /in/new"',
        'run --rm -v $(dir)/in:/in probe sh -c "echo yes > /in/new; ln -s new /in/link"',
        'run --rm -v $(dir)/in:/in:ro probe sh -c "cat /in/link; rm /in/link"',
      ],
    },
  ],
};
