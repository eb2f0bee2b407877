import { consoleVerdict, lastWords } from './console.ts';
import type { MachineError } from './machine-error.ts';

/** Why QEMU ended without having been told to: what the console says, else QEMU's own complaint. `memory` is the machine's, in bytes. */
export function causeOfEnd(
  lines: readonly string[],
  complaint: string | undefined,
  started: boolean,
  memory: number,
): { readonly kind: MachineError['kind']; readonly message: string } {
  const when = started ? 'under the command' : 'before it started the command';
  const verdict = consoleVerdict(lines);
  switch (verdict?.kind) {
    case 'gave-up':
      return { kind: 'no-boot', message: `the machine gave up: ${verdict.why}` };
    case 'memory': {
      const size = `${Math.floor(memory / 2 ** 20)} MiB`;
      return {
        kind: 'memory',
        message: `the machine's ${size} of memory did not suffice ${when}: ${verdict.why}: give it more with --memory`,
      };
    }
    case 'panic':
      return {
        kind: 'panic',
        message: `the kernel panicked ${when}: ${verdict.why}`,
      };
    default:
      return {
        kind: started ? 'ended' : 'no-boot',
        message: `the machine ended ${when}: ${complaint ?? lastWords(lines)}`,
      };
  }
}
