import { consoleVerdict, lastWords } from './console.ts';
import type { MachineError } from './machine-error.ts';
import type { QemuEnd } from './qemu-process.ts';

interface Cause {
  readonly kind: MachineError['kind'];
  readonly message: string;
}

/** Why QEMU ended without having been told to: what the console says, else how QEMU did. `memory` is the machine's, in bytes. */
export function causeOfEnd(lines: readonly string[], end: QemuEnd, started: boolean, memory: number): Cause {
  const when = started ? 'under the command' : 'before it started the command';
  const size = `${Math.floor(memory / 2 ** 20)} MiB`;
  const verdict = consoleVerdict(lines);
  switch (verdict?.kind) {
    case 'gave-up':
      return { kind: 'no-boot', message: `the machine gave up: ${verdict.why}` };
    case 'memory':
      return {
        kind: 'memory',
        message: `the machine's ${size} of memory did not suffice ${when}: ${verdict.why}: give it more with --memory`,
      };
    case 'panic':
      return {
        kind: 'panic',
        message: `the kernel panicked ${when}: ${verdict.why}${brokenInitrd(lines)}`,
      };
    default:
      return (
        troubleOfQemu(end, `the machine ended ${when}`, size) ?? {
          kind: started ? 'ended' : 'no-boot',
          message: `the machine ended ${when}: ${end.complaint ?? lastWords(lines)}`,
        }
      );
  }
}

/** What the kernel said before of an initial RAM disk that it could not unpack: ours is behind the user's, and then not there. */
function brokenInitrd(lines: readonly string[]): string {
  const why = lines.map((line) => /Initramfs unpacking failed: (.*)/.exec(line)?.[1]).find(Boolean);
  return why === undefined
    ? ''
    : `: the initial RAM disk could not be unpacked (${why.trim()}): look at --initrd`;
}

/** What QEMU and glib say when this machine has no memory for them. */
const NO_MEMORY = /cannot allocate memory|(?:failed|could not|unable) to allocate|out of memory/i;

/** What QEMU says of a kernel that it cannot load; the rest that it complains of is about this machine. Source: QEMU's hw/i386/x86-common.c. */
const BAD_KERNEL = /^qemu: .*\b(?:kernel|initrd|setup)\b/;

/** What QEMU's own end says of this machine; `undefined` when it ended as a machine does that is switched off, or for the kernel's file. */
function troubleOfQemu({ code, signal, complaint }: QemuEnd, what: string, size: string): Cause | undefined {
  const smaller = 'give it less with --memory, or let fewer run at once (--jobs)';
  const failed = signal !== null || (code !== 0 && complaint !== undefined);
  if (!failed || (complaint !== undefined && BAD_KERNEL.test(complaint))) return undefined;
  const why = `QEMU ${signal === null ? 'failed' : `was ended by ${signal}`}`;
  if (complaint !== undefined && NO_MEMORY.test(complaint))
    return {
      kind: 'host',
      message: `${what}: this machine has not the ${size} for it (${complaint}): ${smaller}`,
    };
  if (signal === 'SIGKILL')
    return {
      kind: 'host',
      message: `${what}: ${why}, as this machine's kernel does when memory is short (see dmesg): ${smaller}`,
    };
  const forced =
    process.env.TSENGINE_LAB_ACCELERATOR === 'kvm'
      ? ': TSENGINE_LAB_ACCELERATOR asks for KVM, whether it works here or not: unset it'
      : '';
  return { kind: 'host', message: `${what}: ${why}: ${complaint ?? 'it said nothing'}${forced}` };
}
