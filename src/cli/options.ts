import { Option } from 'commander';

/** An option that may be given several times and collects its values in order; empty when not given. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((value, previous: readonly string[]) => [...previous, value])
    .default([]);
}
