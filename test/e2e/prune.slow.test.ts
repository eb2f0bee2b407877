/** `image prune`, `container prune` and `system prune`, and Docker's own on the same history, answer by answer. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { type Docker, dockerMissing, startDocker } from '../helpers/docker.ts';
import { assertSound } from '../helpers/recount.ts';
import { FULL } from '../helpers/scope.ts';

interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One of the two engines, and the ids it has given so far under the names that the history gives them. */
interface Side {
  readonly name: string;
  readonly ids: Map<string, string>;
  run(args: readonly string[], input?: Buffer): Promise<Answer>;
}

/** Ids by their names in the history, layers as such; Docker prunes in random order. */
function normalised(side: Side, { code, stdout, stderr }: Answer): object {
  const named = (text: string): string =>
    text
      .replaceAll(/[0-9a-f]{64}/g, (id) => `<${side.ids.get(id) ?? 'layer'}>`)
      .replaceAll(/^Error response from daemon: |^tsengine: /gm, '')
      .replaceAll(/\b(?:docker|tsengine) (?=image|container|system)/g, '');
  const [head = '', ...blocks] = named(stdout).split(/(?<=Deleted (?:Images|Containers):\n)/);
  const sorted = blocks.map((block) => {
    const [lines = '', ...rest] = block.split('\n\n');
    return [lines.split('\n').sort().join('\n'), ...rest].join('\n\n');
  });
  return { code, stdout: head + sorted.join(''), stderr: named(stderr) };
}

const missing = dockerMissing();

