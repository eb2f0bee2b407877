/** What a container's process may do. */
import { readFileSync } from 'node:fs';
import { CGROUP_PARENT } from './cgroup.ts';
import { lines, probe, type Row, type Theme } from './compare.ts';

const ALLOW_ALL = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['chroot'], action: 'SCMP_ACT_ERRNO' }],
});

/** Whether this machine lacks a capability of the kernel's: there Docker fails and tsengine warns. Elsewhere both run. */
export function lacksCapability(): boolean {
  const bounding = /^CapBnd:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const last = BigInt(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8').trim());
  return BigInt(`0x${bounding}`) !== (1n << (last + 1n)) - 1n;
}

const LACKING = {
  reason: 'Capabilities that the host may not give are dropped with a warning',
  only: [
    /^- code: 125$/,
    /^- stderr: .* unable to apply caps: operation not permitted: unknown$/,
    /^\+ code: 0$/,
    /^\+ stdout: runs$/,
    /^\+ stderr: WARNING: this host cannot give the container CAP_/,
  ],
};

/** What only root of a whole machine may give. Where this one lacks it, the lab's machines have it (test/lab/engine.slow.test.ts). */
export const WHOLE: readonly Row[] = [
  probe('--privileged'),
  probe('--privileged -u ann'),
  probe('--privileged --cap-drop SYS_ADMIN'),
  probe('--cap-add ALL'),
  probe('--cap-add ALL --security-opt seccomp=unconfined'),
  probe('--ulimit nofile=1048576:1048576 --ulimit memlock=-1:-1 --ulimit rtprio=50 --ulimit nice=40'),
  probe('--oom-score-adj -500'),
  probe('--oom-score-adj -1000 -u ann'),
];

/** Capabilities, seccomp, masked paths, limits. */
export const SECURITY: Theme = {
  name: 'security and limits',
  rows: [
    probe('--cap-drop ALL'),
    probe('--cap-drop all --cap-add CHOWN --cap-add cap_kill'),
    probe('--cap-drop NET_RAW --cap-drop MKNOD'),
    probe('--cap-add SYS_PTRACE --cap-drop CHOWN -u ann'),
    probe('--cap-add SYS_ADMIN'),
    probe('--cap-add NET_ADMIN --cap-add SYS_CHROOT'),
    probe('--security-opt no-new-privileges'),
    probe('--security-opt no-new-privileges:true -u ann'),
    probe('--security-opt seccomp=unconfined'),
    probe('--security-opt seccomp=$(dir)/profile.json', { files: { 'profile.json': ALLOW_ALL } }),
    probe('--security-opt systempaths=unconfined'),
    probe('--security-opt label=disable --security-opt apparmor=unconfined'),
    probe('--ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=512 --ulimit stack=1000000:2000000'),
    probe('--oom-score-adj 500'),
    probe(`--cgroup-parent ${CGROUP_PARENT}`),
    probe('--cap-add ALL --cap-drop SYS_RESOURCE'),
    ...lines('run --rm --ulimit nofile=999999999 probe true', 'run --rm --oom-score-adj -500 probe true'),
    ...['--privileged', '--cap-add ALL'].map((flags) => ({
      name: `${flags} where the host lacks a capability`,
      steps: [`run --rm ${flags} probe echo runs`],
      ...(lacksCapability() ? { listed: LACKING } : {}),
    })),
  ],
};
