/** The text of a GNU long name or link; an empty one says nothing. */
export function longText(payload: Buffer): Buffer | undefined {
  const nul = payload.indexOf(0);
  const end = nul < 0 ? payload.length : nul;
  return end === 0 ? undefined : Buffer.from(payload.subarray(0, end));
}

/** The name without slashes at its end; the root keeps one. */
export function withoutSlashes(name: Buffer): Buffer {
  let end = name.length;
  while (end > 1 && name[end - 1] === 0x2f) end--;
  return end === name.length ? name : name.subarray(0, end);
}

/** Bytes of the longest part between slashes. */
export function longestComponent(path: Buffer): number {
  let longest = 0;
  let start = 0;
  for (let end = path.indexOf(0x2f); end >= 0; end = path.indexOf(0x2f, start)) {
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return Math.max(longest, path.length - start);
}
