/** Who a container's process is: environment, user, command, directory, names. */
import { probe, type Theme } from './compare.ts';

const ENV_FILE = [
  '# comment',
  '',
  'FILE=from file',
  '  INDENTED=yes',
  'TABLE_VALUE',
  'UNSET_NAME',
  'A=file',
  'QUOTED="q"',
  '',
].join('\n');

/** Environment, user, command, working directory, host name. */
export const IDENTITY: Theme = {
  name: 'identity',
  rows: [
    probe(''),
    probe(
      '-e A=B -e EMPTY= -e TABLE_VALUE -e UNSET_NAME -e "SPACES=a  b" -e A=last -e HOME=/elsewhere -e PATH=/bin',
    ),
    probe('--env-file $(dir)/env -e A=flag --env HOSTNAME=mine', { files: { env: ENV_FILE } }),
    probe('', { image: 'pathless' }),
    probe('', { image: 'settled' }),
    probe('-e FROM_IMAGE -e EMPTY -e HOSTNAME -e NEW=1 -u root -w /', { image: 'settled' }),
    probe('-u ann'),
    probe('-u bob'),
    probe('-u ann:audio'),
    probe('-u 1000'),
    probe('-u 4711:815'),
    probe('-u 0:4711'),
    probe('-u :users'),
    probe('--user homeless -w /home/ann'),
    probe('-u root --cap-drop ALL'),
    probe('-w /new/folder/../deep'),
    probe('-w /to-data/below -u ann'),
    probe('-h box.example.org --domainname nis.example'),
    probe('--hostname box'),
    probe('--network host'),
    probe('--network host -h box'),
    probe('--init', { words: '/probe one "two three"' }),
    probe('--entrypoint /probe', { words: 'one "two three" --name=x' }),
    probe('--entrypoint /probe -l a=b', { image: 'entry' }),
    {
      name: 'entrypoint and command of the image',
      steps: [
        'run --rm entry',
        'run --rm entry mine',
        'run --rm --entrypoint echo entry',
        'run --rm --entrypoint echo entry a b',
        'run --rm --entrypoint "" entry echo c',
        'run --rm --entrypoint "" entry',
      ],
    },
    {
      name: 'an image without a command',
      steps: [
        'run --rm nothing',
        'create nothing',
        'run --rm nothing echo a',
        'run --rm --entrypoint echo nothing',
        'run --rm nothing ""',
        'run --rm --entrypoint "" nothing',
      ],
    },
    {
      name: "words after the image are the command's",
      steps: [
        'run --rm probe echo -e A=B --rm -x',
        'run --rm -- probe echo a',
        'run --rm=false --name words-after --rm=true probe echo a',
      ],
    },
  ],
};
