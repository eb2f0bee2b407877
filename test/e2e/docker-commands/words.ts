/** Command lines as one string each, read as a shell would read them. */

/** Splits at blanks outside of quotes. Both kinds of quotes keep everything as it is; `$(name)` is for `expand`. */
export function splitWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double),
  );
}

/** Puts values in the place of `$(name)` and of the first N characters of one, `$(name:N)`. Throws for an unknown name. */
export function expand(word: string, values: ReadonlyMap<string, string>): string {
  return word.replaceAll(/\$\(([\w.-]+)(?::(\d+))?\)/g, (_, name: string, length: string | undefined) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`no value for $(${name})`);
    return value.slice(0, length === undefined ? undefined : Number(length));
  });
}
