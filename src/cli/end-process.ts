import { exitAtOnce } from '../linux/exit.ts';
import { isKoffiLoaded } from '../linux/libc.ts';
import { NODE_FLAGS } from '../node-flags.ts';

/**
 * Ends the process when its command is done, without tearing down Node: joining its threads, freeing its heap and syncing
 * the file that standard output may be take 10 ms and more, and the kernel does all that matters. What we write to
 * standard output and standard error is written when the call returns, because on Linux Node's own streams are synchronous
 * as well. Does nothing where somebody wants to see the end of Node: a profiler, a debugger, a test's coverage.
 */
export function endProcess(): void {
  const { execArgv, env } = process;
  const isObserved =
    execArgv.some((flag) => !NODE_FLAGS.includes(flag)) ||
    (env.NODE_OPTIONS ?? '') !== '' ||
    env.NODE_V8_COVERAGE !== undefined;
  if (isObserved || !isKoffiLoaded()) return;
  const code = Number(process.exitCode ?? 0);
  process.emit('exit', code);
  // Node would do this at its end. Writes only what is new.
  process.getBuiltinModule('node:module').flushCompileCache();
  exitAtOnce(code);
}
