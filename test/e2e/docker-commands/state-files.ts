/** What is changed in Docker's files while no daemon runs: things that commands could only do at other times. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { StateImage } from './state-images.ts';

/** Makes Docker believe that images were made from each other here. */
export function setParents(dataRoot: string, images: readonly StateImage[]): void {
  for (const { image, parent } of images) {
    const found = images.find(({ key }) => key === parent);
    if (found === undefined) continue;
    const folder = `${dataRoot}/image/overlay2/imagedb/metadata/sha256/${image.id.slice(7)}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${folder}/parent`, found.image.id);
  }
}

/** Gives an image a digest, as if it had been pulled. */
export function setDigest(dataRoot: string, repository: string, id: string): void {
  const file = `${dataRoot}/image/overlay2/repositories.json`;
  const names: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const key = `"${repository}":{`;
  const text = JSON.stringify(names).replace(key, `${key}"${repository}@sha256:${'d'.repeat(64)}":"${id}",`);
  writeFileSync(file, text);
}

/** A day for each container, oldest first: what relative times say must not hang on when a test asks. */
export function ageContainers(dataRoot: string): void {
  const folder = `${dataRoot}/containers`;
  const files = readdirSync(folder).map((id) => {
    const path = `${folder}/${id}/config.v2.json`;
    const text = readFileSync(path, 'utf8');
    return { path, id, text, created: /"Created":"([^"]+)"/.exec(text)?.[1] ?? '' };
  });
  files.sort((a, b) => (a.created < b.created ? -1 : 1));
  for (const [index, { path, id, text }] of files.entries()) {
    const day = `2023-01-${String(index + 1).padStart(2, '0')}`;
    const times = { Created: '10:00:00.123456789', StartedAt: '10:00:01.5', FinishedAt: '10:00:07.25' };
    let aged = text;
    for (const [name, time] of Object.entries(times))
      aged = aged.replace(new RegExp(`"${name}":"20[^"]+"`), `"${name}":"${day}T${time}Z"`);
    writeFileSync(path, aged);
    ageLog(`${folder}/${id}/${id}-json.log`, day);
  }
}

/** The lines of a log, a second apart. */
function ageLog(path: string, day: string): void {
  let second = 0;
  try {
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replaceAll(/"time":"[^"]+"/g, () => `"time":"${day}T10:00:0${++second}.000000001Z"`),
    );
  } catch {
    // A container that never ran has none.
  }
}
