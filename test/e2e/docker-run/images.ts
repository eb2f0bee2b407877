/** The images of the table: one root file system, a configuration for each question. */
import { readFileSync } from 'node:fs';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { dockerArchive, makeImage, tarOf } from '../../helpers/images.ts';
import { PROBE } from './probe.ts';

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'ann:x:1000:1000:Ann:/home/ann:/bin/sh',
  'bob:x:1001:100:Bob:/home/bob:/bin/sh',
  'homeless:x:1002:1002::/nowhere:/bin/sh',
  'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
].join('\n');

const GROUP = ['root:x:0:', 'staff:x:50:ann,bob', 'users:x:100:', 'audio:x:29:bob,root', 'ann:x:1000:'].join(
  '\n',
);

/** What is laid over the tiny root file system. */
function files(): Buffer {
  return tarOf([
    { name: 'probe', mode: 0o755, content: PROBE },
    { name: 'etc/' },
    { name: 'etc/passwd', content: `${PASSWD}\n` },
    { name: 'etc/group', content: `${GROUP}\n` },
    { name: 'home/' },
    { name: 'home/ann/', uid: 1000, gid: 1000, mode: 0o750 },
    { name: 'data/', uid: 1000, gid: 50, mode: 0o2770 },
    { name: 'data/file', uid: 1000, gid: 50, mode: 0o640, content: 'from the image\n' },
    { name: 'data/link', type: 'symlink', link: 'file' },
    { name: 'data/sub/', mode: 0o1777 },
    { name: 'data/sub/setuid', mode: 0o4755, uid: 1, gid: 2, content: '' },
    { name: 'to-data', type: 'symlink', link: 'data' },
    { name: 'plain-file', content: 'not a program\n' },
    { name: 'no-interpreter', mode: 0o755, content: 'echo no first line\n' },
    { name: 'lost-interpreter', mode: 0o755, content: '#!/nowhere/sh\n' },
    { name: 'closed/', mode: 0o700 },
    { name: 'closed/program', mode: 0o755, content: '#!/bin/sh\n' },
  ]);
}

const PATH = 'PATH=/usr/bin:/bin';

/** By name, the configuration of each image's containers. */
const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  probe: { Env: [PATH], Cmd: ['/probe'] },
  entry: { Env: [PATH], Entrypoint: ['/bin/echo', 'entry'], Cmd: ['image', 'command'] },
  nothing: { Env: [PATH], Cmd: null },
  pathless: { Env: null, Cmd: ['/probe'] },
  settled: {
    Env: ['PATH=/bin:/usr/bin', 'FROM_IMAGE=1', 'EMPTY=', 'SPACED=a  b', 'HOSTNAME=image'],
    Cmd: ['/probe', 'a word', '$HOME'],
    User: 'ann:staff',
    WorkingDir: '/srv/made/here',
    Labels: { kept: 'image', changed: 'image' },
    StopSignal: 'SIGUSR1',
    ExposedPorts: { '80/tcp': {} },
  },
  volumes: { Env: [PATH], Cmd: ['/probe'], Volumes: { '/data': {}, '/fresh/deep': {} } },
  ghost: { Env: [PATH], Cmd: ['true'], User: 'ghost' },
};

/** An archive of them all, for `load`. */
export async function tableImages(): Promise<Buffer> {
  const layers = [readFileSync(await tinyRootfs()), files()];
  return dockerArchive(
    Object.entries(CONFIGS).map(([name, config]) => ({
      image: makeImage(layers, { config: { config } }),
      tags: [`${name}:latest`],
    })),
  );
}
