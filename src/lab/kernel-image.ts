/** The header of a bzImage. Source: the kernel's Documentation/arch/x86/boot.rst. */

const SIGNATURE_AT = 0x202;
const VERSION_POINTER_AT = 0x20e;
/** The version's text is counted from here. */
const SETUP = 0x200;

/** The release (`uname -r`) of the kernel whose file starts with these bytes; `undefined` when it is no bzImage. */
export function readBootHeader(start: Buffer): string | undefined {
  if (start.length < SETUP + 0x60) return undefined;
  if (start.toString('latin1', SIGNATURE_AT, SIGNATURE_AT + 4) !== 'HdrS') return undefined;
  const at = start.readUInt16LE(VERSION_POINTER_AT) + SETUP;
  const end = start.indexOf(0, at);
  if (end < 0) return undefined;
  return /^[0-9][^ ]*/.exec(start.toString('latin1', at, end))?.[0];
}
