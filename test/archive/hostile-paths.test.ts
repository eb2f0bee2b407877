/** Layers that try to get out of their directory, or name what cannot be. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { TsengineError } from '../../src/errors.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import {
  dir,
  FILLER,
  file,
  hardlink,
  layer,
  type MemberSpec,
  makeTarget,
  symlink,
  type Target,
} from './layer-tools.ts';

/** Unpacks, here and through the worker, and expects one line with this text; nothing outside may change. */
async function refused(
  members: readonly MemberSpec[],
  expected: string,
  code = 'InvalidParameter',
): Promise<void> {
  for (const whiteouts of ['overlay', 'delete'] as const) {
    using target = makeTarget();
    await assert.rejects(target.unpack(layer(...members), { whiteouts }), (error) => {
      assert.ok(error instanceof TsengineError, String(error));
      assert.equal(error.code, code);
      assert.equal(error.message, expected);
      return true;
    });
    target.assertOutsideUntouched();
  }
}

/** Unpacks what is taken, and looks at the result. */
async function taken(members: readonly MemberSpec[], look: (target: Target) => void): Promise<void> {
  for (const whiteouts of ['overlay', 'delete'] as const) {
    using target = makeTarget();
    await target.unpack(layer(...members), { whiteouts });
    look(target);
    target.assertOutsideUntouched();
  }
}

const escaping = ['../x', 'a/../../x', './../x', '/../x', 'a/b/../../../outside/file', '..'];
for (const name of escaping) {
  test(`the name ${name} is refused`, () =>
    refused([file(name)], `invalid layer: "${name}": it is outside of the layer`));
}

/** How many threads of this process are workers of Node's. */
function workers(): number {
  const threads = readdirSync('/proc/self/task').map((thread) => `/proc/self/task/${thread}/comm`);
  return threads.filter((path) => readFileSync(path, 'utf8') === 'WorkerThread\n').length;
}

test('the same through the worker, which is there for the next layer', async () => {
  using target = makeTarget();
  for (let time = 0; time < 2; time++) {
    await assert.rejects(target.unpack(layer(FILLER, file('../x'))), (error) => {
      assert.ok(error instanceof TsengineError);
      assert.equal(error.code, 'InvalidParameter');
      assert.equal(error.message, 'invalid layer: "../x": it is outside of the layer');
      return true;
    });
    target.assertOutsideUntouched();
    assert.equal(workers(), 1);
  }
});

test('absolute and untidy names lie in the layer', () =>
  taken([file('/x', '1'), file('a//b/./c', '2'), file('./d/../e', '3'), file('//f', '4')], ({ path }) => {
    assert.deepEqual(readdirSync(path).sort(), ['a', 'e', 'f', 'x']);
    assert.equal(readFileSync(`${path}/a/b/c`, 'utf8'), '2');
  }));

test('a link to outside that was planted before leads nowhere', async () => {
  using probe = makeTarget();
  for (const to of [probe.outside, `${'../'.repeat(40)}${probe.outside.slice(1)}`, '../outside']) {
    for (const name of ['link/file', 'link/new/deep', 'link/directory/inner']) {
      await refused(
        [symlink('link', to), file(name)],
        `invalid layer: "${name}": a symbolic link in its path leads nowhere`,
      );
    }
  }
  probe.assertOutsideUntouched();
});

test('a planted link to outside leads to the place of that name in the layer, if there is one', async () => {
  using probe = makeTarget();
  const place = probe.outside.slice(1);
  for (const to of [`/${place}`, `${'../'.repeat(40)}${place}`]) {
    await taken([dir(place), symlink('link', to), file('link/file', 'mine')], ({ path }) => {
      assert.equal(readlinkSync(`${path}/link`), to);
      assert.equal(readFileSync(`${path}/${place}/file`, 'utf8'), 'mine');
    });
  }
  probe.assertOutsideUntouched();
});

test('a link that leads into the layer is followed', () =>
  taken(
    [dir('real'), symlink('up', '../../../../real'), symlink('abs', '/real'), file('up/a'), file('abs/b')],
    ({ path }) => {
      assert.deepEqual(readdirSync(`${path}/real`).sort(), ['a', 'b']);
    },
  ));

