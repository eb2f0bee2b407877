/**
 * `/etc/resolv.conf` as Docker 20.10.24 wrote it, by what the host's was: read with `run --network none cat
 * /etc/resolv.conf` from a dockerd in a mount namespace whose `/etc` was changed between the runs.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultHostConfig, type HostConfig } from '../../../src/engine/api/host-config.ts';
import { resolvConfFile } from '../../../src/engine/containers/network-files.ts';

const PUBLIC = 'nameserver 8.8.8.8\nnameserver 8.8.4.4';

/** The host's file, the container's, and settings other than none. */
const ROWS: readonly (readonly [host: string, container: string, settings?: Partial<HostConfig>])[] = [
  ['', `\n${PUBLIC}\n`],
  ['search a b\nnameserver 127.0.0.1\noptions ndots:2\n', `search a b\noptions ndots:2\n\n${PUBLIC}\n`],
  ['nameserver fe80::1%eth0\n', `\n${PUBLIC}`],
  ['nameserver 1.2.3.4\nnameserver 2001:db8::1\noptions x\n', 'nameserver 1.2.3.4\noptions x\n'],
  ['nameserver 2001:db8::1\nnameserver 1.2.3.4', 'nameserver 1.2.3.4'],
  ['nameserver 2001:db8::1\nnameserver ::1\n', `\n${PUBLIC}`],
  ['# c\nnameserver 127.0.0.53\noptions edns0\n', `# c\noptions edns0\n\n${PUBLIC}\n`],
  ['search x\n', `search x\n\n${PUBLIC}\n`],
  ['  nameserver 127.0.0.1\nnameserver\t::1\n', '  nameserver 127.0.0.1\n'],
  [
    'nameserver 2001:db8::1\nsearch x\n',
    'search x\nnameserver 2001:db8::1\noptions a\n',
    { DnsOptions: ['a'] },
  ],
  ['', 'search q\n', { DnsSearch: ['q'] }],
  ['nameserver 127.0.0.1\n', 'search q\nnameserver 127.0.0.1\n', { DnsSearch: ['q'] }],
  [
    'nameserver 127.0.0.1\nnameserver 2001:db8::1\n',
    'nameserver 127.0.0.1\nnameserver 2001:db8::1\n',
    { NetworkMode: 'host' },
  ],
  ['', '', { NetworkMode: 'host' }],
];

for (const [host, container, settings] of ROWS) {
  test(`${JSON.stringify(host)} ${JSON.stringify(settings ?? {})}`, () => {
    const config = { ...defaultHostConfig(2), NetworkMode: 'none', ...settings };
    assert.equal(resolvConfFile(config, {}, host), container);
  });
}
