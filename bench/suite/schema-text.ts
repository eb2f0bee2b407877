import { schemas } from './schema.ts';

/** The format of a result as a JSON Schema, for programs of others. */
export async function resultSchemaText(): Promise<string> {
  const { toJSONSchema } = await import('zod/mini');
  const schema = toJSONSchema(schemas().result, { target: 'draft-2020-12', io: 'input' });
  const head = { title: 'tsengine bench result', description: 'What storage drivers cost on one machine.' };
  return `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`;
}
