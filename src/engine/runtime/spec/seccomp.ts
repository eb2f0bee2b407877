/** The default seccomp filter: equal in effect to that of Docker 20.10.24, made for one container on one host. */
import type { OciSeccomp, OciSyscall } from './oci.ts';
import { ALWAYS, BY_ARCH, BY_CAPABILITY, BY_KERNEL, expandNames } from './seccomp-syscalls.ts';

/** What a filter depends on. */
export interface SeccompContext {
  /** As Docker's profiles name it: `amd64`, `arm64`, `x86`, `s390x`… */
  readonly arch: string;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The container's bounding set, names with `CAP_`. */
  readonly capabilities: readonly string[];
}

/** For each architecture the seccomp names of itself and of those whose programs it runs as well (seccomp(2)). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: 'X86_64 X86 X32',
  arm64: 'AARCH64 ARM',
  mips64: 'MIPS64 MIPS MIPS64N32',
  mips64n32: 'MIPS64N32 MIPS MIPS64',
  mipsel64: 'MIPSEL64 MIPSEL MIPSEL64N32',
  mips3l64n32: 'MIPSEL64N32 MIPSEL MIPSEL64',
  s390x: 'S390X S390',
};

/** seccomp's name of an architecture where it has no entry above, that is, runs no programs of another. */
const OWN_NAME: Readonly<Record<string, string>> = {
  x86: 'X86',
  arm: 'ARM',
  mipsel: 'MIPSEL',
  ppc: 'PPC',
  ppc64: 'PPC64',
  ppc64le: 'PPC64LE',
  s390: 'S390',
};

/** seccomp's name of an architecture (`SCMP_ARCH_X86_64`), or `undefined` for one that Docker does not know. */
export function seccompArchitecture(arch: string): string | undefined {
  const name = ARCHITECTURES[arch]?.split(' ')[0] ?? OWN_NAME[arch];
  return name === undefined ? undefined : `SCMP_ARCH_${name}`;
}

/** Whether a kernel is of at least this version. */
export function kernelAtLeast(
  kernel: { readonly major: number; readonly minor: number },
  least: { readonly major: number; readonly minor: number },
): boolean {
  return kernel.major > least.major || (kernel.major === least.major && kernel.minor >= least.minor);
}

/**
 * The flags of clone(2) that make namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET
 * (`include/uapi/linux/sched.h`). Without CAP_SYS_ADMIN none of them may be set.
 */
const CLONE_NAMESPACES =
  0x0002_0000 + 0x0200_0000 + 0x0400_0000 + 0x0800_0000 + 0x1000_0000 + 0x2000_0000 + 0x4000_0000;

/** personality(2): plain Linux, Linux with 32-bit addresses (PER_LINUX32), each with and without UNAME26, and "ask". */
const PERSONALITIES = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const ALLOW = 'SCMP_ACT_ALLOW';
const ERRNO = 'SCMP_ACT_ERRNO';

function allowedNames(context: SeccompContext): string[] {
  const groups = Object.values(ALWAYS);
  const ofArch = BY_ARCH[context.arch];
  if (ofArch !== undefined) groups.push(ofArch);
  for (const one of BY_KERNEL) if (kernelAtLeast(context.kernel, one)) groups.push(one.names);
  for (const capability of context.capabilities) {
    const names = BY_CAPABILITY[capability];
    if (names !== undefined) groups.push(names);
  }
  return [...new Set(groups.flatMap(expandNames))];
}

/** clone and clone3 for containers that may not make namespaces. */
function cloneRules(arch: string): OciSyscall[] {
  // On s390 the flags of clone are its second argument; on MIPS the errno ENOSYS has another number.
  const index = arch === 's390' || arch === 's390x' ? 1 : 0;
  const enosys = arch.startsWith('mips') ? 89 : 38;
  const flags = { index, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  return [
    { names: ['clone'], action: ALLOW, args: [flags] },
    // Its flags are in memory, where a filter cannot look: "no such call" makes libraries fall back to clone.
    { names: ['clone3'], action: ERRNO, errnoRet: enosys },
  ];
}

/** The filter for one container. Everything that it does not name fails with EPERM. Takes about 0.1 ms. */
export function defaultSeccomp(context: SeccompContext): OciSeccomp {
  const architectures = ARCHITECTURES[context.arch]?.split(' ').map((name) => `SCMP_ARCH_${name}`);
  const personalities = PERSONALITIES.map((value) => ({
    names: ['personality'],
    action: ALLOW,
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
  }));
  return {
    defaultAction: ERRNO,
    ...(architectures !== undefined && { architectures }),
    syscalls: [
      { names: allowedNames(context), action: ALLOW },
      ...personalities,
      ...(context.capabilities.includes('CAP_SYS_ADMIN') ? [] : cloneRules(context.arch)),
    ],
  };
}
