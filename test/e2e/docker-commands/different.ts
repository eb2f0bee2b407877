/** Where tsengine differs from Docker, and is right to. */

/** A command line, why its answer differs in the words of docs/differences.md, and what tsengine says. */
export interface Difference {
  readonly line: string;
  readonly input?: string;
  readonly why: string;
  readonly code: number;
  /** Standard error, without the program's name. */
  readonly stderr: RegExp;
}

const DAMAGED = 'Errors about archives that are none, or damaged, say what is wrong and where';
const REQUEST = "Where Docker's client shows what its request or its temporary file was called";

/** What is right to differ. */
export const DIFFERENT: readonly Difference[] = [
  {
    line: 'load -i $(files)/garbage',
    why: DAMAGED,
    code: 1,
    stderr: /^invalid tar archive: (.* )?at byte 0: the header checksum does not match: not a tar archive/,
  },
  {
    line: 'load -i $(files)/cut.tar',
    why: DAMAGED,
    code: 1,
    stderr: /^invalid tar archive: .*layer\.tar" at byte \d+: .*cut short$/,
  },
  {
    line: 'load -q',
    input: 'garbage',
    why: DAMAGED,
    code: 1,
    stderr: /^invalid tar archive: "garbage" at byte 0: the archive ends in the middle of a header$/,
  },
  {
    line: 'load',
    input: '',
    why: DAMAGED,
    code: 1,
    stderr: /^not an image archive: it holds neither manifest\.json/,
  },
  {
    line: 'load -i $(files)/no-manifest.tar',
    why: DAMAGED,
    code: 1,
    stderr: /^not an image archive: it holds neither manifest\.json/,
  },
  { line: 'load -i $(files)/empty', why: DAMAGED, code: 1, stderr: /^not an image archive/ },
  { line: 'import $(files)/garbage new', why: DAMAGED, code: 1, stderr: /^invalid tar archive: / },
  { line: 'import - new', input: 'garbage', why: DAMAGED, code: 1, stderr: /^invalid tar archive: / },
  {
    line: 'load -i $(files)/folder',
    why: REQUEST,
    code: 1,
    stderr: /^read \S+\/folder: is a directory$/,
  },
  {
    line: 'import $(files)/folder new',
    why: REQUEST,
    code: 1,
    stderr: /^read \S+\/folder: is a directory$/,
  },
  {
    line: 'save -o $(files)/folder tool',
    why: REQUEST,
    code: 1,
    stderr: /^failed to save image: invalid output path: "\S+\/folder" is a directory$/,
  },
  {
    line: 'start ""',
    why: REQUEST,
    code: 1,
    stderr: /^invalid name or ID supplied: ""\nfailed to start containers: $/,
  },
  {
    line: 'stop ""',
    why: REQUEST,
    code: 1,
    stderr: /^invalid name or ID supplied: ""$/,
  },
  {
    line: 'rm --link web',
    why: '`rm --link` is absent',
    code: 125,
    stderr: /^unknown flag: --link/,
  },
  {
    line: '--nosuch ps',
    why: 'An unknown flag before the command is refused without the list of all commands',
    code: 125,
    stderr: /^unknown flag: --nosuch\nSee 'PROGRAM --help'\.$/,
  },
  {
    line: 'inspect -f \'{{template "x"}}\' web',
    why: '`{{define}}`, `{{block}}` and `{{template}}` are refused in formats',
    code: 64,
    stderr: /\{\{template\}\} is not supported$/,
  },
];
