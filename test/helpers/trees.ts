/** Trees, compared with everything that a layer keeps. */
import assert from 'node:assert/strict';
import { type DescribeOptions, describeTree } from '../../src/drivers/conformance/describe-tree.ts';

export type { DescribeOptions } from '../../src/drivers/conformance/describe-tree.ts';
export { describeTree } from '../../src/drivers/conformance/describe-tree.ts';

/** Fails with the differing lines unless both trees hold the same: types, modes, owners, times, attributes, links, contents. */
export function assertSameTree(actual: string, expected: string, options: DescribeOptions = {}): void {
  assert.deepEqual(describeTree(actual, options), describeTree(expected, options));
}
