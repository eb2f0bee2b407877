import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkVolumeName } from '../../../src/engine/containers/mount-spec.ts';

test('volume names', () => {
  checkVolumeName('ab');
  assert.throws(() => checkVolumeName('a'), {
    message: 'create a: volume name is too short, names should be at least two alphanumeric characters',
  });
  for (const name of ['a b', './x', '-a', '~/x']) {
    assert.throws(() => checkVolumeName(name), {
      message:
        `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    });
  }
});
