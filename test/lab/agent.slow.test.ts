/** The agent and our side of it without a machine: input that nobody reads, output that nobody takes, messages that are none. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type MachineWork, runMachine } from '../../src/lab/machine.ts';
import { MachineError } from '../../src/lab/machine-error.ts';
import { descriptors, type MachineHardware } from '../../src/lab/qemu.ts';
import type { MachineResult } from '../../src/lab/types.ts';
import { agentAlone, fakeQemu } from './fake-machine.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

const hardware: MachineHardware = {
  accelerator: 'tcg',
  kernel: '',
  initramfs: '',
  kernelWords: [],
  memory: 2 ** 30,
  cpus: 1,
  disks: [],
};

const alone = agentAlone();
after(() => alone[Symbol.dispose]());

async function run(
  script: string,
  work: Partial<MachineWork> = {},
  qemu = alone.path,
): Promise<MachineResult> {
  process.env.TSENGINE_LAB_QEMU = qemu;
  try {
    const limits = { timeoutMs: 60_000, bootTimeoutMs: 60_000 };
    return await runMachine(hardware, { command: ['sh', '-c', script], ...limits, ...work }, tmpdir());
  } finally {
    delete process.env.TSENGINE_LAB_QEMU;
  }
}

/** Takes output, and gives it by streams at the end. */
function taker(each: () => void | Promise<void> = () => undefined) {
  const written = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const onOutput: MachineWork['onOutput'] = async (stream, data) => {
    await each();
    written[stream] = Buffer.concat([written[stream], data]);
  };
  return { written, onOutput };
}

