/** How containers start, end and are named. */
import type { Row, Theme } from './compare.ts';

const SHOW =
  "inspect -f '{{json .State.Status}} {{.State.ExitCode}} {{json .State.Error}} {{.State.OOMKilled}} {{.Path}} {{json .Args}}'";
const CONFIG = "inspect -f '{{json .Config}}'";
const HOST_CONFIG = "inspect -f '{{json .HostConfig}}'";
const MOUNTS = "inspect -f '{{json .Mounts}}'";

const ready = (trap: string) =>
  `probe sh -c "trap '${trap}' TERM INT USR1 HUP; echo ready; while sleep 0.1; do :; done"`;

const exits: Row[] = [0, 3, 125, 137, 255].map((code) => ({
  name: `exit ${code}`,
  steps: [
    `run --name exit-${code} probe sh -c "exit ${code}"`,
    `${SHOW} exit-${code}`,
    `start -a exit-${code}`,
  ],
}));

/** Exit codes, signals, names, files of ids, input, create and start. */
export const LIFE: Theme = {
  name: 'life',
  rows: [
    ...exits,
    {
      name: 'no such program',
      steps: [
        'run --name none-1 probe nosuch',
        `${SHOW} none-1`,
        'run --rm probe /no/such',
        'run --rm -w /data probe ./nosuch',
        'start none-1',
        'start -a none-1',
        'run -d --name none-2 probe nosuch',
        `${SHOW} none-2`,
        'run --rm --init probe nosuch',
      ],
    },
    {
      name: 'a file that is no program',
      steps: [
        'run --name noprog-1 probe /plain-file',
        `${SHOW} noprog-1`,
        'run --rm probe /data',
        'run --rm -u ann probe /closed/program',
        'run --rm probe /no-interpreter',
        'run --rm probe /lost-interpreter',
        'start -a noprog-1',
      ],
    },
    {
      name: 'output and errors apart',
      steps: [
        'run --rm probe sh -c "echo out; echo err >&2; printf tail; exit 3"',
        'run --rm probe sh -c "seq 1 20000 | md5sum; seq 1 20000"',
      ],
    },
    {
      name: '-i reads input',
      steps: [
        { line: 'run --rm -i probe cat', input: 'line\nwithout end' },
        { line: 'run --rm -i probe sh', input: 'echo from a script\nexit 5\n' },
        { line: 'run --rm probe cat', input: 'not for you' },
        { line: 'run --rm -i probe true', input: 'nobody reads this' },
        { line: 'run --rm -i probe md5sum', input: 'x'.repeat(300_000) },
        { line: 'run --rm -i probe head -c 3', input: 'y'.repeat(300_000) },
      ],
    },
    {
      name: 'create and start -a, -i',
      steps: [
        'create -i --name started probe sh -c "cat; echo out; echo err >&2; exit 4"',
        `${SHOW} started`,
        { line: 'start -a -i started', input: 'given\n' },
        `${SHOW} started`,
        { line: 'start -i started', input: 'again\n' },
        'rm started',
      ],
    },
    {
      name: 'a program that ends itself by a signal',
      steps: [
        'run --rm --init probe sh -c "kill -9 $$"',
        'run --rm --init probe sh -c "kill -TERM $$"',
        'run --rm probe sh -c "kill -9 $$; echo alive"',
        'run --rm probe sh -c "sh -c \'kill -9 \\$\\$\'; echo $?"',
      ],
    },
    {
      name: 'the client is told to end',
      steps: [
        { line: `run --rm ${ready('echo told; exit 9')}`, after: 'ready', send: 'SIGTERM' },
        { line: `run --rm ${ready('echo told; exit 8')}`, after: 'ready', send: 'SIGINT' },
        { line: `run --rm ${ready('echo told; exit 7')}`, after: 'ready', send: 'SIGUSR1' },
        { line: 'run --rm --init probe sh -c "echo ready; sleep 100"', after: 'ready', send: 'SIGTERM' },
      ],
    },
    {
      name: 'kill',
      steps: [
        { line: `run --name killed ${ready('')}`, after: 'ready', also: 'kill killed' },
        `${SHOW} killed`,
        {
          line: `run --rm --name hupped ${ready('echo told; exit 6')}`,
          after: 'ready',
          also: 'kill -s HUP hupped',
        },
        'kill killed',
        'kill -s NOSUCH killed',
      ],
    },
    {
      name: 'stop, with a signal of its own',
      steps: [
        {
          line: `run --name stopped --stop-signal USR1 ${ready('echo told; exit 6')}`,
          after: 'ready',
          also: 'stop stopped',
        },
        `${SHOW} stopped`,
        {
          line: 'run --name stubborn probe sh -c "trap : TERM; echo ready; while :; do sleep 0.1; done"',
          after: 'ready',
          also: 'stop -t 1 stubborn',
        },
        `${SHOW} stubborn`,
        'stop stubborn',
      ],
    },
    {
      name: 'rm of a running container',
      steps: [
        {
          line: `run --rm --name running ${ready('exit 3')}`,
          after: 'ready',
          also: 'rm running',
          send: 'SIGTERM',
        },
      ],
    },
    {
      name: 'a name is taken',
      steps: [
        'create --name taken probe true',
        'create --name taken probe true',
        'run --name taken probe true',
        'run --rm --name taken probe true',
        'rm taken',
        'run --rm --name taken probe echo free',
      ],
    },
    {
      name: '--cidfile',
      steps: [
        'run --cidfile $(dir)/id --name cid-1 probe true',
        'run --cidfile $(dir)/id probe true',
        'create --cidfile $(dir)/id probe true',
        'create --cidfile $(dir)/no/such/id probe true',
        "run --rm -v $(dir):/in probe sh -c 'wc -c < /in/id'",
        'run --rm --cidfile $(dir)/gone probe nosuch',
        'run --rm --cidfile $(dir) probe true',
      ],
      files: { 'keep/': '' },
    },
    {
      name: '-d',
      steps: [
        'run -d --name detached probe sh -c "echo a; exit 3"',
        'start nosuch',
        'start -a detached nosuch',
        'run -d -i --name waiting probe cat',
        'start waiting',
        'rm waiting',
        'rm -f waiting',
        'run -d --rm probe nosuch',
      ],
    },
    {
      name: '--sig-proxy=false',
      steps: [
        'run --detach=false --sig-proxy --rm probe echo a',
        {
          line: `run --sig-proxy=false --name unproxied ${ready('echo told')}`,
          after: 'ready',
          send: 'SIGTERM',
        },
        "inspect -f '{{.State.Status}}' unproxied",
        'rm -f unproxied',
      ],
    },
    {
      name: 'create keeps what it was given',
      steps: [
        'create --network none --name given -i -e A=B -u ann -w /x -h box --domainname dom -l a=b --label c --label-file $(dir)/labels --entrypoint echo --stop-signal 9 --init --read-only --cap-add CHOWN --cap-drop ALL --ulimit nofile=1:2 --tmpfs /t:size=1m --oom-score-adj 7 --cgroup-parent /p --security-opt label=disable -v $(dir):/dir:ro -v /anon --mount type=volume,src=kept-volume,dst=/v,volume-nocopy settled a b',
        `${CONFIG} given`,
        `${HOST_CONFIG} given`,
        `${MOUNTS} given`,
      ],
      files: { labels: '# labels\nd=e f\nbare\nchanged=yes\n' },
    },
    {
      name: 'create without flags',
      steps: [
        'create --network none --name bare probe',
        `${CONFIG} bare`,
        `${HOST_CONFIG} bare`,
        // Not started: without networks the two would part ways then.
        'create --network default --name on-default probe',
        `${HOST_CONFIG} on-default`,
        "inspect -f '{{json .NetworkSettings}}' on-default",
      ],
    },
  ],
};
