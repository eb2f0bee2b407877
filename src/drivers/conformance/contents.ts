/** Checks on what a container may do to its tree: everything is kept, and nothing below it changes. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../../errors.ts';
import { utimensAt } from '../../linux/at.ts';
import { AT_FDCWD, lstat } from '../../linux/stat.ts';
import { lgetxattr } from '../../linux/xattr.ts';
import { describeTree } from './describe-tree.ts';
import { changeLines, containerLayer, described, imageLayer, inside } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import {
  attributePrefix,
  BYTES_NAME,
  CAPABILITY,
  directory,
  everything,
  longestName,
  noise,
  setAttribute,
  stamp,
  write,
} from './trees.ts';

/** An image of one layer, and a container on it. */
async function onImage(
  { driver }: Subject,
  fill: (root: string) => void,
): Promise<{ image: string; container: string; before: string[] }> {
  const image = await imageLayer(driver, undefined, fill);
  return { image, container: await containerLayer(driver, image), before: await described(driver, image) };
}

/** Runs `change` in a container and checks that the image has not changed. */
async function changing(
  subject: Subject,
  fill: (root: string) => void,
  change: (root: string) => void | Promise<void>,
): Promise<void> {
  const { image, container, before } = await onImage(subject, fill);
  await inside(subject.driver, container, change);
  assert.deepEqual(await described(subject.driver, image), before);
}

/** A rename as mv(1) does it: where the filesystem will not rename a directory, by copy and delete. */
function move(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, 'EXDEV')) throw error;
    fs.cpSync(from, to, { recursive: true, preserveTimestamps: true });
    fs.rmSync(from, { recursive: true });
  }
}

