import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { allCapabilities, defaultCapabilities } from '../../../../src/engine/runtime/spec/capabilities.ts';
import type { OciSeccomp } from '../../../../src/engine/runtime/spec/oci.ts';
import { defaultSeccomp, type SeccompContext } from '../../../../src/engine/runtime/spec/seccomp.ts';
import { loadSeccompProfile } from '../../../../src/engine/runtime/spec/seccomp-profile.ts';
import { BY_CAPABILITY } from '../../../../src/engine/runtime/spec/seccomp-syscalls.ts';

/** SHA-256 over `effects` of all contexts, computed from the profile of Docker 20.10.24 itself. */
const DOCKER_EFFECTS = '98428671a6891db89d529bf70070199a0db8e12b2e6a25c6ccf8511d6701ef4c';

/** One of every kind: all capability rules alone, together, and the sets that containers have; all architectures. */
function contexts(): SeccompContext[] {
  const sets = [
    [],
    defaultCapabilities(),
    allCapabilities(),
    ...Object.keys(BY_CAPABILITY).map((name) => [name]),
  ];
  sets.push([...defaultCapabilities(), 'CAP_SYS_ADMIN'], ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE']);
  const arches =
    'amd64 arm64 arm x86 mips64 mips64n32 mipsel mipsel64 mips3l64n32 ppc64 ppc64le s390 s390x riscv64';
  const kernels = [
    { major: 3, minor: 10 },
    { major: 4, minor: 7 },
    { major: 4, minor: 8 },
    { major: 5, minor: 0 },
    { major: 6, minor: 18 },
  ];
  return arches
    .split(' ')
    .flatMap((arch) =>
      kernels.flatMap((kernel) => sets.map((capabilities) => ({ arch, kernel, capabilities }))),
    );
}

/** What a filter does, in a form that does not depend on how its rules are arranged: each call's outcomes, sorted. */
function effects(filter: OciSeccomp | undefined): string {
  const byName = new Map<string, Set<string>>();
  for (const { names, action, errnoRet, args } of filter?.syscalls ?? []) {
    const conditions = (args ?? []).map((arg) => `${arg.index} ${arg.op} ${arg.value} ${arg.valueTwo ?? 0}`);
    const outcome = `${action} ${errnoRet ?? 'EPERM'} if [${conditions.join(', ')}]`;
    for (const name of names) byName.set(name, (byName.get(name) ?? new Set()).add(outcome));
  }
  const lines = [...byName].map(([name, outcomes]) => `${name}: ${[...outcomes].sort().join(' | ')}`).sort();
  return [`default ${filter?.defaultAction}`, (filter?.architectures ?? []).join(' '), ...lines].join('\n');
}

function digest(filterOf: (context: SeccompContext) => OciSeccomp | undefined): string {
  const hash = createHash('sha256');
  for (const context of contexts())
    hash.update(`${JSON.stringify(context)}\n${effects(filterOf(context))}\n`);
  return hash.digest('hex');
}

/** Docker's own profile out of Debian's source package; `undefined` where it cannot be fetched. */
function dockerProfile(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'tsengine-seccomp-'));
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: directory, stdio: 'pipe', timeout: 60_000 });
  try {
    run('apt-get', 'download', 'golang-github-docker-docker-dev');
    const archive = readdirSync(directory).find((name) => /_20\.10\.24.*\.deb$/.test(name));
    if (archive === undefined) return undefined;
    run('dpkg', '-x', archive, 'tree');
    const path = 'tree/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json';
    return existsSync(join(directory, path)) ? readFileSync(join(directory, path), 'utf8') : undefined;
  } catch {
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('defaultSeccomp', () => {
  it('equals Docker 20.10.24 in effect, for every call, capability set, architecture and kernel', (t) => {
    const profile = dockerProfile();
    if (profile === undefined) {
      t.diagnostic('Docker’s profile could not be fetched: compared with the digest of its effects alone');
    } else {
      for (const context of contexts()) {
        const expected = effects(loadSeccompProfile(profile, context));
        assert.equal(effects(defaultSeccomp(context)), expected, JSON.stringify(context));
      }
      assert.equal(
        digest((context) => loadSeccompProfile(profile, context)),
        DOCKER_EFFECTS,
      );
    }
    assert.equal(digest(defaultSeccomp), DOCKER_EFFECTS);
  });

  it('lets the usual container neither mount nor make namespaces', () => {
    const filter = defaultSeccomp({
      arch: 'amd64',
      kernel: { major: 6, minor: 1 },
      capabilities: defaultCapabilities(),
    });
    const rules = (filter.syscalls ?? []).filter(({ names }) =>
      names.some((name) => /^(mount|clone3?|unshare)$/.test(name)),
    );
    assert.deepEqual(rules, [
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value: 0x7e02_0000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ]);
    assert.deepEqual(filter.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  });

  it('names no call twice in a rule, and nothing empty', () => {
    for (const context of contexts()) {
      for (const { names } of defaultSeccomp(context).syscalls ?? []) {
        assert.equal(new Set(names).size, names.length);
        assert.ok(names.length > 0 && names.every((name) => /^[a-z0-9_]+$/.test(name)));
      }
    }
  });

  it('is cheap to make', () => {
    const context = { arch: 'amd64', kernel: { major: 6, minor: 1 }, capabilities: defaultCapabilities() };
    const times = Array.from({ length: 20 }, () => {
      const start = performance.now();
      defaultSeccomp(context);
      return performance.now() - start;
    }).sort((a, b) => a - b);
    assert.ok((times[10] ?? 9) < 2, `median ${times[10]} ms`);
  });
});
