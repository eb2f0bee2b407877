import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../src/archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { TsengineError } from '../../src/errors.ts';
import { printablePath } from '../../src/linux/path.ts';
import { entryOf, parseTar, patch, seeded } from './tar-tools.ts';

const plain = (size: number, name = 'file') => encodeHeader(entryOf({ name: Buffer.from(name), size }));
const meta = (flag: string, payload: Buffer) =>
  Buffer.concat([patch(plain(payload.length, 'meta'), [156, flag]), payload, padding(payload.length)]);
const pax = (payload: string | Buffer) => meta('x', Buffer.from(payload));
const records = (...pairs: readonly (readonly [string, string | number])[]) =>
  pax(
    pairs
      .map(([key, value]) => {
        let length = key.length + String(value).length + 4;
        while (`${length} ${key}=${value}\n`.length !== length) length++;
        return `${length} ${key}=${value}\n`;
      })
      .join(''),
  );

function refused(parts: readonly Buffer[], message: RegExp, code = 'Corrupt'): void {
  const archive = Buffer.concat([...parts, endOfArchive]);
  for (const cut of [() => archive.length, () => 1, () => 511]) {
    assert.throws(
      () => parseTar(archive, cut),
      (error) => {
        assert.ok(error instanceof TsengineError);
        assert.match(error.message, message);
        assert.equal(printablePath(error.message), error.message, 'one printable line');
        assert.equal(error.code, code);
        return true;
      },
    );
  }
}

test('an archive cut anywhere inside a member is refused, with where it stopped', () => {
  const archive = Buffer.concat([
    records(['path', 'renamed']),
    plain(700, 'x'),
    Buffer.alloc(700),
    padding(700),
  ]);
  for (let length = 1; length < archive.length; length += 37) {
    const whole = length >= 3 * 512 + 700;
    if (whole) parseTar(archive.subarray(0, length));
    else
      assert.throws(() => parseTar(archive.subarray(0, length)), {
        code: 'Corrupt',
        message: /unexpected EOF after/,
      });
  }
  assert.throws(
    () => parseTar(archive.subarray(0, 1536)),
    /invalid tar archive: "renamed" at byte 1024: unexpected EOF/,
  );
  assert.throws(
    () => parseTar(archive.subarray(0, 1024)),
    /unexpected EOF/,
    'a pax header and nothing after it',
  );
});

test('damage to any byte of a header is noticed', () => {
  const header = plain(0);
  for (let at = 0; at < 512; at += 3) {
    const damaged = Buffer.from(header);
    damaged[at] = (damaged[at] ?? 0) ^ 0x55;
    assert.throws(() => parseTar(Buffer.concat([damaged, endOfArchive])), {
      code: 'Corrupt',
      message: /checksum/,
    });
  }
  refused([plain(0), Buffer.alloc(512, 0xff)], /at byte 512: the header checksum does not match/);
  const secret = Buffer.alloc(512, 'root:x:0:0:root:/root\nsecret:x:1:1\n');
  refused([secret], /^invalid tar archive: at byte 0: the header checksum does not match/);
});

describe('numbers', () => {
  test('that are none', () => {
    for (const [at, what] of [
      [100, 'mode'],
      [108, 'uid'],
      [116, 'gid'],
      [124, 'size'],
      [136, 'mtime'],
    ] as const) {
      refused(
        [patch(plain(0), [at, '00x'])],
        new RegExp(`"file" at byte 0: the ${what} field is not a number`),
      );
    }
    refused(
      [patch(encodeHeader(entryOf({ type: 'char' })), [329, '9'])],
      /the device major field is not a number/,
    );
  });

  test('negative and absurd sizes', () => {
    refused([patch(plain(0), [124, Buffer.alloc(12, 0xff)])], /the size is negative: -1/);
    refused(
      [patch(plain(0), [124, Buffer.from('bfffffffffffffffffffffff', 'hex')])],
      /the size field is absurdly large/,
    );
    refused([records(['size', -5]), plain(0)], /the size is negative: -5/);
    refused([records(['size', '9'.repeat(25)]), plain(0)], /pax size is absurdly large/);
    refused([records(['size', '0x10']), plain(0)], /pax size is not a number/);
    refused([patch(meta('x', Buffer.alloc(0)), [124, Buffer.alloc(12, 0xff)])], /the size is negative/);
  });

  test('owners that Linux does not have', () => {
    refused([records(['uid', 4294967295]), plain(0)], /the uid 4294967295 is none/, 'InvalidParameter');
    refused([records(['gid', -2]), plain(0)], /the gid -2 is none/, 'InvalidParameter');
  });

  test('times', () => {
    for (const time of ['x', '1.x', '--1', '1e9', '.5']) {
      refused([records(['mtime', time]), plain(0)], /pax mtime is not a time/);
    }
    refused([records(['mtime', '9'.repeat(20)]), plain(0)], /pax mtime is absurdly large/);
  });
});

