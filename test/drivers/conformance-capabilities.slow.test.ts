/** What drivers say of themselves is asserted both ways: a driver that says the contrary of one thing fails a check for it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CHECKS, type Subject } from '../../src/drivers/conformance/index.ts';
import type { Capabilities, DriverName, GraphDriver } from '../../src/drivers/driver.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { makeSubject } from '../helpers/stores.ts';

/** The same driver, which says something else of itself. */
function saying(driver: GraphDriver, capabilities: Capabilities): GraphDriver {
  return new Proxy(driver, {
    get: (target, key) => {
      if (key === 'capabilities') return capabilities;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What is told of each capability, and which check finds out. */
const LIES: readonly (readonly [check: RegExp, lie: (said: Capabilities) => Partial<Capabilities>])[] = [
  [/cost what changed/, ({ nativeDiff }) => ({ nativeDiff: !nativeDiff })],
  [/^a quota is kept/, ({ quota }) => ({ quota: !quota })],
  [/^names of one file in one layer/, (said) => ({ hardLinksAcrossCopyUp: !said.hardLinksAcrossCopyUp })],
  [/^times keep their nanoseconds/, ({ nanoseconds }) => ({ nanoseconds: !nanoseconds })],
  [/^extended attributes of every sort/, ({ xattrs }) => ({ xattrs: !xattrs })],
  [/^a layer that is in use/, ({ mounts }) => ({ mounts: !mounts })],
  [/^a layer on which another one stands/, ({ refusesParents }) => ({ refusesParents: !refusesParents })],
  [/^a directory of the image is renamed/, (said) => ({ renameLowerDirectory: !said.renameLowerDirectory })],
  [/^the longest name/, ({ longestName = 255 }) => ({ longestName: longestName - 1 })],
  [
    /^a symbolic link of the image that is renamed/,
    ({ copyUpLoses = [] }) => ({
      copyUpLoses: copyUpLoses.includes('link-time') ? [] : ['link-time'],
    }),
  ],
];

function onDriver(name: DriverName, parent: () => string | undefined): void {
  describe(`${name} that says the contrary of one thing fails the check for it`, () => {
    let subject: Subject | undefined;
    before(async () => {
      subject = await makeSubject(name, parent());
    });
    after(async () => {
      await subject?.[Symbol.asyncDispose]();
    });
    for (const [pattern, lie] of LIES)
      test(pattern.source, async () => {
        assert.ok(subject !== undefined);
        const { driver } = subject;
        const [check, ...others] = CHECKS.filter((one) => pattern.test(one.name));
        assert.ok(check !== undefined && others.length === 0);
        const capabilities = { ...driver.capabilities, ...lie(driver.capabilities) };
        assert.equal(check.excused?.(driver.capabilities) ?? check.excused?.(capabilities), undefined);
        await check.run(subject);
        await assert.rejects(check.run({ ...subject, driver: saying(driver, capabilities) }));
      });
  });
}

onDriver('overlay2', () => undefined);
onDriver('vfs', () => undefined);

describe('on btrfs', () => {
  const filesystem = makeFilesystem('btrfs');
  after(() => filesystem[Symbol.dispose]());
  onDriver('btrfs', () => filesystem.path);
});
