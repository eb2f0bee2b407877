/**
 * What the changes of a layer cost on OpenZFS, asked of it and by walking both trees; run in a machine of the lab: `node
 * zfs-diff.ts DATASET FOLDER FILES CHANGES`, the dataset mounted at the folder and empty. Prints milliseconds of processor
 * time, medians of five, as JSON; ends with 1 where the two ways differ.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { changeLines, imageLayer, inside } from '../../src/drivers/conformance/layers.ts';
import { newId } from '../../src/drivers/conformance/suite.ts';
import { naiveChanges } from '../../src/drivers/naive-diff.ts';
import { driverFactory } from '../../src/drivers/registry.ts';

const IN_A_FOLDER = 100;
const ROUNDS = 5;
const [dataset = '', folder = '', files = '', changes = ''] = process.argv.slice(2);

function fill(root: string): void {
  for (let file = 0; file < Number(files); file += 1) {
    const at = `${root}/${Math.trunc(file / IN_A_FOLDER)}`;
    if (file % IN_A_FOLDER === 0) fs.mkdirSync(at);
    fs.writeFileSync(`${at}/${file}`, `${file}`);
  }
}

/** Far from each other: a file more, a file less, a line more, in turns. */
function change(root: string): void {
  const step = Math.trunc(Number(files) / Number(changes));
  for (let index = 0; index < Number(changes); index += 1) {
    const file = index * step;
    const path = `${root}/${Math.trunc(file / IN_A_FOLDER)}/${file}`;
    if (index % 3 === 0) fs.writeFileSync(`${path}.new`, 'new');
    else if (index % 3 === 1) fs.rmSync(path);
    else fs.appendFileSync(path, ' more');
  }
}

async function processorTime(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.trunc(values.length / 2)] ?? 0);
}

async function main(): Promise<void> {
  const factory = await driverFactory('zfs');
  const options = [['zfs.fsname', dataset]] as const;
  const driver = await factory.open({
    home: `${folder}/root/zfs`,
    runHome: '/run/zfs-diff',
    options,
    warn: console.error,
  });
  const base = await imageLayer(driver, undefined, fill);
  // What was written in the last seconds before a snapshot counts as changed until it has been compared.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  const id = newId();
  await driver.createReadWrite(id, base);
  await inside(driver, id, change);
  const walked: string[] = changeLines(await naiveChanges(driver, id, base));
  assert.deepEqual(changeLines(await driver.changes(id, base)), walked);
  const [own, walk]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    own.push(await processorTime(async () => void (await driver.changes(id, base))));
    walk.push(await processorTime(async () => void (await naiveChanges(driver, id, base))));
  }
  console.log(JSON.stringify({ files, changes, found: walked.length, own: median(own), walk: median(walk) }));
}

void main();
