// The expected texts were taken from the docker 20.10.24 client, run against a server that gave it this object.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asRow, compileTemplate, executeOnObject } from '../../../src/cli/format/template.ts';
import { TsengineError } from '../../../src/errors.ts';

const OBJECT = {
  Id: 'abcdé',
  Name: '/c',
  X: {
    n: 5,
    f: 1.5,
    z: null,
    arr: [1, 2, 'x'],
    t: true,
    s: 'h"é\n\u0001<',
    sl: ['a', 'b'],
    empty: '',
    ea: [],
    eo: {},
  },
  State: { Status: 'running', ExitCode: 3 },
  Config: { Env: ['A=1', 'B=2'], Labels: { b: '2', a: '1' }, ExposedPorts: { '80/tcp': {} } },
  NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '0', HostPort: '8' }], '90/udp': null } },
};

function run(source: string): string {
  return executeOnObject(compileTemplate(source, 'object'), OBJECT);
}

function failure(action: () => unknown): { readonly message: string; readonly exitCode: number | undefined } {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof TsengineError, String(error));
    assert.equal(error.code, 'InvalidParameter');
    return { message: error.message, exitCode: error.exitCode };
  }
  return assert.fail('should have failed');
}

const RESULTS: readonly (readonly [source: string, output: string])[] = [
  ['plain }} text', 'plain }} text'],
  ['{{.Id}}|{{$.Id}}|{{.State.Status}}', 'abcdé|abcdé|running'],
  ['{{- .Id -}}  x', 'abcdéx'],
  ['a {{- " b" }} c', 'a b c'],
  ['{{/* c */}}x{{- /* c */ -}} y', 'xy'],
  ['{{if true}} {{-  "x" -}} {{end}}', 'x'],
  ['{{.Config.Labels.nope}}|{{.X.z}}', '<no value>|<no value>'],
  [
    '{{.Config.Labels}} {{.Config.Env}} {{.State}} {{.Config.ExposedPorts}}',
    'map[a:1 b:2] [A=1 B=2] {running 3} map[80/tcp:{}]',
  ],
  ['{{println .Id 1}}', 'abcdé 1\n'],
  ['{{json .Config}}', '{"Env":["A=1","B=2"],"Labels":{"a":"1","b":"2"},"ExposedPorts":{"80/tcp":{}}}'],
  ['{{json .X.s}}{{json "<a>&"}}{{json nil}}', '"h\\"é\\n\\u0001<""<a>&"null'],
  ['{{.X.sl | json}}', '["a","b"]'],
  ['{{range $i, $e := .X.sl}}{{$i}}{{$e}}{{end}}', '0a1b'],
  ['{{range .X.sl}}{{.}}{{break}}{{end}}', 'a'],
  ['{{range .X.sl}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', 'b'],
  ['{{range .X.ea}}x{{else}}none{{end}}', 'none'],
  [
    '{{range $k, $v := .NetworkSettings.Ports}}{{$k}}={{range $v}}{{.HostPort}}{{else}}none{{end}} {{end}}',
    '80/tcp=8 90/udp=none ',
  ],
  ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8'],
  ['{{with .State}}{{.Status}}{{end}}{{with .X.z}}a{{else}}b{{end}}', 'runningb'],
  ['{{with $y := .Id}}{{$y}}{{end}}', 'abcdé'],
  ['{{$x := .Id}}{{if true}}{{$x = "n"}}{{end}}{{$x}}', 'n'],
  ['{{if and .X.t (eq .X.s "x")}}y{{else if .X.f}}z{{else}}w{{end}}', 'z'],
  ['{{if .X.ea}}y{{else}}n{{end}}{{if .X.eo}}y{{else}}n{{end}}{{if .X.empty}}y{{else}}n{{end}}', 'nnn'],
  ['{{and 1 0 2}}{{or 0 "" 3}}{{not .X.t}}', '03false'],
  ['{{or .X.t .Nope.Nope}}', 'true'],
  ['{{eq 1 2 1}}{{lt 1 2}}{{gt "b" "a"}}{{ge 1.5 1.5}}{{le 2 1}}{{ne 1 1}}', 'truetruetruetruefalsefalse'],
  ['{{eq .State.ExitCode 3}}{{eq nil nil}}{{eq .X.z nil}}', 'truetruetrue'],
  ['{{eq .State.ExitCode "3"}}', 'true'],
  ['{{len "日本"}}{{len .X.sl}}{{len .Config.Labels}}', '622'],
  ['{{index .X "sl" 1}}{{index .X.s 1}}{{index .Config.Labels "nope"}}', 'b34'],
  ['{{slice .Id 1 2}}{{slice .X.sl 1}}', 'b[b]'],
  ['{{print 1 2 "a" "b" 3}}', '1 2ab3'],
  ['{{"a" | printf "%s-%s" "b"}}', 'b-a'],
  ['{{join .X.sl "-"}} {{split "a,b" ","}} {{split "abc" ""}}', 'a-b [a b] [a b c]'],
  ['{{upper "é"}}{{lower "ÀB"}} {{title "ab-c é"}}', 'Éàb Ab-C É'],
  ['{{truncate "abc" 5}}{{truncate "abc" 2}}|{{pad "a" 2 3}}|{{pad "" 2 3}}', 'abcab|  a   |'],
  [
    '{{html "<&\\"\'>"}} {{js "<=&>"}} {{urlquery "a b&c/é"}}',
    '&lt;&amp;&#34;&#39;&gt; \\u003C\\u003D\\u0026\\u003E a+b%26c%2F%C3%A9',
  ],
  ["{{`a\\n`}}{{\"\\x41\\u00e9\\t\\101\"}}{{'\\n'}}{{'a'}}", 'a\\nAé\tA1097'],
  [
    '{{-3}}{{.1}}{{0x10}}{{1_000}}{{0b11}}{{010}}{{1e3}}{{9223372036854775807}}',
    '-30.1161000381000' + '9223372036854775807',
  ],
];

