/** What every step of the lab's preparations is given. */
export interface LabContext {
  /** Told of each thing that takes its time. */
  readonly progress: (line: string) => void;
  /** Stops the step. */
  readonly signal: AbortSignal | undefined;
}
