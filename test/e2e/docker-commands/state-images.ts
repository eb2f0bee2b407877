/** The images of the state: fixed in every byte but for the busybox in them, so that lists show fixed dates. */
import { dockerArchive, type MadeImage, makeImage, tarOf } from '../../helpers/images.ts';

/** An image with the name that rows call it by. */
export interface StateImage {
  readonly key: string;
  readonly image: MadeImage;
  readonly tags: readonly string[] | null;
  /** The image that Docker is to believe it was made from, by its key. */
  readonly parent?: string;
}

/** All images: tagged, untagged, made from each other, two whose ids begin with the same three digits. */
export function makeImages(busybox: Buffer): StateImage[] {
  const step = (name: string, day: number) => ({
    created: `2020-02-${String(day).padStart(2, '0')}T10:00:00Z`,
    created_by: name,
  });
  const app = tarOf([{ name: 'app/' }, { name: 'app/start', content: '#!/bin/sh\necho app\n', mode: 0o755 }]);
  const extra = tarOf([{ name: 'app/' }, { name: 'app/extra', content: 'x'.repeat(12_345) }]);
  const history = [
    step('/bin/sh -c #(nop) ADD file:0123456789abcdef in / ', 1),
    { ...step('/bin/sh -c #(nop)  CMD ["sh"]', 2), empty_layer: true },
    step('COPY app /app # a step\twith a tab, "quotes" and words that go on for longer than a column', 3),
    { ...step('/bin/sh -c #(nop)  LABEL tier=app', 4), empty_layer: true, comment: 'labelled' },
  ];
  const base = makeImage([busybox], {
    created: '2020-02-02T10:00:00.5Z',
    config: {
      config: {
        Env: ['PATH=/bin', 'LANG=C.UTF-8'],
        Cmd: ['sh'],
        Labels: { maintainer: 'Ann <ann@example.org>', 'com.example.tier': 'base' },
        WorkingDir: '/tmp',
      },
      history: history.slice(0, 2),
      author: 'Ann',
      docker_version: '20.10.7',
    },
  });
  const middle = makeImage([busybox, app], {
    created: '2020-02-03T10:00:00Z',
    config: { config: { Env: ['PATH=/bin'], Cmd: ['sh'] }, history: history.slice(0, 3) },
  });
  const appImage = makeImage([busybox, app], {
    created: '2020-02-04T10:00:00.123456789Z',
    config: {
      config: {
        Env: ['PATH=/bin'],
        Entrypoint: ['/bin/env'],
        Cmd: ['sh', '-c', 'echo hi'],
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/var/cache': {} },
        Labels: { tier: 'app', 'com.example.version': '2.0' },
        StopSignal: 'SIGTERM',
        User: 'nobody',
        OnBuild: ['RUN true'],
        Healthcheck: { Test: ['CMD', 'true'], Interval: 5_000_000_000 },
        Shell: ['/bin/sh', '-ec'],
      },
      history,
      comment: 'a comment',
      container_config: { Cmd: ['/bin/sh', '-c', '#(nop) ', 'LABEL tier=app'] },
    },
  });
  const dangling = makeImage([busybox, app, extra], {
    created: '2021-03-01T00:00:00Z',
    config: { config: { Labels: { tier: 'lost' } }, history: [...history, step('extra', 5)] },
  });
  const tool = makeImage([busybox], { created: '2021-04-01T00:00:00Z' });
  const small = (created: string) => makeImage([extra], { created, config: { history: [] } });
  return [
    { key: 'base', image: base, tags: ['shop/base:1.0', 'shop/base:latest'] },
    { key: 'middle', image: middle, tags: null, parent: 'base' },
    { key: 'app', image: appImage, tags: ['shop/app:2.0'], parent: 'middle' },
    { key: 'dangling', image: dangling, tags: null, parent: 'app' },
    { key: 'tool', image: tool, tags: ['tool:latest', 'tool:3'] },
    { key: 'lone', image: small('2022-01-01T00:00:00Z'), tags: null },
    { key: 'far', image: small('2022-01-01T12:00:00Z'), tags: ['localhost:5000/team/tool:3'] },
    { key: 'moving', image: small('2022-01-02T00:00:00Z'), tags: ['moving:1', 'gone:1'] },
    { key: 'moved', image: withPrefix(tool.id.slice(7, 10), small), tags: ['moved:1'] },
  ];
}

/** An image whose id begins like this: the second of its date decides. */
function withPrefix(prefix: string, make: (created: string) => MadeImage): MadeImage {
  for (let second = 0; ; second++) {
    const image = make(new Date(Date.UTC(2022, 1, 1) + second * 1000).toISOString().replace('.000Z', 'Z'));
    if (image.id.startsWith(prefix, 7)) return image;
  }
}

/** What `docker load` takes. */
export function archiveOf(images: readonly StateImage[]): Buffer {
  return dockerArchive(images);
}
