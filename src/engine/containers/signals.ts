/** Signals by name and number on Linux, as `kill`, `stop` and `--stop-signal` take them. */
import { TsengineError } from '../../errors.ts';

/** signal(7), the numbers of x86 and ARM, with the aliases that Docker knows. */
const NUMBERS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};

/** The real-time signals as glibc numbers them: it keeps 32 and 33 for itself. */
const RTMIN = 34;
const RTMAX = 64;

/**
 * The number of a signal given as a number or as a name, with or without `SIG`, in any case: `9`, `term`,
 * `SIGRTMIN+3`. Throws InvalidParameter `Invalid signal: x`. Numbers are not checked against the platform, as in
 * Docker's create; `checkSignal` does.
 */
export function parseSignal(text: string): number {
  if (/^[+-]?\d+$/.test(text) && Number(text) !== 0) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : realTime(name);
  if (number === undefined) throw new TsengineError('InvalidParameter', `Invalid signal: ${text}`);
  return number;
}

/** Throws InvalidParameter for a number that is no signal here. Gives the number. */
export function checkSignal(number: number): number {
  if (number >= 1 && number <= RTMAX) return number;
  throw new TsengineError('InvalidParameter', `The linux daemon does not support signal ${number}`);
}

/** The name of a signal without `SIG`, such as `TERM` or `RTMIN+3`; the number in digits where it has none. */
export function signalName(number: number): string {
  const found = Object.entries(NUMBERS).find(([, value]) => value === number);
  if (found !== undefined) return found[0];
  if (number < RTMIN || number > RTMAX) return String(number);
  if (number === RTMIN) return 'RTMIN';
  if (number === RTMAX) return 'RTMAX';
  return number <= RTMIN + 15 ? `RTMIN+${number - RTMIN}` : `RTMAX-${RTMAX - number}`;
}

/** RTMIN to RTMIN+15 and RTMAX-14 to RTMAX, which together name each real-time signal once. */
function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const [, end, sign, digits] = match;
  const distance = Number(digits ?? 0);
  if (end === 'MIN') return sign !== '-' && distance <= 15 ? RTMIN + distance : undefined;
  return sign !== '+' && distance <= 14 ? RTMAX - distance : undefined;
}
