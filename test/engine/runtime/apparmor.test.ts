import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { defaultProfile, hasProfile } from '../../../src/engine/runtime/apparmor.ts';

/** This kernel need not have AppArmor for its compiler to read a profile. */
function compile(profile: string): { status: number | null; stderr: string; names: string } {
  const checked = spawnSync('apparmor_parser', ['-Q', '-K'], { input: profile, encoding: 'utf8' });
  const named = spawnSync('apparmor_parser', ['-N', '-K'], { input: profile, encoding: 'utf8' });
  return { status: checked.status, stderr: checked.stderr, names: named.stdout.trim() };
}

test("AppArmor's compiler takes the default profile, under Docker's name", () => {
  const result = compile(defaultProfile());
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.names, 'docker-default');
});

test('a profile that is none is refused by the compiler, so that the test above proves something', () => {
  assert.notEqual(compile(defaultProfile().replace('deny mount,', 'deny mont,')).status, 0);
});

test('a loaded profile is found by its whole name', () => {
  const loaded = 'docker-default-2 (enforce)\nman (complain)\n';
  assert.equal(hasProfile(loaded, 'docker-default'), false);
  assert.equal(hasProfile(`${loaded}docker-default (enforce)\n`, 'docker-default'), true);
});
