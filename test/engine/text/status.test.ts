import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerState, commandText, stateName, statusText } from '../../../src/engine/text/status.ts';
import { parseTimestamp, ZERO_TIME } from '../../../src/engine/text/timestamp.ts';

const NEVER: ContainerState = {
  Running: false,
  Paused: false,
  Restarting: false,
  RemovalInProgress: false,
  Dead: false,
  ExitCode: 0,
  StartedAt: ZERO_TIME,
  FinishedAt: ZERO_TIME,
};
const NOW = parseTimestamp('2020-01-02T05:00:00Z');
const RUNNING = { ...NEVER, Running: true, StartedAt: '2020-01-02T03:00:00.5Z' };
const ENDED = { ...NEVER, StartedAt: '2020-01-01T00:00:00Z', FinishedAt: '2020-01-02T04:59:55Z' };

test('states in the words of ps', () => {
  const cases: readonly (readonly [state: ContainerState, name: string, text: string])[] = [
    [NEVER, 'created', 'Created'],
    [RUNNING, 'running', 'Up 2 hours'],
    [{ ...RUNNING, Paused: true }, 'paused', 'Up 2 hours (Paused)'],
    [{ ...RUNNING, Health: { Status: 'starting' } }, 'running', 'Up 2 hours (health: starting)'],
    [{ ...RUNNING, Health: { Status: 'unhealthy' } }, 'running', 'Up 2 hours (unhealthy)'],
    [{ ...RUNNING, Health: { Status: 'none' } }, 'running', 'Up 2 hours'],
    [{ ...RUNNING, StartedAt: '2020-01-02T04:59:00Z' }, 'running', 'Up About a minute'],
    [
      { ...ENDED, Running: true, Restarting: true, ExitCode: 1 },
      'restarting',
      'Restarting (1) 5 seconds ago',
    ],
    [{ ...ENDED, ExitCode: 137 }, 'exited', 'Exited (137) 5 seconds ago'],
    [{ ...ENDED, FinishedAt: ZERO_TIME }, 'exited', ''],
    [{ ...ENDED, RemovalInProgress: true }, 'removing', 'Removal In Progress'],
    [{ ...ENDED, Dead: true }, 'dead', 'Dead'],
  ];
  for (const [state, name, text] of cases) {
    assert.equal(stateName(state), name);
    assert.equal(statusText(state, NOW), text);
  }
});

test('commands', () => {
  assert.equal(commandText('bash', []), 'bash');
  assert.equal(commandText('bash', ['-c', 'echo a', '']), "bash -c 'echo a' ");
});
