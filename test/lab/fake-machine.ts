/** Programs in QEMU's place, so that what goes between the agent and us is tested without a machine and its time. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT } from '../../src/lab/guest-agent.ts';
import { descriptors } from '../../src/lab/qemu.ts';

/** A program for `TSENGINE_LAB_QEMU`. Disposing removes it. */
export interface FakeQemu extends Disposable {
  readonly path: string;
}

/** The text with one part of it replaced, which must be there. */
function replaced(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`the agent has no ${part}`);
  return text.replaceAll(part, by);
}

/** The agent as the first program of a process namespace, on the socket that QEMU would have; it ends with that. */
export function agentAlone(): FakeQemu {
  const port = `${descriptors.agent}`;
  const onSocket = replaced(AGENT, 'os.open(find_port(), os.O_RDWR | os.O_NONBLOCK)', port);
  const harmless = replaced(
    onSocket,
    "os.execv('/usr/bin/busybox', ['busybox', 'poweroff', '-f'])",
    'os._exit(0)',
  );
  const before = `import os\nos.set_blocking(${port}, False)\nos.set_inheritable(${port}, False)\n`;
  return fakeQemu(before + harmless);
}

/** A Python program instead of a machine; `port` is the agent's socket. `--version` is asked of the real QEMU. */
export function fakeQemu(program: string): FakeQemu {
  const folder = mkdtempSync(join(tmpdir(), 'lab-fake-'));
  const path = join(folder, 'qemu');
  writeFileSync(join(folder, 'program.py'), program);
  const script = [
    '#!/bin/sh',
    '[ "$1" != --version ] || exec qemu-system-x86_64 --version',
    `exec unshare --pid --fork --kill-child -- python3 -I -S ${folder}/program.py "$@"`,
  ];
  writeFileSync(path, `${script.join('\n')}\n`);
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