describe('prune beside Docker', { skip: missing ?? false }, () => {
  let docker: Docker;
  let cli: Cli;
  let sides: readonly Side[] = [];
  let rootfs: Buffer;

  before(async () => {
    rootfs = readFileSync(await tinyRootfs());
    docker = await startDocker();
    cli = openCli('overlay2');
    const own = cli;
    sides = [
      { name: 'docker', ids: new Map(), run: (args, input) => docker.try(args, input) },
      {
        name: 'tsengine',
        ids: new Map(),
        run: async (args, input) => {
          const { status, stdout, stderr } = own.run(args, input === undefined ? {} : { input });
          return { code: status, stdout, stderr };
        },
      },
    ];
  });

  after(async () => {
    if (cli !== undefined) await cli[Symbol.asyncDispose]();
    if (docker !== undefined) await docker[Symbol.asyncDispose]();
  });

  /** The command on both, which must answer alike. */
  const same = async (args: readonly string[], input?: string, order?: 'any'): Promise<object> => {
    const answers: object[] = [];
    for (const side of sides) {
      const given = input === undefined ? undefined : Buffer.from(input);
      const answer = await side.run(args, given);
      const stdout = order === 'any' ? answer.stdout.split('\n').sort().join('\n') : answer.stdout;
      answers.push(normalised(side, { ...answer, stdout }));
    }
    assert.deepEqual(answers[1], answers[0], args.join(' '));
    return answers[0] ?? {};
  };

  /** A command on both that must succeed and prints an id, which gets a name. */
  const make = async (name: string, args: readonly string[], input?: Buffer): Promise<void> => {
    for (const side of sides) {
      const { code, stdout, stderr } = await side.run(args, input);
      assert.equal(code, 0, `${side.name} ${args.join(' ')}: ${stderr}`);
      side.ids.set(/[0-9a-f]{64}/.exec(stdout)?.[0] ?? '', name);
    }
  };

  const run = (name: string, image: string, command: string): Promise<void> =>
    make('', ['run', '--name', name, '--network', 'none', image, 'sh', '-c', command]);

  /** What is left, by names. */
  const left = async (): Promise<void> => {
    // Docker orders images of one second by chance.
    await same(['images', '-a', '--format', '{{.Repository}}:{{.Tag}}'], undefined, 'any');
    await same(['ps', '-a', '--no-trunc', '--format', '{{.Names}} {{.Image}}']);
  };

  it('says nothing and asks, where there is nothing to remove', async () => {
    for (const what of ['image', 'container']) {
      await same([what, 'prune', '-f']);
      for (const answer of ['', 'n\n']) await same([what, 'prune'], answer);
      await same([what, 'prune', 'x']);
      await same([what, 'prune', '--help']);
    }
    await same(['image', 'prune', '-a'], '');
    await same(['system', 'prune', '-f']);
  });

  it(`refuses filters in the same words${FULL ? '' : ' (9 of 21; npm run test:full takes all)'}`, async () => {
    const filters = ['bad=1', 'until=foo', 'label', 'label!=x', 'dangling=true', 'dangling=maybe'];
    for (const [index, what] of ['image', 'container', 'system'].entries()) {
      for (const [at, filter] of filters.entries())
        if (FULL || at % 3 === index) await same([what, 'prune', '-f', '--filter', filter]);
      await same([what, 'prune', '-f', '--filter', 'until=1h', '--filter', 'until=2h']);
    }
  });

  it('removes dangling images that nobody stands on, and keeps what is in use', async () => {
    await make('base', ['import', '-', 'base:1'], rootfs);
    await run('r1', 'base:1', 'echo hello > /f');
    await make('tagged', ['commit', 'r1', 'tagged:1']);
    await make('nameless', ['commit', 'r1']);
    await same(['image', 'prune'], 'yes\n');
    await same(['image', 'prune'], ' y\n');
    await same(['image', 'prune'], 'y\n');
    // An image without a name that another was made from.
    await make('below', ['commit', 'r1', 'below:1']);
    await run('r2', 'below:1', 'echo more > /g');
    await make('above', ['commit', 'r2', 'above:1']);
    await same(['tag', 'base:1', 'below:1']);
    await same(['image', 'prune', '-f']);
    // Its child goes; it stays, because a stopped container uses it.
    for (const side of sides) assert.equal((await side.run(['rmi', '--no-prune', 'above:1'])).code, 0);
    await same(['image', 'prune', '-f']);
    await same(['rm', 'r2']);
    await same(['image', 'prune', '-f']);
    await left();
  });

  it('heeds until and labels', async () => {
    await make('red', ['import', '-c', 'LABEL colour=red', '-'], rootfs);
    await make('blue', ['import', '-c', 'LABEL colour=blue', '-'], rootfs);
    await same(['image', 'prune', '-f', '--filter', 'until=1h']);
    await same(['image', 'prune', '-f', '--filter', 'label=colour=green']);
    await same(['image', 'prune', '-f', '--filter', 'label=colour=blue']);
    await same(['image', 'prune', '-f', '--filter', 'label!=colour=red']);
    await same(['image', 'prune', '-f', '--filter', 'label=colour']);
    await make('kept', ['create', '--label', 'keep=1', '--name', 'kept', 'base:1', 'sh']);
    await make('other', ['create', '--name', 'other', 'base:1', 'sh']);
    await same(['container', 'prune', '-f', '--filter', 'until=1h']);
    await same(['container', 'prune', '-f', '--filter', 'label=keep=2']);
    for (const side of sides) {
      const id = (await side.run(['inspect', '--format', '{{.Id}}', 'r1'])).stdout.trim();
      side.ids.set(id, 'r1');
    }
    await same(['container', 'prune', '-f', '--filter', 'label!=keep']);
    await same(['container', 'prune', '--filter', 'label=keep'], 'n\n');
    await same(['container', 'prune', '--filter', 'label=keep'], 'Y\n');
    await left();
  });

  it('with -a takes the names of all that no container uses, and all names but one of what is used', async () => {
    await make('two', ['import', '-c', 'LABEL k=v', '-', 'two:1'], rootfs);
    await same(['tag', 'two:1', 'two:2']);
    await same(['tag', 'base:1', 'other:1']);
    await make('user', ['create', '--name', 'user', 'base:1', 'sh']);
    await same(['image', 'prune', '-a', '-f', '--filter', 'label!=k']);
    await same(['image', 'prune', '-a', '-f', '--filter', 'until=1h']);
    await same(['image', 'prune', '-a', '-f']);
    await left();
  });

  it('leaves containers that run, and counts what went', async () => {
    const image = 'other:1';
    await make('runs', ['run', '-d', '--name', 'runs', '--network', 'none', image, 'sleep', '1000']);
    const command = 'dd if=/dev/zero of=/x bs=1000 count=1234 2>/dev/null';
    await run('big', image, command);
    for (const side of sides) {
      const id = (await side.run(['inspect', '--format', '{{.Id}}', 'big'])).stdout.trim();
      side.ids.set(id, 'big');
    }
    await same(['container', 'prune', '-f']);
    await same(['image', 'prune', '-a', '-f']);
    await left();
    for (const side of sides) assert.equal((await side.run(['rm', '-f', 'runs'])).code, 0);
    await make('last', ['create', '--name', 'last', image, 'sh']);
    await same(['system', 'prune', '-a', '-f']);
    await left();
    assertSound(cli.dataRoot, cli.execRoot, 'overlay2');
  });

  it('lists and removes by the long names', async () => {
    await make('base', ['image', 'import', '-', 'base:1'], rootfs);
    await make('cc', ['container', 'create', '--name', 'cc', 'base:1', 'sh']);
    await same(['image', 'ls', '-q', '--no-trunc']);
    await same(['image', 'list', '--format', '{{.Repository}}']);
    await same(['container', 'ls', '-aq', '--no-trunc']);
    await same(['container', 'list', '-a', '--format', '{{.Names}}']);
    await same(['container', 'inspect', '--format', '{{.Name}}', 'cc']);
    await same(['image', 'inspect', '--format', '{{.RepoTags}}', 'base:1']);
    await same(['container', 'rm', 'cc']);
    await same(['image', 'tag', 'base:1', 'base:2']);
    await same(['image', 'remove', 'base:2']);
    await same(['image', 'rm', 'base:1']);
    await left();
  });
});
