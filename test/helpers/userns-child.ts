/** What the test of overlay2 in a user namespace runs there: a container's life, and what the driver says, as JSON. */
import * as fs from 'node:fs';
import {
  changeLines,
  collect,
  containerLayer,
  imageLayer,
  inside,
} from '../../src/drivers/conformance/layers.ts';
import { namesOf } from '../../src/drivers/conformance/tar.ts';
import { overlay2Factory } from '../../src/drivers/overlay2/index.ts';

const root = process.argv[2] ?? '';
const context = { home: `${root}/overlay2`, runHome: `${root}/run`, options: [], warn: () => {} };
const driver = await overlay2Factory.open(context);
const base = await imageLayer(driver, undefined, (path) => {
  fs.mkdirSync(`${path}/dir`);
  fs.writeFileSync(`${path}/dir/old`, 'old');
  fs.writeFileSync(`${path}/gone`, 'gone');
});
const container = await containerLayer(driver, base);
const init = `${container}-init`;
await inside(driver, container, (path) => {
  fs.rmSync(`${path}/gone`);
  fs.rmSync(`${path}/dir`, { recursive: true });
  fs.mkdirSync(`${path}/dir`);
  fs.writeFileSync(`${path}/dir/new`, 'new');
});
const result = {
  status: Object.fromEntries(await driver.status()),
  nativeDiff: driver.capabilities.nativeDiff,
  changes: changeLines(await driver.changes(container, init)),
  tar: namesOf(await collect(driver.diff(container, init))),
};
await driver.cleanup();
process.stdout.write(JSON.stringify(result));
