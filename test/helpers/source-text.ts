/** A source file taken apart far enough for rules about what it may hold. */
export interface SourceText {
  /** The text with comments and the contents of strings blanked out; lines keep their numbers. */
  readonly code: string;
  /** The contents of string and template literals, without `${…}` parts. */
  readonly strings: readonly string[];
}

/**
 * Takes comments and strings out of TypeScript. A small scanner, not a parser: it tells a regular expression from a
 * division by what stands before it, which is right for formatted code.
 */
export function scanSource(text: string): SourceText {
  let code = '';
  const strings: string[] = [];
  const blank = (piece: string) => piece.replaceAll(/[^\n]/g, ' ');
  /** Depths of braces at which a template literal's `${` was entered. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const template = () => {
    const piece = take(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y) ?? '';
    strings.push(piece);
    code += blank(piece);
    at += piece.length;
    if (text.startsWith('${', at)) {
      templates.push(depth);
      code += '${';
      at += 2;
    } else {
      code += '`';
      at += 1;
    }
  };

  while (at < text.length) {
    const comment = take(/\/\/[^\n]*|\/\*[\s\S]*?\*\//y);
    const string = take(/'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y);
    const regex = /(?:^|[=(,:[!&|?{};>]|\breturn)\s*$/.test(code.slice(-20))
      ? take(/\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y)
      : undefined;
    if (comment !== undefined) {
      code += blank(comment);
      at += comment.length;
    } else if (string !== undefined) {
      strings.push(string.slice(1, -1));
      code += string.charAt(0) + blank(string.slice(1, -1)) + string.charAt(0);
      at += string.length;
    } else if (regex !== undefined) {
      code += blank(regex);
      at += regex.length;
    } else {
      const character = text.charAt(at);
      code += character;
      at += 1;
      if (character === '`') template();
      else if (character === '{') depth += 1;
      else if (character === '}' && depth > 0 && depth !== templates.at(-1)) depth -= 1;
      else if (character === '}' && depth === templates.at(-1)) {
        templates.pop();
        template();
      }
    }
  }
  return { code, strings };
}

/** What `text` imports, statically, by re-export or by `import()`: the specifiers as written. */
export function importsOf(text: string): string[] {
  const { code } = scanSource(text);
  // Positions are the same in both, so the blanked code says where an import is and the text what it names.
  return [...code.matchAll(/(?<!\.)\b(?:from\s|import\s*\(?)\s*(['"])( +)\1/g)].map((match) => {
    const start = (match.index ?? 0) + match[0].length - 1 - (match[2] ?? '').length;
    return text.slice(start, start + (match[2] ?? '').length);
  });
}
