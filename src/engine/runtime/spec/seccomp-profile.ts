/** Seccomp profiles in Docker's file format: `--security-opt seccomp=FILE`. */
import * as z from 'zod/mini';
import { errorMessage, TsengineError } from '../../../errors.ts';
import type { OciSeccomp, OciSyscall } from './oci.ts';
import { kernelAtLeast, type SeccompContext, seccompArchitecture } from './seccomp.ts';

/** Docker's profile format, as a schema; made when the first custom profile is read, because few containers have one. */
function makeSchema() {
  const number = z.int().check(z.gte(0));
  const strings = z.nullish(z.array(z.string()));
  const kernelVersion = z.pipe(
    z.string().check(
      z.regex(/^([0-9]{1,3}\.[0-9]{1,3})?$/, {
        error: (issue) =>
          `invalid kernel version: ${JSON.stringify(issue.input)}, expected "<kernel>.<major>"`,
      }),
    ),
    z.transform((text: string) => {
      const [major = 0, minor = 0] = text.split('.').map(Number);
      return { major, minor };
    }),
  );
  const filter = z.nullish(
    z.looseObject({ caps: strings, arches: strings, minKernel: z.nullish(kernelVersion) }),
  );
  const arg = z.looseObject({ index: number, value: number, valueTwo: z.optional(number), op: z.string() });
  const syscall = z.looseObject({
    name: z.nullish(z.string()),
    names: strings,
    action: z.string(),
    errnoRet: z.nullish(number),
    args: z.nullish(z.array(arg)),
    includes: filter,
    excludes: filter,
  });
  return z.looseObject({
    defaultAction: z.nullish(z.string()),
    defaultErrnoRet: z.nullish(number),
    architectures: strings,
    archMap: z.nullish(z.array(z.looseObject({ architecture: z.string(), subArchitectures: strings }))),
    syscalls: z.nullish(z.array(syscall)),
  });
}

type Profile = z.output<ReturnType<typeof makeSchema>>;
type Syscall = NonNullable<Profile['syscalls']>[number];

const invalid = (message: string, cause?: unknown) =>
  new TsengineError('InvalidParameter', message, { cause });

function parseProfile(text: string): Profile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(`Decoding seccomp profile failed: ${errorMessage(error)}`, error);
  }
  const parsed = makeSchema().safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') ?? '';
  const where = field === '' ? '' : `${field}: `;
  throw invalid(`Decoding seccomp profile failed: ${where}${issue?.message ?? 'invalid'}`, parsed.error);
}

/** Whether a rule's `includes` and `excludes` let it take part for this container on this host. */
function applies({ includes, excludes }: Syscall, context: SeccompContext): boolean {
  const has = (capability: string): boolean => context.capabilities.includes(capability);
  if (excludes?.arches?.includes(context.arch) === true) return false;
  if (excludes?.caps?.some(has) === true) return false;
  if (excludes?.minKernel != null && kernelAtLeast(context.kernel, excludes.minKernel)) return false;
  const arches = includes?.arches ?? [];
  if (arches.length > 0 && !arches.includes(context.arch)) return false;
  if (includes?.caps?.every(has) === false) return false;
  return includes?.minKernel == null || kernelAtLeast(context.kernel, includes.minKernel);
}

function rule(call: Syscall): OciSyscall {
  const single = call.name ?? '';
  const names = call.names ?? [];
  if (single !== '' && names.length > 0) {
    throw invalid("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'");
  }
  const args = (call.args ?? []).map(({ index, value, valueTwo, op }) => ({
    index,
    value,
    ...(valueTwo !== undefined && { valueTwo }),
    op,
  }));
  return {
    names: single === '' ? names : [single],
    action: call.action,
    ...(call.errnoRet != null && { errnoRet: call.errnoRet }),
    ...(args.length > 0 && { args }),
  };
}

function architecturesOf(profile: Profile, arch: string): string[] {
  const plain = profile.architectures ?? [];
  const mapped = profile.archMap ?? [];
  if (plain.length > 0 && mapped.length > 0) {
    throw invalid(
      "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  const own = mapped.find((one) => one.architecture === seccompArchitecture(arch));
  return own === undefined ? plain : [own.architecture, ...(own.subArchitectures ?? [])];
}

/**
 * Reads a profile and picks what holds for this container on this host; `undefined` for a profile that says nothing,
 * which means no filter. `defaultErrnoRet`, which Docker 20.10 overlooks, is honoured. Throws `InvalidParameter`:
 * `Decoding seccomp profile failed: …` with the field, and Docker's words for contradictions.
 */
export function loadSeccompProfile(text: string, context: SeccompContext): OciSeccomp | undefined {
  const profile = parseProfile(text);
  const calls = profile.syscalls ?? [];
  const action = profile.defaultAction ?? '';
  if (action === '' && calls.length === 0) return undefined;
  const architectures = architecturesOf(profile, context.arch);
  const syscalls = calls.filter((call) => applies(call, context)).map(rule);
  return {
    defaultAction: action,
    ...(profile.defaultErrnoRet != null && { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length > 0 && { architectures }),
    ...(syscalls.length > 0 && { syscalls }),
  };
}