export const contentChecks: readonly Check[] = [
  {
    name: 'every kind of file and every attribute is kept, seen from three layers above',
    run: async (subject) => {
      const { driver } = subject;
      const options = { directoryTimes: true };
      const base = await imageLayer(driver, undefined, everything(subject));
      const expected = await described(driver, base, options);
      assert.ok(expected.length > 20);
      let top = base;
      for (let i = 0; i < 3; i++) top = await imageLayer(driver, top, () => {});
      assert.deepEqual(await described(driver, await containerLayer(driver, top), options), expected);
    },
  },
  {
    name: 'times keep their nanoseconds, or whole seconds alone, as the driver says',
    run: async ({ driver }) => {
      const time = { sec: 1_500_000_000, nsec: 123_456_789 };
      const id = await imageLayer(driver, undefined, (root) => {
        fs.writeFileSync(`${root}/a`, 'a');
        utimensAt(AT_FDCWD, `${root}/a`, time, time);
      });
      const { mtime } = await inside(driver, id, (root) => lstat(`${root}/a`));
      assert.deepEqual(mtime, { ...time, nsec: driver.capabilities.nanoseconds ? time.nsec : 0 });
    },
  },
  {
    name: 'a change of the second in which a file was made is found, though it has as many bytes',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'old'));
      const id = newId();
      await driver.createReadWrite(id, base);
      // The kernel's own clock goes by ticks.
      if (driver.capabilities.nanoseconds) await sleep(20);
      await inside(driver, id, (root) => fs.writeFileSync(`${root}/a`, 'new'));
      assert.deepEqual(changeLines(await driver.changes(id, base)), ['modified /a']);
    },
  },
  {
    name: 'writing to a file of the image leaves its other attributes alone, but for what the driver says',
    run: async (subject) => {
      const losesSetId = subject.driver.capabilities.copyUpLoses?.includes('set-id') === true;
      await changing(subject, everything(subject), (root) => {
        const before = describeTree(root).filter((line) => /^\/(owned|usr\/bin\/(ping|setuid)) /.test(line));
        for (const name of ['owned', 'usr/bin/ping', 'usr/bin/setuid']) {
          // Opened for writing, which is what copies a file up; nothing is written.
          fs.closeSync(fs.openSync(`${root}/${name}`, 'r+'));
        }
        const after = describeTree(root).filter((line) => /^\/(owned|usr\/bin\/(ping|setuid)) /.test(line));
        const expected = before.map((line) => (losesSetId ? line.replace(/^(\/owned \d+) 6/, '$1 ') : line));
        assert.deepEqual(after, expected);
        if (subject.without?.includes('security.') === true) return;
        assert.deepEqual(lgetxattr(`${root}/usr/bin/ping`, 'security.capability'), CAPABILITY);
      });
    },
  },
  {
    name: 'a file of the image is written, appended to, cut and replaced',
    run: async (subject) => {
      const big = noise(3_000_000);
      await changing(
        subject,
        (root) => {
          for (const name of ['write', 'append', 'cut', 'replace']) write(`${root}/${name}`, big);
        },
        (root) => {
          const fd = fs.openSync(`${root}/write`, 'r+');
          fs.writeSync(fd, 'middle', 1_000_000);
          fs.closeSync(fd);
          fs.appendFileSync(`${root}/append`, 'end');
          fs.truncateSync(`${root}/cut`, 10);
          fs.writeFileSync(`${root}/new`, 'replaced');
          fs.renameSync(`${root}/new`, `${root}/replace`);
          const written = fs.readFileSync(`${root}/write`);
          assert.equal(written.length, big.length);
          assert.equal(written.toString('latin1', 1_000_000, 1_000_006), 'middle');
          assert.ok(written.subarray(1_000_006).equals(big.subarray(1_000_006)));
          assert.equal(fs.statSync(`${root}/append`).size, big.length + 3);
          assert.ok(fs.readFileSync(`${root}/cut`).equals(big.subarray(0, 10)));
          assert.equal(fs.readFileSync(`${root}/replace`, 'utf8'), 'replaced');
        },
      );
    },
  },
  {
    name: 'mode, owner, times and extended attributes of files and directories of the image are changed',
    run: async (subject) => {
      const prefix = attributePrefix(subject);
      await changing(
        subject,
        (root) => {
          directory(`${root}/dir`);
          write(`${root}/dir/file`, 'file');
          write(`${root}/xattr`, 'file');
          if (prefix !== undefined) setAttribute(`${root}/xattr`, `${prefix}old`, 'old');
        },
        (root) => {
          fs.chmodSync(`${root}/dir`, 0o2711);
          fs.chownSync(`${root}/dir/file`, 123, 456);
          fs.chmodSync(`${root}/dir/file`, 0o4701);
          if (prefix !== undefined) setAttribute(`${root}/xattr`, `${prefix}new`, 'new');
          stamp(`${root}/xattr`);
          const [dir, file] = [fs.lstatSync(`${root}/dir`), fs.lstatSync(`${root}/dir/file`)];
          assert.equal(dir.mode & 0o7777, 0o2711);
          assert.deepEqual([file.uid, file.gid, file.mode & 0o7777], [123, 456, 0o4701]);
          if (prefix === undefined) return;
          assert.equal(lgetxattr(`${root}/xattr`, `${prefix}old`)?.toString(), 'old');
          assert.equal(lgetxattr(`${root}/xattr`, `${prefix}new`)?.toString(), 'new');
        },
      );
    },
  },
  {
    name: 'files and directories of the image are deleted, and stay deleted in the layers above',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/dir/deep/er`);
        write(`${root}/dir/deep/er/file`, '1');
        write(`${root}/file`, '2');
        write(`${root}/kept`, '3');
      });
      const top = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/dir`, { recursive: true });
        fs.rmSync(`${root}/file`);
      });
      const container = await containerLayer(driver, top);
      const names = (id: string) => inside(driver, id, (root) => fs.readdirSync(root).sort());
      assert.deepEqual(await names(container), ['kept']);
      assert.deepEqual(await names(base), ['dir', 'file', 'kept']);
    },
  },
  {
    name: 'a directory that is deleted and made again is empty',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/dir/sub`);
        write(`${root}/dir/sub/old`, 'old');
        write(`${root}/dir/old`, 'old');
      });
      const top = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/dir`, { recursive: true });
        directory(`${root}/dir/sub`, 0o700);
        write(`${root}/dir/new`, 'new');
      });
      const container = await containerLayer(driver, top);
      await inside(driver, container, (root) => {
        assert.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), ['dir', 'dir/new', 'dir/sub']);
        write(`${root}/dir/sub/again`, 'again');
      });
      await inside(driver, container, (root) =>
        assert.deepEqual(fs.readdirSync(`${root}/dir/sub`), ['again']),
      );
    },
  },
  {
    name: 'a directory that is made again and renamed leaves nothing under its old name, or what was below as the driver says',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => directory(`${root}/dir/old`));
      const top = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/dir`, { recursive: true });
        directory(`${root}/dir/new`);
        fs.renameSync(`${root}/dir`, `${root}/moved`);
      });
      const isLost = driver.capabilities.copyUpLoses?.includes('remade-rename') === true;
      const names = isLost ? ['dir', 'dir/old', 'moved', 'moved/new'] : ['moved', 'moved/new'];
      await inside(driver, top, (root) =>
        assert.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), names),
      );
    },
  },
  {
    name: 'what was in a directory that was made again is not found there after another is deleted, or is as the driver says',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/dir`);
        write(`${root}/dir/old`, 'old');
        directory(`${root}/other`);
        write(`${root}/other/file`, 'x');
      });
      const isLost = driver.capabilities.copyUpLoses?.includes('remade-lookup') === true;
      const top = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/dir`, { recursive: true });
        // Nothing else is done to it: a chmod, for one, and the name is not found.
        fs.mkdirSync(`${root}/dir`);
        assert.deepEqual(fs.readdirSync(`${root}/other`), ['file']);
        fs.rmSync(`${root}/other`, { recursive: true });
        assert.equal(fs.existsSync(`${root}/dir/old`), isLost);
      });
      await inside(driver, top, (root) =>
        assert.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), ['dir']),
      );
    },
  },
  {
    name: 'a file that was renamed over another leaves nothing when it is deleted, or what was below as the driver says',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => write(`${root}/file`, 'old'));
      const top = await imageLayer(driver, base, (root) => {
        write(`${root}/new`, 'new');
        fs.renameSync(`${root}/new`, `${root}/file`);
        fs.rmSync(`${root}/file`);
      });
      const isLost = driver.capabilities.copyUpLoses?.includes('replaced-removal') === true;
      await inside(driver, top, (root) => assert.deepEqual(fs.readdirSync(root), isLost ? ['file'] : []));
    },
  },
  {
    name: 'a file takes the place of a directory and a directory that of a file',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/was-dir`);
        write(`${root}/was-dir/inside`, 'x');
        write(`${root}/was-file`, 'x');
      });
      const top = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/was-dir`, { recursive: true });
        write(`${root}/was-dir`, 'now a file');
        fs.rmSync(`${root}/was-file`);
        directory(`${root}/was-file`);
        write(`${root}/was-file/inside`, 'new');
      });
      await inside(driver, await containerLayer(driver, top), (root) => {
        assert.equal(fs.readFileSync(`${root}/was-dir`, 'utf8'), 'now a file');
        assert.deepEqual(fs.readdirSync(`${root}/was-file`), ['inside']);
      });
    },
  },
  {
    name: 'a file that was deleted in one layer comes back in the next',
    run: async ({ driver }) => {
      const first = await imageLayer(driver, undefined, (root) => write(`${root}/file`, 'first'));
      const second = await imageLayer(driver, first, (root) => fs.rmSync(`${root}/file`));
      const third = await imageLayer(driver, second, (root) => write(`${root}/file`, 'third'));
      const read = (root: string) => fs.readFileSync(`${root}/file`, 'utf8');
      assert.equal(await inside(driver, third, read), 'third');
      assert.equal(await inside(driver, first, read), 'first');
      await inside(driver, second, (root) => assert.deepEqual(fs.readdirSync(root), []));
    },
  },
  {
    name: 'files of the image are renamed, over each other and between directories',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/dir`);
        write(`${root}/a`, 'a');
        write(`${root}/b`, 'b');
        write(`${root}/dir/c`, 'c');
      });
      const top = await imageLayer(driver, base, (root) => {
        fs.renameSync(`${root}/a`, `${root}/b`);
        fs.renameSync(`${root}/dir/c`, `${root}/c`);
      });
      await inside(driver, await containerLayer(driver, top), (root) => {
        assert.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), ['b', 'c', 'dir']);
        assert.equal(fs.readFileSync(`${root}/b`, 'utf8'), 'a');
        assert.equal(fs.readFileSync(`${root}/c`, 'utf8'), 'c');
      });
    },
  },
  {
    name: 'a symbolic link of the image that is renamed keeps its time, or the driver says that it does not',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        fs.symlinkSync('target', `${root}/link`);
        stamp(`${root}/link`);
      });
      const { mtimeMs } = await inside(driver, base, (root) => fs.lstatSync(`${root}/link`));
      const top = await imageLayer(driver, base, (root) => fs.renameSync(`${root}/link`, `${root}/moved`));
      const moved = await inside(driver, top, (root) => fs.lstatSync(`${root}/moved`));
      const isLost = driver.capabilities.copyUpLoses?.includes('link-time') === true;
      assert.equal(moved.mtimeMs !== mtimeMs, isLost);
    },
  },
  {
    name: 'the longest name that the driver says can be made, changed and deleted, and no longer one',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, (root) =>
        write(`${root}/${longestName(driver)}`, 'a'),
      );
      const top = await imageLayer(driver, base, (root) => {
        fs.appendFileSync(`${root}/${longestName(driver)}`, 'b');
        const longer = `${root}/${longestName(driver)}n`;
        assert.throws(() => fs.writeFileSync(longer, ''), { code: 'ENAMETOOLONG' });
      });
      const gone = await imageLayer(driver, top, (root) => fs.rmSync(`${root}/${longestName(driver)}`));
      assert.deepEqual(await described(driver, gone), []);
    },
  },
  {
    name: 'a directory of the image is renamed, or the kernel says EXDEV and mv copies',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/from/sub`);
        write(`${root}/from/sub/file`, 'file');
      });
      const top = await imageLayer(driver, base, (root) => {
        const rename = () => fs.renameSync(`${root}/from`, `${root}/to`);
        if (driver.capabilities.renameLowerDirectory) rename();
        else assert.throws(rename, { code: 'EXDEV' });
        if (!driver.capabilities.renameLowerDirectory) move(`${root}/from`, `${root}/to`);
        directory(`${root}/own`);
        write(`${root}/own/file`, 'own');
        fs.renameSync(`${root}/own`, `${root}/own-moved`);
      });
      await inside(driver, await containerLayer(driver, top), (root) => {
        assert.deepEqual(fs.readdirSync(root).sort(), ['own-moved', 'to']);
        assert.equal(fs.readFileSync(`${root}/to/sub/file`, 'utf8'), 'file');
      });
    },
  },
  {
    name: 'names that are not UTF-8 are made, read, renamed and deleted',
    run: async (subject) => {
      await changing(subject, everything(subject), (root) => {
        const path = Buffer.concat([Buffer.from(`${root}/`), BYTES_NAME]);
        assert.equal(fs.readFileSync(path, 'utf8'), 'a name of bytes');
        const other = Buffer.concat([Buffer.from(`${root}/usr/`), BYTES_NAME, BYTES_NAME]);
        fs.renameSync(path, other);
        assert.throws(() => fs.lstatSync(path), { code: 'ENOENT' });
        fs.rmSync(other);
      });
    },
  },
  {
    name: 'names of one file in one layer stay one file, and over layers as the driver says',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        write(`${root}/one`, 'shared');
        fs.linkSync(`${root}/one`, `${root}/two`);
      });
      await inside(driver, await containerLayer(driver, base), (root) => {
        const before = [fs.lstatSync(`${root}/one`), fs.lstatSync(`${root}/two`)];
        assert.equal(before[0]?.ino, before[1]?.ino);
        fs.appendFileSync(`${root}/one`, ' and more');
        const kept = fs.readFileSync(`${root}/two`, 'utf8') === 'shared and more';
        assert.equal(kept, driver.capabilities.hardLinksAcrossCopyUp);
        write(`${root}/three`, 'own');
        fs.linkSync(`${root}/three`, `${root}/four`);
        fs.appendFileSync(`${root}/four`, ' more');
        assert.equal(fs.readFileSync(`${root}/three`, 'utf8'), 'own more');
      });
    },
  },
  {
    name: 'what was written to one name of a file is kept under the others, also when that one is deleted, as the driver says',
    run: async ({ driver }) => {
      const { hardLinksAcrossCopyUp, copyUpLoses = [] } = driver.capabilities;
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/sub`);
        for (const name of ['kept', 'gone']) {
          write(`${root}/${name}`, 'shared');
          fs.linkSync(`${root}/${name}`, `${root}/sub/${name}`);
        }
      });
      const top = await imageLayer(driver, base, (root) => {
        fs.appendFileSync(`${root}/gone`, ' and more');
        fs.rmSync(`${root}/gone`);
        fs.appendFileSync(`${root}/kept`, ' and more');
      });
      await inside(driver, top, (root) => {
        const has = (name: string) => fs.readFileSync(`${root}/sub/${name}`, 'utf8') === 'shared and more';
        assert.equal(has('kept'), hardLinksAcrossCopyUp);
        assert.equal(has('gone'), hardLinksAcrossCopyUp && !copyUpLoses.includes('linked-change'));
      });
    },
  },
];