test('a link of a lower layer is followed inside only', async () => {
  using target = makeTarget();
  symlinkSync(target.outside, `${target.path}/lower`);
  mkdirSync(`${target.path}/here`);
  symlinkSync('/here', `${target.path}/good`);
  await target.unpack(layer(file('good/x')), { whiteouts: 'delete' });
  assert.deepEqual(readdirSync(`${target.path}/here`), ['x']);
  await assert.rejects(
    target.unpack(layer(file('lower/file')), { whiteouts: 'delete' }),
    /^TsengineError: invalid layer: "lower\/file": a symbolic link in its path leads nowhere$/,
  );
  await target.unpack(layer({ name: 'lower/.wh..wh..opq' }), { whiteouts: 'delete' }).catch(() => undefined);
  await target.unpack(layer({ name: 'lower/.wh.file' }), { whiteouts: 'delete' }).catch(() => undefined);
  target.assertOutsideUntouched();
});

test('a directory that becomes a link between two members does not keep the way open', () =>
  taken(
    [dir('a'), file('a/one'), dir('b'), symlink('a', 'b'), file('a/two'), dir('a'), file('a/three')],
    ({ path }) => {
      assert.deepEqual(readdirSync(`${path}/a`), ['three']);
      assert.deepEqual(readdirSync(`${path}/b`), ['two']);
    },
  ));

test('a file over a link replaces the link', async () => {
  using probe = makeTarget();
  await taken([symlink('l', `${probe.outside}/file`), file('l', 'new')], ({ path }) => {
    assert.ok(lstatSync(`${path}/l`).isFile());
  });
  await taken([symlink('l', probe.outside), dir('l'), file('l/x')], ({ path }) => {
    assert.ok(lstatSync(`${path}/l`).isDirectory());
  });
  probe.assertOutsideUntouched();
});

for (const to of ['../outside/file', '/../outside/file', 'a/../../outside/file']) {
  test(`a hard link to ${to} is refused`, () =>
    refused(
      [hardlink('x', to)],
      `invalid layer: "x": the target of its hard link, "${to}", is outside of the layer`,
    ));
}

test('a hard link through a link to outside is refused', async () => {
  using probe = makeTarget();
  const to = `${probe.outside}/file`;
  await refused(
    [hardlink('x', to)],
    `invalid layer: "x": the target of its hard link, "${to}", does not exist`,
  );
  await refused(
    [symlink('out', probe.outside), hardlink('x', 'out/file')],
    'invalid layer: "x": the target of its hard link, "out/file", does not exist',
  );
  await taken([symlink('out', to), hardlink('x', 'out')], ({ path }) => {
    assert.equal(readlinkSync(`${path}/x`), to);
    assert.equal(lstatSync(`${path}/x`).nlink, 2);
  });
  probe.assertOutsideUntouched();
});

test('a hard link to nothing, to a directory, to the root or to a whiteout is refused', async () => {
  const shown = (to: string) => `invalid layer: "x": the target of its hard link, "${to}",`;
  await refused([hardlink('x', 'later'), file('later')], `${shown('later')} does not exist`);
  await refused([dir('d'), hardlink('x', 'd')], `${shown('d')} is a directory`);
  await refused([hardlink('x', '.')], `${shown('.')} is a directory`);
  await refused([{ name: '.wh.gone' }, hardlink('x', 'gone')], `${shown('gone')} does not exist`);
  await refused([file('f'), hardlink('x', 'f/y')], `${shown('f/y')} does not exist`);
});

test('a hard link to itself changes nothing', () =>
  taken([file('x', 'kept'), hardlink('x', './x')], ({ path }) => {
    assert.equal(readFileSync(`${path}/x`, 'utf8'), 'kept');
    assert.equal(lstatSync(`${path}/x`).nlink, 1);
  }));

for (const [name, what] of [
  ['.wh..', 'a whiteout of "."'],
  ['.wh...', 'a whiteout of ".."'],
  ['.wh.', 'a whiteout of nothing'],
  ['a/.wh...', 'a whiteout of ".."'],
] as const) {
  test(`${name} is refused`, () => refused([dir('a'), { name }], `invalid layer: "${name}": it is ${what}`));
}

test('a file below a whiteout is refused', () =>
  refused([file('a/.wh.b/c')], 'invalid layer: "a/.wh.b/c": it lies below a whiteout'));

