/** What a machine is told that records a data root at work. */
import type { DrawnCuts } from './block-log.ts';

export interface RecordingTask {
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly driver: string;
  /** For the driver. */
  readonly options: readonly string[];
  /** Archives by name, in base64. */
  readonly archives: Readonly<Record<string, string>>;
}

/** And that cuts the power itself. */
export interface CutTask extends RecordingTask {
  /** Bytes of the disk. */
  readonly size: number;
  readonly drawn: DrawnCuts;
  /** Of the cuts at flushes, of which there are thousands, one in so many is taken. */
  readonly oneFlushIn: number;
}