test('templates give what Docker gives', () => {
  for (const [source, output] of RESULTS) assert.equal(run(source), output, source);
});

const MISTAKES: readonly (readonly [source: string, message: string])[] = [
  ['{{.', ':1: illegal number syntax: "."'],
  ['{{', ':1: unclosed action'],
  ['{{.Id}', ":1: bad character U+007D '}'"],
  ['{{foo}}', ':1: function "foo" not defined'],
  ['{{if}}{{end}}', ':1: missing value for if'],
  ['{{}}', ':1: missing value for command'],
  ['{{if true}}a', ':1: unexpected EOF'],
  ['a\n{{end}}', ':2: unexpected {{end}}'],
  ['{{if true}}a{{else}}b{{else}}c{{end}}', ':1: expected end; found {{else}}'],
  ['{{if true}}{{else if false}}{{else range}}{{end}}', ':1: unexpected <range> in else'],
  ['{{end if}}', ':1: unexpected <if> in end'],
  ['{{/* c}}', ':1: unclosed comment'],
  ['{{ /* c */}}', ':1: unexpected "/" in command'],
  ['{{"abc}}', ':1: unterminated quoted string'],
  ['{{`abc}}', ':1: unterminated raw quoted string'],
  ["{{'ab}}", ':1: unterminated character constant'],
  ["{{'ab'}}", ":1: malformed character constant: 'ab'"],
  ['{{"\\q"}}', ':1: invalid syntax'],
  ['{{(.Id}}', ':1: unclosed left paren'],
  ['{{.Id)}}', ':1: unexpected ")" in command'],
  ['{{| .Id}}', ':1: unexpected "|" in command'],
  ['{{1 | 2}}', ':1: non executable command in pipeline stage 2'],
  ['{{$x}}', ':1: undefined variable "$x"'],
  ['{{break}}', ':1: {{break}} outside {{range}}'],
  ['{{"x".Id}}', ':1: unexpected . after term "\\"x\\""'],
  ['{{12x}}', ':1: bad number syntax: "12x"'],
  ['{{0x}}', ':1: illegal number syntax: "0x"'],
  ['{{.Id.}}', ':1: unexpected <.> in operand'],
  ['{{.Id = 1}}', ':1: unexpected "=" in operand'],
  ['{{range $k, $v, $z := .X}}{{end}}', ':1: too many declarations in range'],
  ['{{$a, $b := 1}}', ':1: too many declarations in command'],
  ['{{define "x"}}{{end}}', ':1: {{define}} is not supported'],
];