test('whiteouts and opaque marks through a link stay inside', async () => {
  using probe = makeTarget();
  for (const name of ['l/.wh.file', 'l/.wh..wh..opq', 'l/directory/.wh.inner']) {
    await refused(
      [symlink('l', probe.outside), { name }],
      `invalid layer: "${name}": a symbolic link in its path leads nowhere`,
    );
  }
  probe.assertOutsideUntouched();
  await taken(
    [dir('real'), symlink('l', '/real'), { name: 'l/.wh.x' }, { name: 'l/.wh..wh..opq' }],
    ({ path }) => {
      assert.ok(lstatSync(`${path}/l`).isSymbolicLink());
    },
  );
});

test('a whiteout of a link removes the link, not what it leads to', async () => {
  using target = makeTarget();
  symlinkSync(target.outside, `${target.path}/l`);
  writeFileSync(`${target.path}/kept`, '');
  await target.unpack(layer({ name: '.wh.l' }), { whiteouts: 'delete' });
  assert.deepEqual(readdirSync(target.path), ['kept']);
  target.assertOutsideUntouched();
});

test('the root is not replaced', async () => {
  for (const name of ['.', './', '/', 'a/..']) {
    await refused(
      [file(name)],
      `invalid layer: "${name.replace(/(?<=.)\/$/, '')}": it would replace the root of the layer`,
    );
    await refused(
      [symlink(name, 'x')],
      `invalid layer: "${name.replace(/(?<=.)\/$/, '')}": it would replace the root of the layer`,
    );
  }
});

test('a name through a file is refused', () =>
  refused([file('a'), file('a/b')], 'invalid layer: "a/b": its parent is not a directory'));

test('loops of links in parents', async () => {
  const loop = 'its path is a loop of symbolic links';
  await refused([symlink('a', 'b'), symlink('b', 'a'), file('a/x')], `invalid layer: "a/x": ${loop}`);
  await refused([symlink('s', 's'), file('s/x/y')], `invalid layer: "s/x/y": ${loop}`);
  await refused([symlink('s', 's'), hardlink('h', 's/x')], `invalid layer: "h": ${loop}`);
});

test('names at the limits', async () => {
  const component = 'c'.repeat(255);
  const deep = `${Array(15).fill(component).join('/')}/${'d'.repeat(254)}`;
  assert.equal(deep.length, 4094);
  await taken([file('f'.repeat(255)), file(`${deep}e`)], ({ path }) => {
    assert.deepEqual(readdirSync(path).sort(), [component, 'f'.repeat(255)]);
  });
  using target = makeTarget();
  await assert.rejects(
    target.unpack(layer(file(`${deep}ee`))),
    /^TsengineError: invalid tar archive: "c+\.\.\.[de]+" at byte \d+: the name has 4096 bytes, more than 4095/,
  );
  for (const name of [`${component}c`, `a/${component}c/b`]) {
    await assert.rejects(
      target.unpack(layer(file(name))),
      /^TsengineError: invalid tar archive: "[ac/]+\.\.\.[bc/]+" at byte \d+: a part of the name has more than 255 bytes/,
    );
  }
  target.assertOutsideUntouched();
});

test('a NUL in a pax name or link name is refused', async () => {
  await assert.rejects(async () => {
    using target = makeTarget();
    await target.unpack(layer({ name: `${'n'.repeat(120)}\0x` }));
  }, /^TsengineError: invalid (layer|tar archive): .*NUL/);
  await assert.rejects(async () => {
    using target = makeTarget();
    await target.unpack(layer({ ...symlink('l', `${'n'.repeat(120)}\0x`) }));
  }, /^TsengineError: invalid (layer|tar archive): .*NUL/);
});

test('directories deeper than any path reaches are made through links, and removed again', async () => {
  using target = makeTarget();
  const members: MemberSpec[] = [];
  const deep = Array(1000).fill('d').join('/');
  for (let i = 0; i < 6; i++) {
    members.push(dir(i === 0 ? deep : `l${i - 1}/${deep}`));
    members.push(symlink(`l${i}`, i === 0 ? deep : `l${i - 1}/${deep}`));
  }
  members.push(file('l5/x'));
  await target.unpack(layer(...members));
  assert.equal(readFileSync(`${target.path}/l5/x`, 'utf8'), 'content of l5/x');
  target.assertOutsideUntouched();
  removeTree(target.path);
  assert.equal(existsSync(target.path), false);
});

test('nothing is left mounted', () => {
  assert.ok(!readMountInfo().some(({ mountPoint }) => mountPoint.includes('tsengine-layer-')));
});
