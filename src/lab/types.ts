/** The words that the lab and its callers share. */
import type { EntryPlan } from './cache.ts';

/** What a machine has beyond the kernel, our system packages and tsengine. */
export const labFeatures = ['docker', 'lvm', 'systemd', 'zfs'] as const;

/**
 * - `docker`: Debian's docker.io is installed (not started, unless `systemd` is there as well).
 * - `lvm`: LVM's programs are installed.
 * - `systemd`: systemd is PID 1, on cgroup v2 with AppArmor. Without it our own init mounts cgroup v2 and starts the command.
 * - `zfs`: OpenZFS, compiled for the kernel.
 */
export type LabFeature = (typeof labFeatures)[number];

/** A kernel that the user built. */
export interface OwnKernel {
  /** A bzImage. */
  readonly path: string;
  /** The folder that holds `modules.dep`, or one with a single such folder in it (`lib/modules`). */
  readonly modules?: string;
  /** An initial RAM disk whose files are there beside ours; our `/init` is the one that runs. */
  readonly initrd?: string;
  /** What it was when its maker looked: that entry of the cache is started, and the files are not looked at again. */
  readonly plan?: EntryPlan;
}

/** Which kernel: `host`, `debian:5.10`, `debian:6.1`, `debian:6.12`, `debian:7.2`, `debian:<suite>`, or one of the user's own. */
export type KernelChoice = string | OwnKernel;

/** Standard output or standard error of the command in the machine. */
export type OutputStream = 'stdout' | 'stderr';

/** A terminal that the command in the machine gets. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** `TERM`. */
  readonly type: string;
  /** Calls back with the new size whenever it changes. */
  onResize(listener: (columns: number, rows: number) => void): void;
}

/** A machine to start and a command to run in it. */
export interface MachineRequest {
  readonly kernel: KernelChoice;
  readonly with?: readonly LabFeature[];
  /** A program with its arguments; it is looked for on the machine's PATH, where `tsengine` and `node` are too. */
  readonly command: readonly string[];
  /** Added to the command's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes; 2 GiB when not given. */
  readonly memory?: number;
  /** 2 when not given, or fewer where this machine has fewer. */
  readonly cpus?: number;
  /** Sizes of additional empty disks in bytes: `/dev/lab/disk1`, `/dev/lab/disk2`, … in the machine. They are sparse files and go with it. */
  readonly disks?: readonly number[];
  /** Words for the kernel's command line, after the lab's own. */
  readonly kernelWords?: readonly string[];
  /** Modules that the kernel refuses to load, as if it had been built without them. */
  readonly withheldModules?: readonly string[];
  /** Whether those of them that this kernel has built in, has not, or starts from are passed over, with a line to `onNotice`; else they are an error. */
  readonly passOverLacking?: boolean;
  /** How long the command may run from its start, in milliseconds; 300 000 when not given. */
  readonly timeoutMs?: number;
  /** How long the machine may take to the start of the command, in milliseconds; 300 000 when not given. */
  readonly bootTimeoutMs?: number;
  /** How long the command may write nothing, in milliseconds, from its start on: then the machine hangs. As long as it likes when not given. */
  readonly silenceMs?: number;
  /** A disk of tsengine's code (code-disk.ts) that several machines share; one of the code as it is now when not given. */
  readonly code?: string;
  /**
   * A folder that what the command leaves in `/results` is copied into at the end, whatever that end is. Made when it is not
   * there. `signal` ends the copying, too, but for one that has ended the machine.
   */
  readonly results?: string;
  /**
   * Gets the command's output as it comes. While its promise is open the machine has to wait with more; when `signal` is
   * aborted nobody waits for it any more, because the machine has ended or its time has been over for two seconds.
   */
  readonly onOutput?: (stream: OutputStream, data: Buffer, signal: AbortSignal) => void | Promise<void>;
  /** Called when the command starts, with the milliseconds from the start of QEMU to it. */
  readonly onStart?: (bootMs: number) => void;
  /** Gets each line of the machine's console as it comes. What it throws ends the machine, and is what the call fails with. */
  readonly onConsole?: (line: string) => void;
  /** Gets all that the console prints, as it comes; what it throws counts as with `onConsole`. */
  readonly onConsoleData?: (data: Buffer) => void;
  /** Gets a line for each thing that takes its time before the machine starts: images that are built. */
  readonly onProgress?: (line: string) => void;
  /** Gets a line for what is no failure and people should know all the same: what of the results stayed behind. `onProgress` when not given. */
  readonly onNotice?: (line: string) => void;
  /** The command's standard input; empty when not given. */
  readonly stdin?: AsyncIterable<Buffer>;
  /** Gives the command a terminal; all its output is then `stdout`. */
  readonly terminal?: Terminal;
  /** Ends the machine; the call fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How a machine's work ended. A machine that failed itself is a `MachineError`. */
export interface MachineResult {
  /** The command's; 128 and the signal's number where one ended it. */
  readonly exitCode: number;
  /** From the start of QEMU to the start of the command, in milliseconds. */
  readonly bootMs: number;
  /** From the start of the command to its end. */
  readonly runMs: number;
  /** `uname -r` in the machine. */
  readonly kernelRelease: string;
  readonly accelerator: 'kvm' | 'tcg';
  /** What the machine ran short of while the command failed, in one line: memory, or space on one of its disks. */
  readonly shortage: string | undefined;
  /** The last lines of the machine's console that came while the command ran. */
  readonly console: readonly string[];
  /** Why what the command left in `/results` is not, or not all, in the folder for it, in one line. */
  readonly resultsError: string | undefined;
}