test('mistakes in the text are named as Docker names them, with exit code 64', () => {
  for (const [source, message] of MISTAKES) {
    const found = failure(() => run(source));
    assert.deepEqual(
      found,
      { message: `template parsing error: template: ${message}`, exitCode: 64 },
      source,
    );
  }
});

const FAILURES: readonly (readonly [source: string, message: string])[] = [
  ['{{.Foo}}', ':1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
  ['{{.Foo.Bar}}', ':1:6: executing "" at <.Foo.Bar>: map has no entry for key "Foo"'],
  ['a\n{{.nope}}', ':2:2: executing "" at <.nope>: map has no entry for key "nope"'],
  ['é{{.nope}}', ':1:4: executing "" at <.nope>: map has no entry for key "nope"'],
  ['{{.Id.x}}', `:1:5: executing "" at <.Id.x>: can't evaluate field x in type interface {}`],
  ['{{.X.z.foo}}', ':1:4: executing "" at <.X.z.foo>: nil pointer evaluating interface {}.foo'],
  ['{{.Id .Name}}', ':1:2: executing "" at <.Id>: Id is not a method but has arguments'],
  ['{{3 4}}', `:1:2: executing "" at <3>: can't give argument to non-function 3`],
  ['{{nil}}', ':1:2: executing "" at <nil>: nil is not a command'],
  [
    '{{range .State.ExitCode}}{{end}}',
    `:1:14: executing "" at <.State.ExitCode>: range can't iterate over 3`,
  ],
  [
    '{{index .X.arr 7}}',
    ':1:2: executing "" at <index .X.arr 7>: error calling index: index out of range: 7',
  ],
  [
    '{{index .X.sl "a"}}',
    ':1:2: executing "" at <index .X.sl "a">: error calling index: cannot index slice/array with type string',
  ],
  [
    '{{index .NetworkSettings.Ports "90/udp" 0}}',
    ':1:2: executing "" at <index .NetworkSettings.Ports "90/udp" 0>: error calling index: index of untyped nil',
  ],
  ['{{len 3}}', ':1:2: executing "" at <len 3>: error calling len: len of type int'],
  ['{{len 1 2}}', ':1:2: executing "" at <len>: wrong number of args for len: want 1 got 2'],
  ['{{and}}', ':1:2: executing "" at <and>: wrong number of args for and: want at least 1 got 0'],
  ['{{eq 1}}', ':1:2: executing "" at <eq 1>: error calling eq: missing argument for comparison'],
  ['{{eq 1 1.0}}', ':1:2: executing "" at <eq 1 1.0>: error calling eq: incompatible types for comparison'],
  [
    '{{lt true false}}',
    ':1:2: executing "" at <lt true false>: error calling lt: invalid type for comparison',
  ],
  ['{{upper 1}}', ':1:8: executing "" at <1>: expected string; found 1'],
  [
    '{{upper .X.z}}',
    ':1:10: executing "" at <.X.z>: wrong type for value; expected string; got interface {}',
  ],
  ['{{truncate "abc" "x"}}', ':1:17: executing "" at <"x">: expected integer; found "x"'],
  [
    '{{join .X.arr ","}}',
    ':1:9: executing "" at <.X.arr>: wrong type for value; expected []string; got []interface {}',
  ],
  [
    '{{slice .X.s 2 1}}',
    ':1:2: executing "" at <slice .X.s 2 1>: error calling slice: invalid slice index: 2 > 1',
  ],
  ['{{call .Id}}', ':1:2: executing "" at <call .Id>: error calling call: non-function of type string'],
  [
    '{{9223372036854775808}}',
    ':1:2: executing "" at <9223372036854775808>: 9223372036854775808 overflows int',
  ],
];

test('failures while a template runs are named as Docker names them', () => {
  for (const [source, message] of FAILURES) {
    const found = failure(() => run(source));
    assert.deepEqual(found, { message: `template parsing error: template: ${message}`, exitCode: 1 }, source);
  }
});

const PRINTF: readonly (readonly [source: string, output: string])[] = [
  ['"%5d|%-5d|%05d|%+d|% d" 1 2 3 4 5', '    1|2    |00003|+4| 5'],
  ['"%.2s|%-10s|%10s|%q" .Id .Id .Id .Id', 'ab|abcdé     |     abcdé|"abcdé"'],
  ['"%*d|%[2]d" 5 1', '    1|1'],
  ['"%[2]d %[1]d" 1 2', '2 1'],
  ['"%x|% x|%#x|%+q|%#q|%X" "é" "aé" "aé" "aé" "aé" "aé"', 'c3a9|61 c3 a9|0x61c3a9|"a\\u00e9"|`aé`|61C3A9'],
  ['"%6.2f|%g|%e|%G" 3.14159 1e-7 123456.789 1e20', '  3.14|1e-07|1.234568e+05|1E+20'],
  ['"%v %v %v %v" 1.0 1e-5 100000000.0 1e21', '1 1e-05 1e+08 1e+21'],
  ['"%f %5.1f" 1e21 1.5', '1000000000000000000000.000000   1.5'],
  ['"%d %s" 1', '1 %!s(MISSING)'],
  ['"%d" 1 2', '1%!(EXTRA int=2)'],
  ['"%"', '%!(NOVERB)'],
  ['"%% %t %z" true 1', '% true %!z(int=1)'],
  ['"%d %s %t" "s" 3 nil', '%!d(string=s) %!s(int=3) %!t(<nil>)'],
  ['"%5.1f" true', '%!f(bool= true)'],
  ['"%v %s" nil .X.z', '<nil> %!s(<nil>)'],
  ['"%q %#v %T" .Config.Env .Config.Env .Config.Env', '["A=1" "B=2"] []string{"A=1", "B=2"} []string'],
  [
    '"%q %#v %T" .Config.Labels .Config.Labels .Config.Labels',
    'map["a":"1" "b":"2"] map[string]string{"a":"1", "b":"2"} map[string]string',
  ],
  ['"%+v" .State', '{Status:running ExitCode:3}'],
  ['"%c%U%q%o%b%x" 97 97 97 8 5 255', "aU+0061'a'10101ff"],
  ['"%U %x" -4 -4', 'U+FFFFFFFFFFFFFFFC -4'],
  ['"%q" .X.s', '"h\\"é\\n\\x01<"'],
];

test('printf formats as Go does', () => {
  for (const [args, output] of PRINTF) assert.equal(run(`{{printf ${args}}}`), output, args);
});

test('rows have lazy fields and methods, and their JSON escapes HTML', () => {
  const asked: string[] = [];
  const row = asRow('*formatter.ContainerContext', {
    get ID() {
      asked.push('ID');
      return 'abc';
    },
    get Ports() {
      asked.push('Ports');
      return '0.0.0.0:80->80/tcp & é\u2028';
    },
    Label: (name: string) => `<${name}>`,
  });
  const list = (source: string) => compileTemplate(source, 'probe').execute(row);
  assert.equal(list('{{.ID}}'), 'abc');
  assert.deepEqual(asked, ['ID']);
  assert.equal(list('{{.Label "x.y"}}'), '<x.y>');
  assert.equal(list('{{json .}}'), '{"ID":"abc","Ports":"0.0.0.0:80-\\u003e80/tcp \\u0026 é\\u2028"}');
  assert.deepEqual(
    failure(() => list('{{.Foo}}')),
    {
      message:
        'failed to execute template: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext',
      exitCode: 1,
    },
  );
  assert.deepEqual(
    failure(() => list('{{.')),
    {
      message: 'failed to parse template: template: :1: illegal number syntax: "."',
      exitCode: 1,
    },
  );
  assert.match(failure(() => list('{{.Label}}')).message, /wrong number of args for Label: want 1 got 0$/);
});

test('fields are own properties only', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    assert.match(failure(() => run(`{{.${name}}}`)).message, /map has no entry for key/, name);
  }
});