async function* pieces(count: number, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(size, at);
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

describe('what goes through the agent', () => {
  test('arrives whole, on its own stream, with the exit code', async () => {
    const { written, onOutput } = taker();
    const ended = await run('cat; echo "to stderr" >&2; exit 42', { onOutput, stdin: pieces(30, 100_000) });
    assert.equal(ended.exitCode, 42);
    assert.equal(written.stderr.toString(), 'to stderr\n');
    const sent = Buffer.concat(Array.from({ length: 30 }, (_, at) => Buffer.alloc(100_000, at)));
    assert.equal(sha256(written.stdout), sha256(sent));
  });

  test('arrives whole at a reader who takes its time', async () => {
    const { written, onOutput } = taker(() => sleep(20));
    await run('seq 200000; kill -9 $$', { onOutput }).then(({ exitCode }) => assert.equal(exitCode, 137));
    assert.equal(written.stdout.toString().length, 1_288_895);
  });

  test('goes to and from a terminal', async () => {
    const { written, onOutput } = taker();
    const terminal = { columns: 91, rows: 17, type: 'linux', onResize: () => undefined };
    const stdin = [Buffer.from('typed\r')];
    await run('stty size; read word; echo "got $word"', {
      onOutput,
      terminal,
      stdin: (async function* () {
        yield* stdin;
      })(),
    });
    assert.equal(written.stdout.toString().replace('typed\r\n', ''), '17 91\r\ngot typed\r\n');
  });
});

describe('the time limit', () => {
  test('ends a command that does not read its input', async () => {
    let sent = 0;
    const stdin = (async function* () {
      for await (const piece of pieces(200, 100_000)) {
        sent += piece.length;
        yield piece;
      }
    })();
    await assert.rejects(run('exec sleep 1000', { stdin, timeoutMs: 1000 }), {
      kind: 'timeout',
      exitCode: 124,
      message: /^the command sh was still running after 1 s/,
    });
    // The agent's room and the pipe's.
    assert.ok(sent < 1_000_000, `${sent} bytes of input were taken from their source`);
  });

  test('ends a command whose output nobody takes', async () => {
    let taken = 0;
    const onOutput: MachineWork['onOutput'] = (_, data) => {
      taken += data.length;
      return new Promise<void>(() => undefined);
    };
    await assert.rejects(run('exec yes', { onOutput, timeoutMs: 1000 }), {
      kind: 'timeout',
      exitCode: 124,
      message: 'nobody read the output of the command sh, and after 1 s the machine was ended',
    });
    assert.ok(taken < 100_000);
  });

  test('and an abort do not wait for who takes no output', async () => {
    const reason = new Error('enough');
    const abort = new AbortController();
    let told: AbortSignal | undefined;
    const onOutput: MachineWork['onOutput'] = (_, __, signal) => {
      told = signal;
      setTimeout(() => abort.abort(reason), 100);
      return new Promise<void>(() => undefined);
    };
    await assert.rejects(run('exec yes', { onOutput, signal: abort.signal }), reason);
    assert.equal(told?.aborted, true);
  });
});

/** A frame of the agent's as an expression of Python's. */
function frame(kind: string, data: string): string {
  return `b'${kind}' + (${data.length}).to_bytes(4, 'big') + b'${data}'`;
}

describe("what QEMU's monitor tells while the command runs", () => {
  const gone =
    '{"timestamp": {"seconds": 1}, "event": "VSERPORT_CHANGE", "data": {"open": false, "id": "agent-port"}}';
  const error = (more: string): string =>
    `{"event": "BLOCK_IO_ERROR", "data": {"device": "drive4", ${more}"action": "report"}}`;
  /** The agent says that the command has started; the console and the monitor say this, and then it goes on. */
  const ends = async (
    monitor: string,
    console: string,
    then: string,
    work: Partial<MachineWork> = {},
  ): Promise<MachineError> => {
    const sent = [frame('H', '6.1'), frame('S', ''), frame('O', 'output')].join('+');
    const program = [
      'import os, time',
      `os.write(${descriptors.agent}, ${sent})`,
      'time.sleep(0.5)',
      `os.write(${descriptors.console}, ${JSON.stringify(console)}.encode())`,
      `os.write(${descriptors.monitor}, ${JSON.stringify(`${monitor}\n`)}.encode())`,
      then,
    ].join('\n');
    using qemu = fakeQemu(program);
    return await run('true', work, qemu.path).then(
      () => assert.fail('it did not end'),
      (error) => {
        assert.ok(error instanceof MachineError);
        return error;
      },
    );
  };

  test('of the end of the agent is told long before the time is over', async () => {
    const ended = await ends(gone, 'a line\n', 'time.sleep(1000)');
    assert.equal(ended.kind, 'ended');
    assert.equal(
      ended.message,
      "the lab's own agent in the machine, which runs the command, ended: its console ended with: a line",
    );
  });

  test('of it is told even when nobody takes the output', async () => {
    const onOutput = (): Promise<void> => new Promise<void>(() => undefined);
    const ended = await ends(gone, '', 'time.sleep(1000)', { onOutput });
    assert.match(ended.message, /^the lab's own agent in the machine/);
  });

  test('of it is told when the machine ends with it, and a panic in its own words', async () => {
    assert.match((await ends(gone, '', 'pass')).message, /^the lab's own agent in the machine/);
    const panic = '[ 1.2] Kernel panic - not syncing: Attempted to kill init!\n';
    assert.equal((await ends(gone, panic, 'pass')).kind, 'panic');
  });

  test('of a full disk of ours names the folder and a way out', async () => {
    const full = await ends(error('"nospace": true, '), '', 'time.sleep(1000)');
    assert.equal(full.kind, 'host-disk');
    const place = dirname(tmpdir());
    assert.equal(
      full.message,
      `the machine was stopped: the disk with the lab's cache, ${place}, is full: make room, see tsengine lab rm, or set TSENGINE_LAB_CACHE to a folder elsewhere`,
    );
    const broken = await ends(error('"nospace": false, '), '', 'time.sleep(1000)');
    assert.match(broken.message, /, fails: see dmesg, and set TSENGINE_LAB_CACHE to a folder elsewhere$/);
  });
});

describe('what is no message of the agent', () => {
  const cases: readonly (readonly [what: string, sent: string, message: RegExp])[] = [
    ['of impossible length', `b'H\\xff\\xff\\xff\\xff'`, /sent a message of 4294967295 bytes$/],
    [
      'with an empty exit code',
      [frame('H', '6.1'), frame('S', ''), frame('X', '')].join('+'),
      /an exit code that is none$/,
    ],
    [
      'with a great exit code',
      [frame('H', '6.1'), frame('S', ''), frame('X', '256')].join('+'),
      /an exit code that is none$/,
    ],
    ['before its time', frame('X', '0'), /a message that makes no sense here$/],
    [
      'twice',
      [frame('H', '6.1'), frame('S', ''), frame('S', '')].join('+'),
      /a message that makes no sense here$/,
    ],
    [
      'about input',
      [frame('H', '6.1'), frame('S', ''), frame('A', '5')].join('+'),
      /about input that was not sent$/,
    ],
    ['with a release that no kernel has', frame('H', 'a b'), /no release of a kernel$/],
  ];
  for (const [what, sent, message] of cases) {
    test(what, async () => {
      const program = `import os, time\nos.write(4, ${sent})\ntime.sleep(100)\n`;
      using qemu = fakeQemu(program);
      await assert.rejects(run('true', {}, qemu.path), (error) => {
        assert.ok(error instanceof MachineError);
        assert.equal(error.kind, 'nonsense');
        assert.equal(error.exitCode, 125);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

describe('tsengine lab run, when nobody reads its output', () => {
  const env = { ...process.env, TSENGINE_LAB_QEMU: alone.path, TSENGINE_LAB_ACCELERATOR: 'tcg' };
  const words = (timeout: string): string[] => ['lab', 'run', '-q', '--timeout', timeout, '--', 'yes'];
  const ended = async (child: ChildProcess): Promise<unknown> => {
    const [code] = await once(child, 'exit');
    return code;
  };

  test('which is a pipe, ends when its time is over', async () => {
    // The shell gives the code before the pipeline's reader ends.
    const script = `{ "$0" "$@"; echo $? >&3; } | sleep 1000`;
    const child = spawn('sh', ['-c', script, launcher, ...words('1')], {
      env,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    try {
      const code = child.stdio[3];
      assert.ok(code !== null && code !== undefined);
      const [text] = await once(code, 'data');
      assert.equal(String(text), '124\n');
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    }
  });

  test('which is a socket, ends with Ctrl-C', async () => {
    const child = spawn(launcher, words('600'), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await once(child.stdout, 'readable');
    await sleep(500);
    child.kill('SIGINT');
    assert.equal(await ended(child), 130);
    assert.match(said, /^tsengine: got SIGINT: [^\n]+\n$/);
  });

  test('because the reader has gone, ends quietly', async () => {
    const child = spawn(launcher, words('600'), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.equal(await ended(child), 141);
    assert.equal(said, '');
  });
});

describe('tsengine lab shell', () => {
  /** On a terminal of script(1)'s, whose own input is none: it knows no size. `answer` gets what is shown, each time, and may type. */
  async function shell(words: string, answer: (shown: string, type: (keys: string) => void) => void) {
    const command = [launcher, 'lab', 'shell', '--', 'sh', '-c', `"${words}"`].join(' ');
    const env = { ...process.env, TSENGINE_LAB_QEMU: alone.path, TSENGINE_LAB_ACCELERATOR: 'tcg' };
    const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let shown = '';
    child.stdout.on('data', (data: Buffer) => {
      shown += data.toString();
      answer(shown, (keys) => child.stdin.write(keys));
    });
    const [code] = await once(child, 'exit');
    return { code, shown };
  }

  test('has a terminal of the usual size where ours has not been told its own', async () => {
    const { code, shown } = await shell('tty; stty size', () => undefined);
    assert.equal(code, 0, shown);
    assert.match(shown, /\r\n\/dev\/pts\/\d+\r+\n24 80\r+\n$/);
  });

  test('is left with Enter ~ . whatever the machine does', async () => {
    let isTyped = false;
    const { code, shown } = await shell('echo begun; exec sleep 1000', (so, type) => {
      if (isTyped || !so.includes('begun')) return;
      isTyped = true;
      type('\r~.');
    });
    assert.equal(code, 130, shown);
    assert.match(shown, /^tsengine: in the machine, Enter and then ~\. ends it, whatever it does\r\n/);
    assert.match(shown, /tsengine: the machine is ended, because ~\. was typed\r\n$/);
  });
});