describe('pax headers', () => {
  test('with wrong lengths', () => {
    for (const payload of [
      '99 path=x\n',
      '8 path=x\n',
      '0 path=x\n',
      '4 a\n',
      'x path=y\n',
      ' path=y\n',
      '-9 path=y\n',
      '9path=xy\n',
      '10 path=xy',
      '999999999999999999999 path=x\n',
      '10 path=x\n1',
      '11 path=xy ',
    ]) {
      refused([pax(payload), plain(0)], /"meta" at byte 0: a pax record has a wrong length/);
    }
  });

  test('without a key', () => {
    refused([pax('7 path\n'), plain(0)], /has no key/);
    refused([pax('7 =abc\n'), plain(0)], /has no key/);
    refused([pax('7 pathx\n10 uid=12\n'), plain(0)], /wrong length|has no key/);
  });

  test('with NUL bytes in names', () => {
    for (const key of ['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name']) {
      refused([records([key, 'a\0b']), plain(0)], /contains a NUL byte/);
    }
    refused([records(['SCHILY.xattr.a\0b', '']), plain(0)], /unusable xattr name/);
    refused([records(['SCHILY.xattr.', 'x']), plain(0)], /unusable xattr name/);
  });

  test('past the limits', () => {
    const size = LIMITS.paxHeader + 1;
    const long = (flag: string) => patch(plain(size, 'meta'), [156, flag]);
    for (const flag of ['x', 'g', 'L', 'K']) {
      refused(
        [long(flag)],
        /an extended header of 1048577 bytes is past the limit of 1048576/,
        'InvalidParameter',
      );
    }
    const atLimit = Buffer.alloc(LIMITS.paxHeader, 'c');
    atLimit.write(`${LIMITS.paxHeader} comment=`);
    atLimit[LIMITS.paxHeader - 1] = 0x0a;
    assert.equal(parseTar(Buffer.concat([pax(atLimit), plain(0), endOfArchive])).members.length, 1);
    refused(
      [records([`SCHILY.xattr.${'n'.repeat(256)}`, '']), plain(0)],
      /xattr name is longer than 255/,
      'InvalidParameter',
    );
    refused(
      [records(['SCHILY.xattr.user.x', 'v'.repeat(65537)]), plain(0)],
      /"user.x" is longer/,
      'InvalidParameter',
    );
  });

  test('left over at the end, or before a single zero block', () => {
    assert.throws(() => parseTar(records(['path', 'x'])), /unexpected EOF/);
    refused([Buffer.alloc(512), plain(0)], /at byte 0: a single zero block is followed by more/);
  });
});

describe('names', () => {
  const named = (name: string) => Buffer.concat([records(['path', name]), plain(0), endOfArchive]);

  test('at and past PATH_MAX', () => {
    const longest = `${'a/'.repeat(2047)}b`;
    assert.equal(parseTar(named(longest)).members[0]?.entry.name.length, LIMITS.path);
    assert.equal(parseTar(named(`${longest}/`)).members[0]?.entry.name.length, LIMITS.path);
    refused(
      [named(`${longest}c`)],
      /the name has 4096 bytes, more than 4095 \(file name too long\)/,
      'InvalidParameter',
    );
    refused([named('x'.repeat(256))], /a part of the name has more than 255 bytes/, 'InvalidParameter');
    refused([meta('L', Buffer.alloc(5000, 'a/')), plain(0)], /the name has/, 'InvalidParameter');
    const symlink = encodeHeader(entryOf({ type: 'symlink' }));
    refused(
      [meta('K', Buffer.alloc(4096, 'l')), symlink],
      /the link name has 4096 bytes/,
      'InvalidParameter',
    );
    assert.equal(parseTar(Buffer.concat([meta('K', Buffer.alloc(4095, 'l')), symlink])).members.length, 1);
  });

  test('are escaped and cut in messages', () => {
    const archive = Buffer.concat([
      records(['path', `\x1b[31m\n${'y'.repeat(240)}/${'z'.repeat(200)}`], ['size', -1]),
      plain(0),
    ]);
    refused([archive], /^invalid tar archive: "\\x1b\[31m\\x0ay+\.\.\.z+" at byte \d+: the size is negative/);
  });
});

test('types that layers do not have', () => {
  for (const flag of ['D', 'M', 'V', 'X', 'Z', '8', '\xff', '\n']) {
    refused([patch(plain(0), [156, flag])], /members of type ".*" are not supported/, 'InvalidParameter');
  }
});

