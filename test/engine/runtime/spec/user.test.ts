import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveUser } from '../../../../src/engine/runtime/spec/user.ts';

const PASSWD = Buffer.from(
  'root:x:0:0:root:/root:/bin/sh\n\napp:x:1000:1000:App:/home/app:/bin/sh\nbroken\n',
);
const GROUP = Buffer.from('root:x:0:\napp:x:1000:\naudio:x:29:app,root\nvideo:x:44:app\n');
const ids = (spec: string, add: string[] = []) => {
  const { uid, gid, additionalGids } = resolveUser(spec, PASSWD, GROUP, add);
  return [uid, gid, ...additionalGids];
};

describe('resolveUser', () => {
  it('takes root and its groups when nobody is named', () => {
    assert.deepEqual(ids(''), [0, 0, 0, 29]);
    assert.equal(resolveUser('', PASSWD, GROUP).home, '/root');
  });

  it('finds users by name and by number, with their groups', () => {
    assert.deepEqual(ids('app'), [1000, 1000, 1000, 29, 44]);
    assert.deepEqual(ids('1000'), [1000, 1000, 1000, 29, 44]);
    assert.deepEqual(ids('app:'), [1000, 1000, 1000, 29, 44]);
    assert.equal(resolveUser('1000', PASSWD, GROUP).home, '/home/app');
  });

  it('takes a named group alone', () => {
    assert.deepEqual(ids('app:video'), [1000, 44, 44]);
    assert.deepEqual(ids(':video'), [0, 44, 44]);
    assert.deepEqual(ids('4711:4712'), [4711, 4712, 4712]);
    assert.deepEqual(ids('1:2:3'), [1, 2, 2]);
  });

  it('takes numbers that are in no file, with root’s group', () => {
    assert.deepEqual(ids('4711'), [4711, 0, 0]);
    assert.equal(resolveUser('4711', PASSWD, GROUP).home, '/');
    assert.deepEqual(resolveUser('7', undefined, undefined), {
      uid: 7,
      gid: 0,
      additionalGids: [0],
      home: '/',
    });
    assert.deepEqual(resolveUser('', undefined, undefined), {
      uid: 0,
      gid: 0,
      additionalGids: [0],
      home: '/',
    });
  });

  it('appends --group-add', () => {
    assert.deepEqual(ids('app:video', ['audio', '4242']), [1000, 44, 44, 29, 4242]);
    assert.deepEqual(ids('4711', ['29', 'audio']), [4711, 0, 0, 29]);
  });

  it('refuses in Docker’s words', () => {
    const refuses = (spec: string, message: string, add: string[] = []) =>
      assert.throws(() => ids(spec, add), { code: 'InvalidParameter', message });
    refuses('nobody1', 'unable to find user nobody1: no matching entries in passwd file');
    refuses('app:nogrp', 'unable to find group nogrp: no matching entries in group file');
    refuses('app', 'Unable to find group nogrp: no matching entries in group file', ['nogrp']);
    const range = 'uids and gids must be in range 0-2147483647';
    for (const spec of ['-5', '99999999999', '1000:9999999999']) refuses(spec, range);
    refuses('1000', range, ['99999999999']);
  });
});
