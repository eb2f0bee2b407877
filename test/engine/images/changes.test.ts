// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have the same syntax.
/** `--change`: every row is what Docker 20.10.24 answered to `docker import -c …`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerConfigSchema } from '../../../src/engine/api/container-config.ts';
import { applyChanges } from '../../../src/engine/images/changes/apply.ts';

/** Changes, and either what is set in the configuration or the error. */
const TABLE: readonly (readonly [changes: readonly string[], result: Record<string, unknown> | string])[] = [
  [['CMD ["a","b"]'], { Cmd: ['a', 'b'] }],
  [['CMD a b  "c d"'], { Cmd: ['/bin/sh', '-c', 'a b  "c d"'] }],
  [['cmd a'], { Cmd: ['/bin/sh', '-c', 'a'] }],
  [['CMD'], { Cmd: ['/bin/sh', '-c'] }],
  [['CMD []'], { Cmd: [] }],
  [['CMD ["a", 1]'], 'when using JSON array syntax, arrays must be comprised of strings only'],
  [["CMD ['a']"], { Cmd: ['/bin/sh', '-c', "['a']"] }],
  [['ENTRYPOINT ["x"]', 'CMD y'], { Cmd: ['/bin/sh', '-c', 'y'], Entrypoint: ['x'] }],
  [['CMD y', 'ENTRYPOINT x'], { Cmd: ['/bin/sh', '-c', 'y'], Entrypoint: ['/bin/sh', '-c', 'x'] }],
  [['ENTRYPOINT x $HOME'], { Entrypoint: ['/bin/sh', '-c', 'x $HOME'] }],
  [['ENTRYPOINT'], {}],
  [['ENTRYPOINT []'], {}],
  [['ENV A=1 B="x y" C=a\\ b'], { Env: ['A=1', 'B=x y', 'C=a b'] }],
  [['ENV A b c'], { Env: ['A=b c'] }],
  [['ENV A'], 'ENV must have two arguments'],
  [['ENV'], 'ENV requires at least one argument'],
  [['ENV A=1', 'ENV B=$A-x', 'ENV C=${A:-q}${Z:-def}${A:+plus}'], { Env: ['A=1', 'B=1-x', 'C=1defplus'] }],
  [['ENV =x'], 'ENV names can not be blank'],
  [['ENV A=1 B'], 'Syntax error - can\'t find = in "B". Must be of the form: name=value'],
  [['ENV A=\'$X\' B="$X" C=\\$X'], { Env: ['A=$X', 'B=', 'C=$X'] }],
  [['ENV A=1', 'ENV A=2'], { Env: ['A=2'] }],
  [['ENV 1A=x'], { Env: ['1A=x'] }],
  [['EXPOSE 80'], { ExposedPorts: { '80/tcp': {} } }],
  [
    ['EXPOSE 80/udp 443 1000-1002'],
    { ExposedPorts: { '1000/tcp': {}, '1001/tcp': {}, '1002/tcp': {}, '443/tcp': {}, '80/udp': {} } },
  ],
  [['EXPOSE 8080:80'], { ExposedPorts: { '80/tcp': {} } }],
  [['EXPOSE x'], 'Invalid containerPort: x'],
  [['EXPOSE'], 'EXPOSE requires at least one argument'],
  [['ENV P=99', 'EXPOSE $P/tcp'], { ExposedPorts: { '99/tcp': {} }, Env: ['P=99'] }],
  [['EXPOSE 80/foo'], 'Invalid proto: foo'],
  [['EXPOSE 0'], { ExposedPorts: { '0/tcp': {} } }],
  [['EXPOSE 70000'], 'Invalid containerPort: 70000'],
  [['LABEL a=b "c d"="e f"'], { Labels: { a: 'b', 'c d': 'e f' } }],
  [['LABEL a b c'], { Labels: { a: 'b c' } }],
  [['LABEL a'], 'LABEL must have two arguments'],
  [['LABEL'], 'LABEL requires at least one argument'],
  [['ENV X=1', 'LABEL l=$X m="$X" n=\'$X\''], { Env: ['X=1'], Labels: { l: '1', m: '1', n: '$X' } }],
  [['ONBUILD RUN foo bar'], { OnBuild: ['RUN foo bar'] }],
  [['ONBUILD ONBUILD x'], "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  [['ONBUILD FROM x'], "FROM isn't allowed as an ONBUILD trigger"],
  [['ONBUILD MAINTAINER x'], "MAINTAINER isn't allowed as an ONBUILD trigger"],
  [['ONBUILD'], 'ONBUILD requires at least one argument'],
  [['onbuild run foo'], { OnBuild: ['run foo'] }],
  [['ONBUILD NOPE x'], { OnBuild: ['NOPE x'] }],
  [['ONBUILD COPY --from=x a b'], { OnBuild: ['COPY --from=x a b'] }],
  [['USER bob'], { User: 'bob' }],
  [['USER a b'], { User: 'a b' }],
  [['USER'], 'USER requires exactly one argument'],
  [['ENV U=zz', 'USER $U'], { User: 'zz', Env: ['U=zz'] }],
  [['VOLUME /a /b'], { Volumes: { '/a': {}, '/b': {} } }],
  [['VOLUME ["/a","/b c"]'], { Volumes: { '/a': {}, '/b c': {} } }],
  [['VOLUME'], 'VOLUME requires at least one argument'],
  [['VOLUME [""]'], 'VOLUME specified can not be an empty string'],
  [['VOLUME []'], 'VOLUME requires at least one argument'],
  [['WORKDIR /a', 'WORKDIR b'], { WorkingDir: '/a/b' }],
  [['WORKDIR b'], { WorkingDir: '/b' }],
  [['WORKDIR'], 'WORKDIR requires exactly one argument'],
  [['WORKDIR /a/../b/'], { WorkingDir: '/a/../b/' }],
  [['WORKDIR $HOME/x'], { WorkingDir: '/x' }],
  [['ENV H=/h', 'WORKDIR $H/x'], { Env: ['H=/h'], WorkingDir: '/h/x' }],
  [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  [['HEALTHCHECK CMD foo bar'], { Healthcheck: { Test: ['CMD-SHELL', 'foo bar'] } }],
  [
    ['HEALTHCHECK --interval=5s --timeout=1m --retries=3 --start-period=2s CMD ["a","b"]'],
    {
      Healthcheck: {
        Test: ['CMD', 'a', 'b'],
        Interval: 5000000000,
        Timeout: 60000000000,
        StartPeriod: 2000000000,
        Retries: 3,
      },
    },
  ],
  [['HEALTHCHECK'], 'HEALTHCHECK requires at least one argument'],
  [['HEALTHCHECK --foo=1 CMD x'], 'Unknown flag: foo'],
  [['HEALTHCHECK BAR x'], 'Unknown type "BAR" in HEALTHCHECK (try CMD)'],
  [['HEALTHCHECK --interval=x CMD x'], 'time: invalid duration "x"'],
  [['HEALTHCHECK NONE x'], 'HEALTHCHECK NONE takes no arguments'],
  [['HEALTHCHECK CMD'], 'Missing command after HEALTHCHECK CMD'],
  [['HEALTHCHECK --interval=0.1ms CMD x'], 'Interval "interval" cannot be less than 1ms'],
  [['HEALTHCHECK --retries=-1 CMD x'], '--retries must be at least 1 (not -1)'],
  [['HEALTHCHECK --retries=x CMD x'], 'strconv.ParseInt: parsing "x": invalid syntax'],
  [['STOPSIGNAL 9'], 'stopsignal is not a valid change command'],
  [['SHELL ["a"]'], 'shell is not a valid change command'],
  [['RUN x'], 'run is not a valid change command'],
  [['FROM x'], 'from is not a valid change command'],
  [['NOPE x'], 'nope is not a valid change command'],
  [[''], 'file with no instructions'],
  [['# c'], 'file with no instructions'],
  [['CMD a \\'], { Cmd: ['/bin/sh', '-c', 'a'] }],
  [['ENV A=1\nENV B=2'], { Env: ['A=1', 'B=2'] }],
  [['CMD a \\\n b'], { Cmd: ['/bin/sh', '-c', 'a  b'] }],
  [['CMD  ["a",'], { Cmd: ['/bin/sh', '-c', '["a",'] }],
  [['CMD ["a"] foo'], { Cmd: ['a'] }],
  [
    ['ENV A="x'],
    'failed to process "\\"x": unexpected end of statement while looking for matching double-quote',
  ],
  [['ENV A=${B'], 'failed to process "${B": missing \':\' in substitution'],
  [['ENV A=${B:x}'], 'failed to process "${B:x}": unsupported modifier (x) in substitution'],
  [['ENV A=a$ B=$1 C=$@x D=$$'], { Env: ['A=a$', 'B=', 'C=x', 'D='] }],
  [['ENV A=$'], { Env: ['A=$'] }],
  [['ENV A "b c" d'], { Env: ['A=b c d'] }],
  [['ENV A=1', 'EXPOSE 80 $A$A'], { ExposedPorts: { '11/tcp': {}, '80/tcp': {} }, Env: ['A=1'] }],
  [['LABEL =x'], 'LABEL names can not be blank'],
  [['USER ""'], {}],
  [['WORKDIR ""'], 'cannot normalize nothing'],
  [['EXPOSE 1.2.3.4:80:90'], { ExposedPorts: { '90/tcp': {} } }],
  [['EXPOSE 80-70'], 'Invalid containerPort: 80-70'],
  [['EXPOSE 80:90-95'], 'Invalid ranges specified for container and host Ports: 90-95 and 80'],
  [['EXPOSE -'], 'Invalid containerPort: -'],
  [['EXPOSE 80/TCP'], { ExposedPorts: { '80/tcp': {} } }],
  [['EXPOSE 80/'], { ExposedPorts: { '80/tcp': {} } }],
  [['EXPOSE /tcp'], 'No port specified: /tcp<empty>'],
  [['CMD [ "a" , "b\\u0041" ]'], { Cmd: ['a', 'bA'] }],
  [['VOLUME /a $B /c'], 'VOLUME specified can not be an empty string'],
  [
    ['ENTRYPOINT ["a"]', 'ENTRYPOINT b', 'CMD'],
    { Cmd: ['/bin/sh', '-c'], Entrypoint: ['/bin/sh', '-c', 'b'] },
  ],
  [['HEALTHCHECK --interval CMD x'], 'Missing a value on flag: interval'],
  [['HEALTHCHECK --interval=1s --interval=2s CMD x'], 'Duplicate flag specified: interval'],
  [['HEALTHCHECK cmd x'], { Healthcheck: { Test: ['CMD-SHELL', 'x'] } }],
  [['CMD --foo x'], 'Unknown flag: foo'],
  [['ENV --foo A=1'], 'Unknown flag: foo'],
  [['# c\nCMD a \\\n# x\n b'], { Cmd: ['/bin/sh', '-c', 'a  b'] }],
  [['CMD a\n\nENV B=1'], { Env: ['B=1'], Cmd: ['/bin/sh', '-c', 'a'] }],
  [['ENV A="x"y'], { Env: ['A=xy'] }],
  [['ENV A=a"b c"d e=f'], { Env: ['A=ab cd', 'e=f'] }],
  [['LABEL "a"="$B\\"x"'], { Labels: { a: '"x' } }],
  [["ENV A='it''s'"], { Env: ['A=its'] }],
  [['ENV A=${A-b}'], 'failed to process "${A-b}": missing \':\' in substitution'],
  [['WORKDIR a b'], { WorkingDir: '/a b' }],
  [['HEALTHCHECK --retries=0 CMD x'], '--retries must be at least 1 (not 0)'],
  [['HEALTHCHECK --start-period=-1s CMD x'], 'Interval "start-period" cannot be less than 1ms'],
  [['HEALTHCHECK --interval=0 CMD x'], 'Interval "interval" cannot be less than 1ms'],
  [['HEALTHCHECK --timeout=5 CMD x'], 'time: missing unit in duration "5"'],
  [['VOLUME ["a",1]'], 'when using JSON array syntax, arrays must be comprised of strings only'],
  [
    ['VOLUME " "'],
    'failed to process "\\"": unexpected end of statement while looking for matching double-quote',
  ],
  [['CMD ["a"'], { Cmd: ['/bin/sh', '-c', '["a"'] }],
  [['CMD {"a":1}'], { Cmd: ['/bin/sh', '-c', '{"a":1}'] }],
  [['ENV A=\\'], { Env: ['A='] }],
  [['ENV A=b\\\\c D="e\\\\f"'], { Env: ['A=b\\c', 'D=e\\f'] }],
  [['EXPOSE 80-82:90-92'], { ExposedPorts: { '90/tcp': {}, '91/tcp': {}, '92/tcp': {} } }],
  [['EXPOSE x:80'], 'Invalid hostPort: x'],
  [['LABEL a="multi word" b='], { Labels: { a: 'multi word', b: '' } }],
  [['USER  bob  '], { User: 'bob' }],
  [['CMD\ta'], { Cmd: ['/bin/sh', '-c', 'a'] }],
  [['ENV A=${}'], 'failed to process "${}": syntax error: bad substitution'],
  [['ENV A=${B:?bad}'], 'failed to process "${B:?bad}": B: bad'],
  [['HEALTHCHECK --interval= CMD x'], { Healthcheck: { Test: ['CMD-SHELL', 'x'] } }],
  [['CMD -- x'], { Cmd: ['/bin/sh', '-c', 'x'] }],
  [['EXPOSE "80"'], { ExposedPorts: { '80/tcp': {} } }],
  [['VOLUME ["/$A"]'], { Volumes: { '/': {} } }],
];

/** Without what is not set. */
function setKeys(config: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => ![null, undefined, '', false].includes(value)),
  );
}

describe('changes to a configuration', () => {
  for (const [changes, result] of TABLE) {
    test(JSON.stringify(changes), () => {
      const apply = () => applyChanges(containerConfigSchema.parse({}), changes);
      if (typeof result === 'string') assert.throws(apply, { message: result, code: 'InvalidParameter' });
      else assert.deepEqual(setKeys(apply()), result);
    });
  }

  test('an entrypoint clears the command below it, unless a command was among the changes', () => {
    const base = containerConfigSchema.parse({ Cmd: ['old'], Env: ['A=1'], WorkingDir: '/w' });
    assert.equal(applyChanges(base, ['ENTRYPOINT ["x"]']).Cmd, null);
    assert.deepEqual(applyChanges(base, ['CMD ["y"]', 'ENTRYPOINT ["x"]']).Cmd, ['y']);
    assert.deepEqual(applyChanges(base, ['WORKDIR $A']).WorkingDir, '/w/1');
    assert.deepEqual(base.Cmd, ['old']);
  });
});
