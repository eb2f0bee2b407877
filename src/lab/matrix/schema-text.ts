import { schemas } from './schema.ts';

/** The format of the file as a JSON Schema, for programs of others. */
export async function matrixSchemaText(): Promise<string> {
  const { toJSONSchema } = await import('zod/mini');
  const schema = toJSONSchema(schemas().matrix, { target: 'draft-2020-12', io: 'input' });
  const head = { title: 'tsengine lab matrix', description: 'Storage drivers on kernels and filesystems.' };
  return `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`;
}