describe('sparse maps that lie', () => {
  const octal = (value: number) => `${value.toString(8).padStart(11, '0')}\0`;
  const old = (stored: number, real: number, ...runs: number[]) =>
    patch(
      plain(stored),
      [156, 'S'],
      [257, 'ustar  \0'],
      [345, Buffer.alloc(155)],
      [386, runs.map(octal).join('')],
      [483, octal(real)],
    );
  const text = (real: number, map: string, content: number) =>
    Buffer.concat([
      records(
        ['GNU.sparse.major', 1],
        ['GNU.sparse.minor', 0],
        ['GNU.sparse.name', 's'],
        ['GNU.sparse.realsize', real],
      ),
      plain(512 * Math.ceil(map.length / 512) + content),
      Buffer.from(map),
      padding(map.length),
      Buffer.alloc(content),
      padding(content),
    ]);
  const flat = (real: number, map: string, count: number, content: number) =>
    Buffer.concat([
      records(['GNU.sparse.size', real], ['GNU.sparse.numblocks', count], ['GNU.sparse.map', map]),
      plain(content),
      Buffer.alloc(content),
      padding(content),
    ]);

  test('overlap, or out of order', () => {
    refused([old(600, 2000, 0, 300, 200, 300), Buffer.alloc(600), padding(600)], /overlaps itself/);
    refused([text(5000, '2\n1000\n10\n0\n10\n', 20)], /"s" at byte 1024: the sparse map overlaps itself/);
    refused([flat(5000, '0,10,5,10', 2, 20)], /overlaps itself/);
  });

  test('past the size of the file', () => {
    refused([old(100, 150, 100, 100), Buffer.alloc(100), padding(100)], /past the end of the file/);
    refused([text(100, '1\n99\n2\n', 2)], /past the end of the file/);
    refused([flat(100, '9007199254740991,10', 1, 10)], /past the end of the file/);
    refused([text(100, '1\n101\n0\n', 0)], /past the end of the file/);
  });

  test('more or less content than stored', () => {
    refused(
      [old(100, 5000, 0, 200), Buffer.alloc(200), padding(200)],
      /has 200 bytes of content and the archive 100/,
    );
    refused([text(5000, '1\n0\n10\n', 20)], /has 10 bytes of content and the archive 20/);
    refused([flat(5000, '0,10', 1, 5)], /has 10 bytes of content and the archive 5/);
  });

  test('wrong counts and numbers', () => {
    refused([flat(5000, '0,10', 2, 10)], /not as many runs as it says/);
    refused([flat(5000, '0,10,5', 1, 10)], /not as many runs as it says/);
    refused([flat(5000, '0,-1', 1, 10)], /a wrong number/);
    refused([flat(-1, '', 0, 0)], /real size of the sparse file is wrong/);
    refused([records(['GNU.sparse.numbytes', 1]), plain(0)], /out of order/);
    refused([records(['GNU.sparse.offset', 1], ['GNU.sparse.offset', 1]), plain(0)], /out of order/);
    refused([text(5000, '1\n0\n', 10)], /a wrong number/);
    refused([text(5000, '1\n\n10\n', 10)], /a wrong number/);
    refused([text(5000, '-1\n', 10)], /a wrong number/);
    refused([text(5000, '99999999999999999\n', 10)], /a wrong number/);
    refused([patch(old(0, 0), [483, 'x'])], /real size of the sparse file is wrong/);
    refused([patch(plain(0), [156, 'S'])], /a sparse file in an unknown format/);
    refused(
      [records(['GNU.sparse.map', '']), encodeHeader(entryOf({ type: 'fifo' }))],
      /a fifo cannot be sparse/,
    );
  });
});

test('random damage never hangs, and ends in a TsengineError or a parse', () => {
  const random = seeded(2026);
  const archive = Buffer.concat([
    records(['path', 'some/name'], ['SCHILY.xattr.user.a', 'b'], ['mtime', '1.5']),
    plain(600),
    Buffer.alloc(600, 'x'),
    padding(600),
    records(
      ['GNU.sparse.major', 1],
      ['GNU.sparse.minor', 0],
      ['GNU.sparse.name', 's'],
      ['GNU.sparse.realsize', 900],
    ),
    plain(522),
    Buffer.from('1\n10\n10\n'),
    padding(8),
    Buffer.alloc(10),
    padding(10),
    meta('L', Buffer.from('long\0')),
    plain(0),
    endOfArchive,
  ]);
  let parsed = 0;
  for (let round = 0; round < 3000; round++) {
    let damaged = Buffer.from(archive);
    for (let i = 0; i < 1 + random() * 4; i++)
      damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
    // A correct checksum lets the damage through to the fields.
    for (let at = 0; at < damaged.length - 512; at += 512) {
      if (damaged.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
      damaged = Buffer.concat([
        damaged.subarray(0, at),
        patch(damaged.subarray(at, at + 512)),
        damaged.subarray(at + 512),
      ]);
    }
    try {
      const { all } = parseTar(damaged, () => 1 + Math.floor(random() * 900));
      assert.ok(all.equals(damaged));
      parsed++;
    } catch (error) {
      assert.ok(error instanceof TsengineError, String(error));
    }
  }
  assert.ok(parsed > 100 && parsed < 2900, `${parsed} of 3000 parsed`);
});
